//! E10: a relay in a test leaves nothing behind. Alone in its process, so that its threads can be counted.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{Author, Reply, TestRelay, until};

struct Busy;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Extension for Busy {
    const NAME: &'static str = "busy";
    type Config = Nothing;

    async fn build(_: Nothing, _: Host) -> Result<Self, BuildError> {
        Ok(Busy)
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.stored(1, StartAt::Now, async |_me, _page| Ok(()));
    }

    async fn start(self: Arc<Self>, _stop: StopToken) -> Result<(), TaskError> {
        std::future::pending().await
    }
}

/// The threads of this process, by name.
fn threads() -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        // One that has just ended is gone.
        if let Ok(name) = std::fs::read_to_string(task.path().join("comm")) {
            *names.entry(name.trim().to_owned()).or_default() += 1;
        }
    }
    names
}

async fn assert_threads_end(before: &BTreeMap<String, usize>) {
    until(&format!("no more threads than {before:?}"), async || {
        let now = threads();
        now.iter()
            .all(|(name, count)| before.get(name) >= Some(count))
    })
    .await;
}

async fn use_one() -> (TestRelay, trellis_relay::testing::Client) {
    let relay = TestRelay::of::<Busy>().start().await;
    let mut client = relay.connect().await;
    client.store(&Author::new(1).note("hello")).await;
    assert!(threads().contains_key("busy"), "{:?}", threads());
    (relay, client)
}

#[tokio::test(flavor = "current_thread")]
async fn e10_dropping_and_stopping_a_relay_ends_its_threads() {
    // What the process keeps: threads that wait for the end of others, the watchdog, the recorder of metrics.
    use_one().await.0.stop().await;
    until("the relay's threads end", async || {
        let now = threads();
        let gone = |name: &str| !now.contains_key(name);
        ["busy", "writer", "reader-0", "reader-1", "test-relay"]
            .into_iter()
            .all(gone)
    })
    .await;
    let before = threads();

    let (relay, mut client) = use_one().await;
    drop(relay);
    assert_threads_end(&before).await;
    client.closed().await;

    let (relay, client) = use_one().await;
    drop(client);
    relay.stop().await;
    assert_threads_end(&before).await;

    // With a commit under way that nobody will let go on.
    let (relay, mut client) = use_one().await;
    let held = relay.faults().hold_commits();
    client.send_event(&Author::new(2).note("held")).await;
    held.until_one_waits().await;
    drop(relay);
    assert_threads_end(&before).await;
    client.closed().await;
    let is_ok = |reply: &Reply| matches!(reply, Reply::Ok(_, verdict) if verdict.is_accepted());
    assert!(!client.unread().any(is_ok), "it was not committed");
}
