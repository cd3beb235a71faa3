//! E4: `stored` hooks that are in no hurry.

use crate::support::{HookHarness, event, start_over, until};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trellis_relay::extension::Compiled;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::memory::MemoryStore;

/// Notes pages: of a hook in a hurry, and of one that gathers for longer than any test runs.
struct Pages {
    noted: [Mutex<Vec<Vec<String>>>; 2],
    host: Host,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Extension for Pages {
    const NAME: &'static str = "pages";
    type Config = Nothing;

    async fn build(_: Nothing, host: Host) -> Result<Self, BuildError> {
        Ok(Pages {
            noted: Default::default(),
            host,
        })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks
            .stored(1, StartAt::Beginning, async |me: Arc<Self>, page| {
                me.note(0, &page)
            })
            .gather(Duration::from_secs(3_600))
            .stored(1, StartAt::Beginning, async |me: Arc<Self>, page| {
                me.note(1, &page)
            })
            .rpc("pages_hurried", async |me: Arc<Self>, _| Ok(me.noted(0)))
            .rpc("pages_gathered", async |me: Arc<Self>, _| Ok(me.noted(1)))
            .rpc("catch_up", async |me: Arc<Self>, _| {
                Ok(me.host.catch_up(Duration::from_secs(600)).await.into())
            });
    }
}

impl Pages {
    fn note(&self, hook: usize, page: &[Change]) -> Result<(), HookError> {
        let stored = page.iter().filter_map(|change| match change {
            Change::Stored(stored) => Some(stored.event.content().into_owned()),
            _ => None,
        });
        let mut pages = self.noted[hook].lock().map_err(|_| "poisoned")?;
        pages.push(stored.collect());
        Ok(())
    }

    fn noted(&self, hook: usize) -> Value {
        json!(*self.noted[hook].lock().unwrap())
    }
}

const PAGES: &[Compiled] = &[Compiled::of::<Pages>()];

async fn start(store: Arc<MemoryStore>) -> HookHarness {
    HookHarness::over(store, PAGES, "[pages]").await.unwrap()
}

#[tokio::test]
async fn e4_a_hook_in_no_hurry_gets_at_once_what_gathered() {
    let store = Arc::new(MemoryStore::default());
    let relay = start(store.clone()).await;
    relay.core.put(&[event(1, "a")]);
    let first = json!([["a"]]);
    until("a lone event", async || {
        relay.rpc("pages_gathered").await == first
    })
    .await;
    for content in ["b", "c"] {
        relay.core.put(&[event(1, content)]);
        let last = json!([content]);
        let hurried = async || relay.rpc("pages_hurried").await;
        until("each", async || {
            hurried().await.as_array().and_then(|it| it.last()) == Some(&last)
        })
        .await;
    }
    assert_eq!(relay.rpc("pages_gathered").await, first);

    // It sleeps for a minute, and is not waited for.
    relay.host.shutdown().await;
    let relay = start(store).await;
    let rest = json!([["b", "c"]]);
    until("the rest", async || {
        relay.rpc("pages_gathered").await == rest
    })
    .await;
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e4_a_hook_in_no_hurry_does_not_fall_behind() {
    let store = Arc::new(MemoryStore::default());
    let filled = start_over(store.clone(), "").await;
    let notes: Vec<_> = (0..5_000).map(|it| event(1, &it.to_string())).collect();
    filled.core.put(&notes);
    filled.host.shutdown().await;

    let relay = start(store).await;
    until("all of them", async || {
        let pages = relay.rpc("pages_gathered").await;
        let sizes = pages.as_array().into_iter().flatten();
        let sizes = sizes.filter_map(|page| Some(page.as_array()?.len()));
        sizes.collect::<Vec<_>>() == [4_096, 904]
    })
    .await;
    until("the cursor", async || {
        let cursor = relay.core.row_of("pages@stored", b"1");
        cursor == Some(5_000_u64.to_be_bytes().to_vec())
    })
    .await;
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e4_a_last_page_that_is_full_moves_the_cursor() {
    let store = Arc::new(MemoryStore::default());
    let filled = start_over(store.clone(), "").await;
    let notes: Vec<_> = (0..4_096).map(|it| event(1, &it.to_string())).collect();
    filled.core.put(&notes);
    filled.host.shutdown().await;

    let relay = start(store).await;
    until("the cursor", async || {
        let cursor = relay.core.row_of("pages@stored", b"1");
        cursor == Some(4_096_u64.to_be_bytes().to_vec())
    })
    .await;
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e4_who_cannot_wait_has_a_hook_in_no_hurry_called() {
    let relay = start(Arc::new(MemoryStore::default())).await;
    assert_eq!(relay.rpc("catch_up").await, json!(true), "nothing is there");
    for content in ["a", "b", "c"] {
        // Also one that no hook wants.
        relay.core.put(&[event(1, content), event(7, content)]);
        assert_eq!(relay.rpc("catch_up").await, json!(true));
        let pages = relay.rpc("pages_gathered").await;
        let last = pages.as_array().and_then(|it| it.last());
        assert_eq!(last, Some(&json!([content])), "by now, not in an hour");
    }
    assert_eq!(relay.rpc("catch_up").await, json!(true), "again");
    relay.host.shutdown().await;
}
