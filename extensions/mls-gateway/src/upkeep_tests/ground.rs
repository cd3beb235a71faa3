//! A relay with the gateway, its database, and a second hold of that.

use crate::config::Settings;
use crate::storage::{self, ArchiveQuery, Archived, Storage};
use crate::{Config, MlsGateway};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use trellis_relay::event::Event;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::Store;
use trellis_relay::store::memory::MemoryStore;
use trellis_relay::testing::{Author, Draft, HookHarness, Setup, TestRelay};

/// Who may found groups, and manage the relay.
pub(super) const ADMIN: u64 = 1;
/// An id that nobody guesses.
pub(crate) const GROUP: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A database and what is beside it.
pub(crate) struct Database {
    directory: TempDir,
    pub(crate) storage: Arc<dyn Storage>,
    table: String,
}

impl Database {
    /// With these lines in the gateway's table.
    pub(crate) async fn new(table: &str) -> Self {
        let directory = TempDir::with_prefix("trellis-keep-").unwrap();
        let table = format!(
            "database_url = 'sqlite://{}'\nadmin_pubkeys = ['{}']\n{table}\n",
            directory.path().join("mls.db").display(),
            hex(ADMIN)
        );
        let settings = settings(&table);
        Database {
            storage: storage::open(&settings).await.unwrap(),
            directory,
            table,
        }
    }

    /// A relay over it, with an empty store unless another is set.
    pub(super) fn relay(&self) -> Setup {
        let table = &self.table;
        TestRelay::of::<MlsGateway>().config(&format!(
            "[information]\npubkey = '{}'\n[extensions.mls_gateway]\n{table}",
            hex(ADMIN)
        ))
    }

    /// The hooks alone, over a store.
    pub(super) async fn hooks(&self, store: Arc<MemoryStore>) -> HookHarness {
        let compiled = vec![trellis_relay::extension::Compiled::of::<MlsGateway>()].leak();
        let table = format!("[mls_gateway]\n{}", self.table);
        HookHarness::over(store, compiled, &table).await.unwrap()
    }

    /// Everything in the archive, by position.
    pub(super) async fn archived(&self) -> Vec<Archived> {
        let query = ArchiveQuery {
            max: 10_000,
            ..ArchiveQuery::default()
        };
        self.storage.archived(&query).await.unwrap()
    }

    /// Whether just these events are in the archive.
    pub(super) async fn holds(&self, events: &[&Event]) -> bool {
        let mut found: Vec<_> = self.archived().await.iter().map(|copy| copy.id).collect();
        let mut wanted: Vec<_> = events.iter().map(|event| *event.id()).collect();
        found.sort_unstable();
        wanted.sort_unstable();
        found == wanted
    }

    /// A file beside the database.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Does something to the database behind everybody's back.
    pub(super) async fn sql(&self, statement: &'static str) {
        let options = SqliteConnectOptions::new().filename(self.path("mls.db"));
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        connection.execute(statement).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// What stands in a column of a database.
pub(super) async fn column(file: &Path, query: &'static str) -> Vec<String> {
    let options = SqliteConnectOptions::new().filename(file);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let found = sqlx::query_scalar(query).fetch_all(&mut connection).await;
    connection.close().await.unwrap();
    found.unwrap()
}

/// What a table comes to.
pub(crate) fn settings(table: &str) -> Settings {
    let written: Config = toml::from_str(table).unwrap();
    let settings = written.settle(|_| None, Path::new("/nowhere"));
    settings.unwrap()
}

/// A group message, signed with a key for this once.
pub(super) fn message(relay: &TestRelay, number: u64) -> Event {
    let draft = relay.author(1_000 + number).draft(445).tag(["h", GROUP]);
    draft.content(&format!("sealed {number}")).sign()
}

/// An event for one recipient.
pub(super) fn letter(from: &Author, kind: u16, to: u64, words: &str) -> Draft {
    from.draft(kind).tag(["p", &hex(to)]).content(words)
}

/// The key of someone.
pub(super) fn hex(number: u64) -> String {
    Author::new(number).pubkey().to_hex()
}

/// An empty store that outlives a relay.
pub(super) fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::default())
}

/// A host by itself, over the store of a harness.
pub(crate) async fn host() -> (Host, HookHarness) {
    static HOSTS: Mutex<Option<HashMap<u64, Host>>> = Mutex::new(None);
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

    struct Lender;

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Number {
        number: u64,
    }

    impl Extension for Lender {
        const NAME: &'static str = "lender";
        type Config = Number;

        async fn build(config: Number, host: Host) -> Result<Self, BuildError> {
            let mut hosts = HOSTS.lock().unwrap();
            hosts.get_or_insert_default().insert(config.number, host);
            Ok(Lender)
        }

        fn register(&self, _hooks: &mut Registrar<Self>) {}
    }

    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let compiled = vec![trellis_relay::extension::Compiled::of::<Lender>()].leak();
    let table = format!("[lender]\nnumber = {number}");
    let harness = HookHarness::start(compiled, &table).await.unwrap();
    let host = HOSTS.lock().unwrap().as_mut().unwrap().remove(&number);
    (host.unwrap(), harness)
}
