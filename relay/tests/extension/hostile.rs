//! E6 and E7: what panics outside the hooks, and rows that are too much.

use serde::de::{Deserializer, Error as _};
use std::sync::Mutex;
use trellis_relay::extension::{COMMIT_BYTES_MAX, COMMIT_ROWS_MAX, Compiled, prelude::*};
use trellis_relay::store::StoreError;
use trellis_relay::testing::{HookHarness, until};

use crate::support::event;

/// Panics in the places that its name says, and in its `Drop`.
struct Hostile<const PLACE: usize> {
    config: Config<PLACE>,
    host: Host,
}

const SERVICES: usize = 0;
const CONFIG: usize = 1;
const ROWS: usize = 2;

#[derive(JsonSchema)]
struct Config<const PLACE: usize> {
    /// The rows that each event writes.
    rows: usize,
    /// How long each of them is.
    bytes: usize,
}

impl<'de, const PLACE: usize> Deserialize<'de> for Config<PLACE> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        assert!(PLACE != CONFIG, "a secret of the configuration");
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Keys {
            rows: usize,
            bytes: usize,
        }
        let Keys { rows, bytes } = Keys::deserialize(deserializer)?;
        match rows {
            usize::MAX => Err(D::Error::custom("too many")),
            _ => Ok(Config { rows, bytes }),
        }
    }
}

/// The `rows` of each instance that is gone, and the thread on which it went.
static DROPPED: Mutex<Vec<(usize, Option<String>)>> = Mutex::new(Vec::new());

impl<const PLACE: usize> Drop for Hostile<PLACE> {
    fn drop(&mut self) {
        let thread = std::thread::current().name().map(str::to_owned);
        DROPPED.lock().unwrap().push((self.config.rows, thread));
        panic!("a secret of the instance");
    }
}

impl<const PLACE: usize> Extension for Hostile<PLACE> {
    const NAME: &'static str = ["services", "config", "rows"][PLACE];
    type Config = Config<PLACE>;

    fn services(_: &mut Needs) {
        assert!(PLACE != SERVICES, "a secret of the services");
    }

    async fn build(config: Config<PLACE>, host: Host) -> Result<Self, BuildError> {
        Ok(Hostile { config, host })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.commit(1, |me, _event, tx| {
            for row in 0..me.config.rows {
                tx.put(&row.to_be_bytes(), vec![0; me.config.bytes])?;
            }
            Ok(Commit::Accept)
        });
        hooks.admit_async(
            2,
            std::time::Duration::from_secs(10),
            async |me, _event| match me.host.kv_put(b"k", Some(vec![0; me.config.bytes])).await {
                Ok(()) => Ok(Admit::Accept),
                Err(StoreError::ValueTooLong { .. }) => Ok(Reason::blocked("too long").into()),
                Err(error) => Err(error.into()),
            },
        );
    }
}

const EXTENSIONS: &[Compiled] = &[
    Compiled::of::<Hostile<SERVICES>>(),
    Compiled::of::<Hostile<CONFIG>>(),
    Compiled::of::<Hostile<ROWS>>(),
];

async fn start(table: &str) -> Result<HookHarness, String> {
    let started = HookHarness::start(EXTENSIONS, table).await;
    started.map_err(|error| error.to_string())
}

#[tokio::test]
async fn e7_a_panic_before_the_build_is_an_error_of_its_table() {
    for (name, words) in [
        ("services", "its `services` panicked"),
        ("config", "its Config panicked while it was read"),
    ] {
        let problem = start(&format!("[{name}]\nrows = 1\nbytes = 1")).await;
        let problem = problem.unwrap_err();
        assert!(problem.contains(words), "{problem}");
        assert!(
            problem.contains(&format!("[extensions.{name}]")),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn e3_rows_have_a_bound_for_each_event_and_all_of_them_are_written_or_none() {
    let most = COMMIT_BYTES_MAX / 2 - 8;
    for (rows, bytes, is_stored) in [
        (COMMIT_ROWS_MAX, 0, true),
        (COMMIT_ROWS_MAX + 1, 0, false),
        (2, most, true),
        (2, most + 1, false),
    ] {
        let relay = start(&format!("[rows]\nrows = {rows}\nbytes = {bytes}"))
            .await
            .unwrap();
        let said = relay.core.put(&[event(1, "x")]).remove(0);
        assert_eq!(said == "stored", is_stored, "{rows} of {bytes}: {said}");
        let first = relay.core.row_of("rows", &0_usize.to_be_bytes());
        assert_eq!(first.is_some(), is_stored, "{rows} of {bytes}");
        assert_eq!(relay.status("rows").faults, u64::from(!is_stored));
        relay.host.shutdown().await;
    }
}

#[tokio::test]
async fn e3_a_row_that_is_put_from_outside_has_the_same_bound() {
    for (bytes, said) in [
        (COMMIT_BYTES_MAX, "accept"),
        (COMMIT_BYTES_MAX + 1, "blocked: too long"),
    ] {
        let relay = start(&format!("[rows]\nrows = 1\nbytes = {bytes}"))
            .await
            .unwrap();
        assert_eq!(relay.admit_async(&event(2, "x")).await, said);
        relay.host.shutdown().await;
    }
}

#[tokio::test]
async fn e7_an_instance_is_dropped_elsewhere_than_where_it_was_used_last() {
    const ROWS: usize = 77;
    let table = format!("[rows]\nrows = {ROWS}\nbytes = 1");
    let mut relay = start(&table).await.unwrap();
    let used = relay.hooks();
    relay.apply("[rows]\nenabled = false").await.unwrap();
    // An old table, as a worker may still hold it.
    assert!(used.plan(1).wants_commit());
    drop(used);
    let thread = || {
        let dropped = DROPPED.lock().unwrap();
        let ours = dropped.iter().find(|(rows, _)| *rows == ROWS);
        ours.map(|(_, thread)| thread.clone())
    };
    until("the end of the instance", async || thread().is_some()).await;
    assert_eq!(thread(), Some(Some("rows".to_owned())));
    relay.host.shutdown().await;
}
