//! What a fleet needs around its nodes: relays with the extension, developers who sign, a server of programs.

use crate::files::Files;
use crate::node::{Node, Plan};
use sha2::{Digest as _, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};
use trellis_test_support::{
    Author, Client, Event, Front, Relay, Setup, Value, json, now, trellis, wait,
};

/// How many developers there are, and how many of them have to agree.
pub(crate) const DEVELOPERS: usize = 5;
pub(crate) const QUORUM: usize = 3;

/// Relays, developers and files.
pub(crate) struct Ground {
    pub(crate) relays: Vec<Relay>,
    pub(crate) developers: Vec<Author>,
    pub(crate) files: Files,
    signed: AtomicU64,
}

impl Ground {
    /// With so many relays for these networks.
    pub(crate) async fn new(relays: usize, networks: &[&str]) -> Ground {
        let developers: Vec<Author> = (0..DEVELOPERS).map(|_| Author::new()).collect();
        let table = table(&developers, networks);
        let mut started = Vec::new();
        for _ in 0..relays {
            started.push(setup(&table).start().await);
        }
        Ground {
            relays: started,
            developers,
            files: Files::serve(),
            signed: AtomicU64::new(0),
        }
    }

    /// The addresses of all relays.
    pub(crate) fn relay_urls(&self) -> Vec<String> {
        self.relays.iter().map(Relay::ws_url).collect()
    }

    /// Nodes that run and have heard from every relay.
    pub(crate) async fn fleet(&self, count: usize, networks: &[&str]) -> Vec<Node> {
        let mut nodes = Vec::new();
        for number in 0..count {
            let plan = Plan::of(self, &format!("node-{number}"), networks);
            nodes.push(Node::start(plan));
        }
        for node in &nodes {
            node.until_ready().await;
        }
        nodes
    }

    /// Offers a program that runs well, and gives its hash.
    pub(crate) fn offer(&self, version: &str) -> String {
        let script = program(version);
        self.files.put(&format!("/node/{version}"), &script);
        sha256(&script)
    }

    /// A developer's signal.
    pub(crate) fn signal(&self, developer: usize, tags: &[&[&str]]) -> Event {
        // Later ones are newer, whatever the second.
        let number = self.signed.fetch_add(1, Ordering::Relaxed);
        let draft = self.developers[developer].draft(33_321);
        let draft = draft.at(now() - 500 + number).content("a signal");
        let tagged = draft.tag(&["d", "hyperqube"]);
        tags.iter().fold(tagged, |draft, tag| draft.tag(tag)).sign()
    }

    /// Has the next signals be of now: before, they are of some minutes ago.
    pub(crate) fn date_as_of_now(&self) {
        self.signed.store(500, Ordering::Relaxed);
    }

    /// The signals of these developers for an upgrade.
    pub(crate) fn upgrade(
        &self,
        developers: std::ops::Range<usize>,
        network: &str,
        (version, hash): (&str, &str),
        options: &[&[&str]],
    ) -> Vec<Event> {
        let version = format!("v{version}");
        let base: [&[&str]; 4] = [
            &["version", &version],
            &["hash", hash],
            &["network", network],
            &["action", "upgrade"],
        ];
        let tags: Vec<&[&str]> = base.iter().chain(options).copied().collect();
        developers.map(|one| self.signal(one, &tags)).collect()
    }

    /// Publishes signals to every relay, each as its author.
    pub(crate) async fn publish(&self, signals: &[Event]) {
        for relay in &self.relays {
            self.publish_to(relay, signals).await;
        }
    }

    /// Publishes signals to one relay.
    pub(crate) async fn publish_to(&self, relay: &Relay, signals: &[Event]) {
        for signal in signals {
            let author = |one: &&Author| one.pubkey() == signal.pubkey.to_hex();
            let author = self.developers.iter().find(author).expect("a developer");
            let mut client = Client::connect(relay).await;
            client.login(author).await;
            client.store_in_the_end(signal).await;
        }
    }

    /// Waits until a relay has reports on a version of a network from these nodes and no other, and gives them.
    pub(crate) async fn reports(
        &self,
        relay: &Relay,
        (network, version): (&str, &str),
        nodes: &[&str],
    ) -> Vec<Report> {
        let mut client = Client::connect(relay).await;
        let what = format!("reports on {version} from {nodes:?}");
        let version = format!("v{version}");
        let mut expected: Vec<&str> = nodes.to_vec();
        expected.sort_unstable();
        wait::until(&what, async || {
            let events = client.query(json!({"kinds": [3333]})).await;
            let mut reports: Vec<Report> = events.iter().map(Report::of).collect();
            reports.retain(|report| report.network == network && report.version == version);
            reports.sort_by(|one, two| one.node_id.cmp(&two.node_id));
            let from: Vec<&str> = reports
                .iter()
                .map(|report| report.node_id.as_str())
                .collect();
            (from == expected).then_some(reports)
        })
        .await
    }
}

/// A relay for these networks.
pub(crate) fn setup(table: &str) -> Setup {
    trellis!().front(Front::Server).config(table)
}

/// The extension's table.
fn table(developers: &[Author], networks: &[&str]) -> String {
    let keys: Vec<String> = developers.iter().map(Author::npub).collect();
    let mut table = "[extensions.qube_coordination]\n".to_owned();
    for network in networks {
        table.push_str(&format!(
            "[[extensions.qube_coordination.networks]]\nid = \"{network}\"\nquorum = {QUORUM}\n\
             developers = {keys:?}\n"
        ));
    }
    table
}

/// A node's program of a version: writes down that it runs, unless the node's folder says that it would not.
pub(crate) fn program(version: &str) -> String {
    format!(
        "#!/bin/sh\ncd \"$(dirname \"$0\")\" && ! test -e fails-{version} && echo {version} > running\n"
    )
}

pub(crate) fn sha256(text: &str) -> String {
    const_hex::encode(Sha256::digest(text.as_bytes()))
}

/// What a node reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) node_id: String,
    pub(crate) network: String,
    pub(crate) version: String,
    pub(crate) action: String,
    pub(crate) status: String,
    pub(crate) error: String,
    pub(crate) developer: String,
}

impl Report {
    fn of(event: &Event) -> Report {
        let json: Value = serde_json::to_value(event).expect("an event");
        let tags = json["tags"].as_array().cloned().unwrap_or_default();
        let value = |name: &str| {
            let mut found = tags.iter().filter(|tag| tag[0] == name);
            let value = found.next().and_then(|tag| tag[1].as_str());
            value.unwrap_or_default().to_owned()
        };
        Report {
            node_id: value("node_id"),
            network: value("network"),
            version: value("version"),
            action: value("action"),
            status: value("status"),
            error: value("error"),
            developer: value("p"),
        }
    }

    /// How it went, and what went wrong.
    pub(crate) fn outcome(&self) -> (&str, &str) {
        (&self.status, &self.error)
    }
}
