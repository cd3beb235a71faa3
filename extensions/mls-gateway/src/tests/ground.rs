//! A relay with the gateway, people, and events as they write them.

use crate::MlsGateway;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};
use std::path::PathBuf;
use tempfile::TempDir;
use trellis_relay::event::Event;
use trellis_relay::testing::{Author, Client, Draft, TestRelay, Value, json};

/// The one admin that the configuration names.
pub(super) const ADMIN: u64 = 1;
/// An id that nobody guesses.
pub(super) const GROUP: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// Another, of a group without a roster.
pub(super) const OPEN_GROUP: &str =
    "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A relay and its database.
pub(super) struct Ground {
    pub(super) relay: TestRelay,
    directory: TempDir,
}

impl Ground {
    /// With these lines in the gateway's table.
    pub(super) async fn start(table: &str) -> Self {
        let directory = TempDir::with_prefix("trellis-gate-").unwrap();
        let relay = relay_over(&directory, table).await;
        Ground { relay, directory }
    }

    /// Another relay with another store, on the same database.
    pub(super) async fn second(&self, table: &str) -> TestRelay {
        relay_over(&self.directory, table).await
    }

    /// Puts these lines in force instead.
    pub(super) async fn reconfigure(&mut self, table: &str) {
        let config = config(&self.directory, table);
        self.relay.reconfigure(&config).await.unwrap();
    }

    /// Someone by number, who writes by the relay's clock.
    pub(super) fn author(&self, number: u64) -> Author {
        self.relay.author(number)
    }

    /// A client that has logged in as this one.
    pub(super) async fn client(&self, number: u64) -> Client {
        self.relay.connect_as(&self.author(number)).await
    }

    /// Founds a group of the admin and these members.
    pub(super) async fn found(&self, group: &str, members: &[u64]) {
        let mut admin = self.client(ADMIN).await;
        admin
            .store(&self.roster(ADMIN, group, 1, "bootstrap", members))
            .await;
    }

    /// A roster event.
    pub(super) fn roster(
        &self,
        by: u64,
        group: &str,
        seq: u64,
        op: &str,
        members: &[u64],
    ) -> Event {
        self.roster_draft(by, group, seq, op, members).sign()
    }

    pub(super) fn roster_draft(
        &self,
        by: u64,
        group: &str,
        seq: u64,
        op: &str,
        members: &[u64],
    ) -> Draft {
        let draft = self.author(by).draft(450).tag(["h", group]);
        let draft = draft.tag(["seq", &seq.to_string()]).tag(["op", op]);
        members
            .iter()
            .fold(draft, |draft, member| draft.tag(["p", &key(*member)]))
    }

    /// A group message, signed with a key for this once.
    pub(super) fn message(&self, group: &str, words: &str) -> Event {
        let ephemeral = words.bytes().fold(1_000, |sum: u64, byte| {
            sum * 31 % 1_000_003 + u64::from(byte)
        });
        let draft = self.author(ephemeral).draft(445).tag(["h", group]);
        draft.content(words).sign()
    }

    /// An event for one recipient.
    pub(super) fn letter(&self, kind: u16, from: u64, to: u64, words: &str) -> Event {
        self.author(from)
            .draft(kind)
            .tag(["p", &key(to)])
            .content(words)
            .sign()
    }

    /// A KeyPackage; each number makes another one.
    pub(super) fn package(&self, owner: u64, number: u64) -> Event {
        let draft = self
            .author(owner)
            .draft(443)
            .content(&format!("{number:08x}"));
        let now_s = self.author(owner).note("now").created_at();
        draft.at(now_s - 1_000 + number).sign()
    }

    /// The one number that a query of the database gives.
    pub(super) async fn number(&self, query: &'static str) -> Option<i64> {
        let options = SqliteConnectOptions::new().filename(self.file());
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let found = sqlx::query_scalar(query)
            .fetch_optional(&mut connection)
            .await;
        connection.close().await.unwrap();
        found.unwrap()
    }

    /// Does something to the database behind the relay's back.
    pub(super) async fn sql(&self, statement: &'static str) {
        let options = SqliteConnectOptions::new().filename(self.file());
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        connection.execute(statement).await.unwrap();
        connection.close().await.unwrap();
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("mls.db")
    }
}

async fn relay_over(directory: &TempDir, table: &str) -> TestRelay {
    let table = config(directory, table);
    TestRelay::of::<MlsGateway>().config(&table).start().await
}

fn config(directory: &TempDir, table: &str) -> String {
    let file = directory.path().join("mls.db");
    format!(
        "[extensions.mls_gateway]\ndatabase_url = 'sqlite://{}'\nadmin_pubkeys = ['{}']\n{table}\n",
        file.display(),
        key(ADMIN)
    )
}

/// The key of someone, in hex.
pub(super) fn key(number: u64) -> String {
    Author::new(number).pubkey().to_hex()
}

/// A filter for one kind in one group.
pub(super) fn in_group(kind: u16, group: &str) -> Value {
    json!({"kinds": [kind], "#h": [group]})
}

/// The prefix of an answer's words.
pub(super) fn prefix(words: &str) -> &str {
    words.split(':').next().unwrap_or_default()
}
