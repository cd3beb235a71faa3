//! A relay with groups, people, and events as they write them.

use crate::Groups;
use std::time::Duration;
use trellis_relay::event::Event;
use trellis_relay::testing::{Author, Client, Draft, TestRelay, Value, json, until};

/// Whoever creates the groups.
pub(super) const ADMIN: u64 = 1;
pub(super) const MEMBER: u64 = 2;
pub(super) const STRANGER: u64 = 3;
/// Of the operator's people, where the table says so.
pub(super) const OPERATOR: u64 = 9;
pub(super) const GROUP: &str = "pizza";

/// A relay.
pub(super) struct Ground {
    pub(super) relay: TestRelay,
}

impl Ground {
    /// With these lines in the table.
    pub(super) async fn start(table: &str) -> Self {
        let table = format!("[extensions.groups]\n{table}");
        let relay = TestRelay::of::<Groups>().config(&table).start().await;
        Ground { relay }
    }

    /// With a group that has these tags in its metadata and these members.
    pub(super) async fn with_group<const N: usize>(
        table: &str,
        flags: [&str; N],
        members: &[u64],
    ) -> Self {
        let ground = Ground::start(table).await;
        ground.found(GROUP, flags, members).await;
        ground
    }

    pub(super) async fn found<const N: usize>(
        &self,
        group: &str,
        flags: [&str; N],
        members: &[u64],
    ) {
        let mut client = self.relay.connect_as(&self.author(ADMIN)).await;
        client.store(&self.create(ADMIN, group)).await;
        let name = self.draft(ADMIN, 9002, group).tag(["name", group]);
        let edit = flags
            .into_iter()
            .fold(name, |draft, flag| draft.tag([flag]));
        client.store(&edit.sign()).await;
        for member in members {
            client.store(&self.put(group, *member, [])).await;
        }
        self.until_members(group, members.len() + 1).await;
    }

    /// Waits until the relay's list of members has so many.
    pub(super) async fn until_members(&self, group: &str, count: usize) {
        let mut admin = self.relay.connect_as(&self.author(ADMIN)).await;
        until("the list of members", async || {
            self.tick();
            let found = admin.query(json!({"kinds": [39002], "#d": [group]})).await;
            let found = found.unwrap_or_default();
            found.first().map(|event| event.tag_values(b'p').count()) == Some(count)
        })
        .await;
    }

    /// Waits until the newest event of a kind that the relay has said of a group passes a test.
    pub(super) async fn until_said(&self, kind: u16, group: &str, test: impl Fn(&Event) -> bool) {
        let mut admin = self.relay.connect_as(&self.author(ADMIN)).await;
        until("what the relay says", async || {
            self.tick();
            let found = admin.query(json!({"kinds": [kind], "#d": [group]})).await;
            found.unwrap_or_default().first().is_some_and(&test)
        })
        .await;
    }

    /// Lets time go on: the relay says one thing of a kind in a second.
    pub(super) fn tick(&self) {
        self.relay.clock().advance(Duration::from_millis(200));
    }

    pub(super) fn author(&self, number: u64) -> Author {
        self.relay.author(number)
    }

    pub(super) async fn client(&self, number: u64) -> Client {
        self.relay.connect_as(&self.author(number)).await
    }

    pub(super) fn draft(&self, by: u64, kind: u16, group: &str) -> Draft {
        self.author(by).draft(kind).tag(["h", group])
    }

    pub(super) fn create(&self, by: u64, group: &str) -> Event {
        self.draft(by, 9007, group).sign()
    }

    pub(super) fn put<const N: usize>(&self, group: &str, user: u64, roles: [&str; N]) -> Event {
        put(self.draft(ADMIN, 9000, group), user, roles)
    }

    pub(super) fn remove(&self, by: u64, group: &str, user: u64) -> Event {
        self.draft(by, 9001, group).tag(["p", &key(user)]).sign()
    }

    pub(super) fn message(&self, by: u64, group: &str, words: &str) -> Event {
        self.draft(by, 9, group).content(words).sign()
    }

    pub(super) fn join(&self, by: u64, group: &str) -> Event {
        self.draft(by, 9021, group).sign()
    }
}

/// Finishes a put-user.
pub(super) fn put<const N: usize>(draft: Draft, user: u64, roles: [&str; N]) -> Event {
    let key = key(user);
    match roles.len() {
        0 => draft.tag(["p", &key]),
        1 => draft.tag(["p", &key, roles[0]]),
        _ => draft.tag(["p", &key, roles[0], roles[1]]),
    }
    .sign()
}

/// Somebody's key in hex.
pub(super) fn key(number: u64) -> String {
    Author::new(number).pubkey().to_hex()
}

/// How many events a filter finds, or why none.
pub(super) async fn found(client: &mut Client, filter: Value) -> Result<usize, String> {
    client.query(filter).await.map(|events| events.len())
}
