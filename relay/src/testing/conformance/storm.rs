//! Random events, requests and calls, as clients may send them. The same in every run.

use super::super::{Author, Client, Reply, TestRelay};
use crate::event::Event;
use crate::extension::ExplainedHook;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Kinds of every class, for hooks that want them all. Not 62: who has vanished can publish nothing more.
const USUAL: [u16; 14] = [
    0, 1, 3, 5, 7, 1_059, 9_735, 10_002, 20_001, 22_242, 27_235, 30_023, 39_000, 65_535,
];
/// Kinds of one hook that are tried.
const KINDS_OF_A_HOOK: usize = 16;
const EVENTS_OF_A_KIND: usize = 5;
const CALLS_OF_A_MOUNT: usize = 12;

const WORDS: [&str; 12] = [
    "",
    "x",
    "hello",
    "{\"a\":[1,2,{\"b\":null}]}",
    "[]",
    "null",
    "\u{1f980} \u{202e}txet",
    "line\nbreak\ttab \"quoted\" \\",
    "npub1notakey",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "-1",
    "18446744073709551616",
];

/// Two people, one of them logged in, and what they do at random.
pub(super) struct Storm<'r> {
    relay: &'r TestRelay,
    random: StdRng,
    authors: [Author; 2],
    stranger: Client,
    member: Client,
    published: Vec<Event>,
}

impl<'r> Storm<'r> {
    pub(super) async fn new(relay: &'r TestRelay, seed: u64) -> Self {
        let authors = [relay.author(9_001), relay.author(9_002)];
        let mut stranger = relay.connect().await;
        let mut member = relay.connect().await;
        // Refused or not: an extension may have its say about who logs in.
        member.auth(&authors[0]).await;
        for client in [&mut stranger, &mut member] {
            let all = json!({"limit": 0});
            // Closed is an answer as well.
            let _ = client.subscribe("all", [all]).await;
        }
        Storm {
            relay,
            random: StdRng::seed_from_u64(seed),
            authors,
            stranger,
            member,
            published: Vec::new(),
        }
    }

    /// Publishes events of these kinds, some of them again, and has some deleted.
    pub(super) async fn publish(&mut self, kinds: &BTreeSet<u16>) {
        for kind in kinds {
            for _ in 0..EVENTS_OF_A_KIND {
                let event = self.event(*kind);
                let client = match self.random.random() {
                    true => &mut self.stranger,
                    false => &mut self.member,
                };
                client.publish(&event).await;
                self.published.push(event);
            }
        }
        for author in self.authors.clone() {
            let own = self.published.iter();
            let own = own.filter(|event| *event.pubkey() == author.pubkey());
            let deletion = author.deletion(own.step_by(4).take(10));
            self.member.publish(&deletion).await;
        }
        self.relay.clock().advance(Duration::from_secs(1));
    }

    /// Asks for these kinds in every way that there is.
    pub(super) async fn ask(&mut self, kinds: &BTreeSet<u16>) {
        let ids: Vec<String> = self.published.iter().map(|it| it.id().to_hex()).collect();
        let authors = self.authors.clone().map(|author| author.pubkey().to_hex());
        let kinds: Vec<u16> = kinds.iter().copied().collect();
        let word = self.word();
        let mut filters = vec![
            json!({}),
            json!({"kinds": kinds}),
            json!({"kinds": kinds, "limit": 0}),
            json!({"kinds": kinds, "limit": 1}),
            json!({"kinds": kinds, "authors": authors}),
            json!({"kinds": kinds, "#h": [word], "#p": [authors[0]]}),
            json!({"kinds": kinds, "since": 1, "until": 2}),
            json!({"ids": &ids[..ids.len().min(100)]}),
        ];
        filters.extend(kinds.iter().map(|kind| json!({"kinds": [kind]})));
        for filter in filters {
            for client in [&mut self.stranger, &mut self.member] {
                // Every answer is right that does not bring a hook to fault.
                let _ = client.query(filter.clone()).await;
                let _ = client.count(filter.clone()).await;
                reconcile(client, filter.clone()).await;
            }
        }
    }

