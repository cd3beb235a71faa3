//! E6: a health check that is slow.

use crate::support::{HookHarness, until};
use std::sync::{Condvar, Mutex, PoisonError};
use trellis_relay::extension::Compiled;
use trellis_relay::extension::prelude::*;

/// Says what it was to say when it was asked, once it is let go.
struct Patient;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

/// What the next check says, and how many checks may end.
static ORDERS: Mutex<(&str, usize)> = Mutex::new(("", 0));
static CHANGED: Condvar = Condvar::new();

impl Extension for Patient {
    const NAME: &'static str = "patient";
    type Config = Config;

    async fn build(_: Config, _: Host) -> Result<Self, BuildError> {
        Ok(Patient)
    }

    fn register(&self, _hooks: &mut Registrar<Self>) {}

    fn health(&self) -> Health {
        let orders = ORDERS.lock().unwrap_or_else(PoisonError::into_inner);
        let says = orders.0;
        let may_end = CHANGED.wait_while(orders, |orders| orders.1 == 0);
        may_end.unwrap_or_else(PoisonError::into_inner).1 -= 1;
        Health::Degraded(says.to_owned())
    }
}

fn order(says: &'static str, may_end: usize) {
    *ORDERS.lock().unwrap() = (says, may_end);
    CHANGED.notify_all();
}

const PATIENT: &[Compiled] = &[Compiled::of::<Patient>()];

#[tokio::test]
async fn e6_what_a_health_check_says_too_late_is_not_heard_and_its_slowness_is_one_fault() {
    let relay = HookHarness::start(PATIENT, "[patient]").await.unwrap();
    let said = || match relay.status("patient").health {
        Some(Health::Degraded(said)) => said,
        other => panic!("{other:?}"),
    };
    let slow = "its health check does not answer";
    order("how it was", 0);
    assert_eq!(said(), slow);
    assert_eq!(said(), slow);
    // The check ends, and the next one hangs as well.
    order("how it was", 1);
    until("the late check to end", async || {
        ORDERS.lock().unwrap().1 == 0
    })
    .await;
    assert_eq!(said(), slow);
    assert_eq!(relay.status("patient").faults, 1);
    order("how it is", usize::MAX);
    until("an answer in time", async || {
        let said = said();
        assert_ne!(said, "how it was");
        said == "how it is"
    })
    .await;
    assert_eq!(relay.status("patient").faults, 1);
    relay.host.shutdown().await;
}
