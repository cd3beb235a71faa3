//! E7: what happens in which order when an instance takes the place of another.

use std::sync::{Arc, Mutex, PoisonError};
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{TestRelay, until};

/// What instances did, in order.
static NOTES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn note(what: &str, name: &str) {
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    notes.push(format!("{what} {name}"));
}

fn notes() -> Vec<String> {
    let notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    notes.clone()
}

/// Its task does not end when it is told to.
struct Stubborn {
    name: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    name: String,
}

/// Notes when a task has ended or was cut off.
struct Ended(String);

impl Drop for Ended {
    fn drop(&mut self) {
        note("ended", &self.0);
    }
}

impl Extension for Stubborn {
    const NAME: &'static str = "stubborn";
    type Config = Config;

    async fn build(config: Config, _host: Host) -> Result<Self, BuildError> {
        Ok(Stubborn { name: config.name })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.session(|me, said, _viewer| {
            note(&format!("{said:?}"), &me.name);
            Ok(())
        });
    }

    async fn start(self: Arc<Self>, _stop: StopToken) -> Result<(), TaskError> {
        note("started", &self.name);
        let _ended = Ended(self.name.clone());
        std::future::pending().await
    }
}

/// What the new hooks have not been told of is hidden, so an old instance that takes its time must not keep them waiting.
#[tokio::test]
async fn e7_a_new_instance_works_before_the_old_one_has_ended() {
    let setup = TestRelay::of::<Stubborn>();
    let setup = setup.config("[extensions.stubborn]\nname = 'old'");
    let mut relay = setup.start().await;
    let _client = relay.connect().await;
    until("the old one knows the client", async || {
        let notes = notes();
        notes.contains(&"started old".to_owned()) && notes.contains(&"Connected old".to_owned())
    })
    .await;
    let changed = relay.reconfigure("[extensions.stubborn]\nname = 'new'");
    changed.await.unwrap();
    // It is cut off before, and dropped by its own thread.
    until("the old one has ended", async || {
        notes().contains(&"ended old".to_owned())
    })
    .await;
    let notes = notes();
    let place = |wanted: &str| notes.iter().position(|said| said == wanted);
    let ended = place("ended old");
    assert!(
        place("started new").is_some() && place("started new") < ended,
        "{notes:?}"
    );
    assert!(
        place("Connected new").is_some() && place("Connected new") < ended,
        "{notes:?}"
    );
    relay.stop().await;
}
