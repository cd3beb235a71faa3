//! A fleet to look at: a relay, three developers of whom two decide, and nodes.

use std::sync::atomic::{AtomicU64, Ordering};
use trellis_test_support::wait::until;
use trellis_test_support::{Author, Client, Event, Relay, http, now, trellis};

/// The relay, and who directs it.
pub(crate) struct Fleet {
    pub(crate) relay: Relay,
    pub(crate) developers: Vec<Author>,
    pub(crate) node: Author,
    /// Votes of one second would leave it to their ids which is newer.
    votes: AtomicU64,
}

impl Fleet {
    pub(crate) async fn start() -> Fleet {
        let developers: Vec<Author> = (0..3).map(|_| Author::new()).collect();
        let keys: Vec<String> = developers
            .iter()
            .map(|it| format!("\"{}\"", it.pubkey()))
            .collect();
        let config = format!(
            "[extensions.qube_coordination]\nmax_node_ids_per_pubkey = 1000\n\
             [[extensions.qube_coordination.networks]]\nid = \"hyperqube\"\nquorum = 2\ndevelopers = [{}]\n",
            keys.join(", ")
        );
        Fleet {
            relay: trellis!().config(&config).start().await,
            developers,
            node: Author::new(),
            votes: AtomicU64::new(0),
        }
    }

    /// Where the page is.
    pub(crate) fn page_url(&self) -> String {
        format!("{}/qube", self.relay.http_url())
    }

    /// Waits until the page, asked for anew, has these words: it follows what is stored a moment later.
    pub(crate) async fn until_shown(&self, words: &str) {
        until(&format!("the page says {words:?}"), async || {
            let page = http::get(&self.relay, "/qube", &[]).await;
            page.body.contains(words).then_some(())
        })
        .await;
    }

    /// A developer, by number, wants this version.
    pub(crate) async fn vote(&self, developer: usize, version: &str) {
        let author = &self.developers[developer];
        let hash = "9f".repeat(32);
        let signal = author
            .draft(33_321)
            .at(now() - 600 + self.votes.fetch_add(1, Ordering::Relaxed))
            .content("an upgrade")
            .tag(&["d", "hyperqube"])
            .tag(&["version", version])
            .tag(&["hash", &hash])
            .tag(&["network", "hyperqube"])
            .tag(&["action", "upgrade"])
            .sign();
        let mut client = Client::connect(&self.relay).await;
        client.login(author).await;
        client.store_in_the_end(&signal).await;
    }

    /// What a node reports on the version of a developer; why it failed, where it did.
    pub(crate) fn report(&self, node_id: &str, version: &str, error: Option<&str>) -> Event {
        let developer = self.developers[0].pubkey();
        let address = format!("33321:{developer}:hyperqube");
        let action_at = now().to_string();
        let draft = self
            .node
            .draft(3_333)
            .content("a report")
            .tag(&["a", &address])
            .tag(&["p", &developer])
            .tag(&["version", version])
            .tag(&["network", "hyperqube"])
            .tag(&["action", "upgrade"])
            .tag(&["node_id", node_id])
            .tag(&["action_at", &action_at]);
        match error {
            Some(error) => draft.tag(&["status", "failure"]).tag(&["error", error]),
            None => draft.tag(&["status", "success"]),
        }
        .sign()
    }

    /// Publishes all of them.
    pub(crate) async fn send(&self, reports: &[Event]) {
        let mut client = Client::connect(&self.relay).await;
        for report in reports {
            client.store_in_the_end(report).await;
        }
    }
}
