//! An extension that hands its host out, for tests of what needs no more of a relay.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::TestRelay;

struct Courier;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Whose host it is.
    number: u64,
}

static NEXT: AtomicU64 = AtomicU64::new(0);
static HOSTS: Mutex<Option<HashMap<u64, Host>>> = Mutex::new(None);

impl Extension for Courier {
    const NAME: &'static str = "courier";
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        let mut hosts = HOSTS.lock().unwrap();
        hosts.get_or_insert_default().insert(config.number, host);
        Ok(Courier)
    }

    fn register(&self, _hooks: &mut Registrar<Self>) {}
}

/// The host of a relay with these tables, which must be kept.
pub(crate) async fn host(tables: &str) -> (TestRelay, Host) {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let config = format!("{tables}\n[extensions.courier]\nnumber = {number}");
    let relay = TestRelay::of::<Courier>().config(&config).start().await;
    let host = HOSTS.lock().unwrap().as_ref().unwrap()[&number].clone();
    (relay, host)
}