    /// Calls the routes under a mount; gives what was answered with 5xx.
    pub(super) async fn call(&mut self, mount: &str) -> Vec<String> {
        let host = mount
            .strip_prefix("//")
            .map(|host| host.trim_end_matches('/'));
        let prefix = match host {
            Some(_) => "",
            None => mount.trim_end_matches('/'),
        };
        let mut failed = Vec::new();
        for round in 0..CALLS_OF_A_MOUNT {
            let tail = ["", "/", "/x", "/x/y?limit=-1&cursor=%00", "/..%2f"][round % 5];
            let method = ["GET", "POST", "PUT", "DELETE"][round % 4];
            let path = match format!("{prefix}{tail}") {
                path if path.starts_with('/') => path,
                path => format!("/{path}"),
            };
            let mut call = self.relay.request(method, &path);
            if let Some(host) = host {
                call = call.header("Host", host);
            }
            if method != "GET" {
                let word = self.word();
                call = call.header("Content-Type", "application/json").body(word);
            }
            if self.random.random() {
                call = call.nip98(&self.authors[0]);
            }
            let answer = call.await;
            // What is busy or not built says so by itself.
            if matches!(answer.status, 500 | 502) {
                failed.push(format!("{method} {path} answers {}", answer.status));
            }
        }
        failed
    }

    fn event(&mut self, kind: u16) -> Event {
        let author = self.authors[self.random.random_range(0..2)].clone();
        let ago = Duration::from_secs(self.random.random_range(0..50));
        let mut draft = author.draft(kind).ago(ago).content(self.word());
        if self.random.random_ratio(1, 10) {
            draft = draft.content(&"long ".repeat(2_000));
        }
        for _ in 0..self.random.random_range(0..6) {
            let value = match self.random.random_range(0..3) {
                0 => self.word().to_owned(),
                1 => author.pubkey().to_hex(),
                _ => self.an_id(),
            };
            let name = ["h", "d", "e", "p", "t", "a", "k", "relay", "", "expiration"];
            let name = name[self.random.random_range(0..name.len())];
            draft = match self.random.random_range(0..4) {
                0 => draft.tag([name]),
                1 => draft.tag([name, &value, "", "more"]),
                _ => draft.tag([name, &value]),
            };
        }
        draft.sign()
    }

    fn an_id(&mut self) -> String {
        match self.published.len() {
            0 => "0".repeat(64),
            length => {
                let at = self.random.random_range(0..length);
                self.published[at].id().to_hex()
            }
        }
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.random.random_range(0..WORDS.len())]
    }
}

async fn reconcile(client: &mut Client, filter: Value) {
    client
        .send(json!(["NEG-OPEN", "neg", filter, "6100000200"]))
        .await;
    let answered = client.wait_for("an answer to NEG-OPEN", |reply| match reply {
        Reply::Negentropy(_) | Reply::Notice(_) => Some(()),
        _ => None,
    });
    answered.await;
    client.send(json!(["NEG-CLOSE", "neg"])).await;
}

/// Kinds that these hooks are asked about, so many of each.
pub(super) fn kinds_of(hooks: &[ExplainedHook]) -> BTreeSet<u16> {
    let named = hooks.iter().filter_map(|hook| hook.kinds.as_ref());
    let mut kinds: BTreeSet<u16> = named
        .flat_map(|kinds| {
            let usual = USUAL.into_iter().filter(|kind| kinds.contains(*kind));
            let ranges = kinds.ranges().iter();
            let ends = ranges.flat_map(|(from, to)| [*from, *to]);
            usual.chain(ends).take(KINDS_OF_A_HOOK).collect::<Vec<_>>()
        })
        .collect();
    // Who has vanished can publish nothing more.
    kinds.remove(&62);
    kinds
}

/// Some kinds that none of these hooks is asked about.
pub(super) fn other_kinds(hooks: &[ExplainedHook]) -> BTreeSet<u16> {
    let is_wanted = |kind: &u16| {
        let mut kinds = hooks.iter().filter_map(|hook| hook.kinds.as_ref());
        kinds.any(|kinds| kinds.contains(*kind))
    };
    // Kind 5 is the storm's own.
    let usual = USUAL.into_iter().filter(|kind| *kind != 5);
    usual.filter(|kind| !is_wanted(kind)).take(3).collect()
}
