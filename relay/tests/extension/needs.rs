//! E1, E6: hooks that take their time are called for the events that need it, seen by a client.

use crate::support::INTERNAL;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{Author, TestRelay, json};

const KIND: u16 = 450;

/// Looks up what an event says, unless that is plain. What is not needed would be refused.
struct Lookup {
    looked_up: AtomicU64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Extension for Lookup {
    const NAME: &'static str = "lookup";
    type Config = Nothing;

    async fn build(_: Nothing, _: Host) -> Result<Self, BuildError> {
        Ok(Lookup {
            looked_up: AtomicU64::new(0),
        })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        let timeout = Duration::from_secs(10);
        hooks
            .admit_async_if(KIND, timeout, Self::needs, Self::look_up)
            .rpc("looked_up", async |me: Arc<Self>, _params| {
                Ok(me.looked_up.load(Relaxed).into())
            });
    }
}

impl Lookup {
    fn needs(&self, event: &Event, viewer: &Viewer) -> bool {
        assert!(event.content() != "panic", "a secret that no log may show");
        event.content() != "plain" && !viewer.is(event.pubkey())
    }

    async fn look_up(self: Arc<Self>, request: AdmitRequest) -> Result<Admit, HookError> {
        self.looked_up.fetch_add(1, Relaxed);
        match &*request.event.content() {
            "good" | "panic" => Ok(Admit::Accept),
            "failing" => Err("the database is away".into()),
            _ => Ok(Reason::restricted("nobody knows this").into()),
        }
    }
}

/// So many seconds old.
fn event(author: &Author, content: &str, age_s: u64) -> Event {
    let draft = author.draft(KIND).content(content);
    draft.ago(Duration::from_secs(age_s)).sign()
}

async fn looked_up(relay: &TestRelay, admin: &Author) -> u64 {
    let count = relay.manage(admin, "looked_up", json!([])).await.unwrap();
    count.as_u64().unwrap()
}

async fn start(admin: &Author) -> TestRelay {
    let config = format!(
        "[information]\npubkey = '{}'\n[network]\nrelay_url = 'ws://localhost'",
        admin.pubkey()
    );
    TestRelay::of::<Lookup>().config(&config).start().await
}

#[tokio::test]
async fn e1_admit_async_if_is_called_only_where_it_is_needed() {
    let (admin, author) = (Author::new(9), Author::new(1));
    let relay = start(&admin).await;
    let mut client = relay.connect().await;
    client.store(&event(&author, "plain", 0)).await;
    assert_eq!(looked_up(&relay, &admin).await, 0);
    client.store(&event(&author, "good", 0)).await;
    let refused = client.publish(&event(&author, "bad", 0)).await;
    refused.assert_refused("restricted: nobody knows this");
    assert_eq!(looked_up(&relay, &admin).await, 2);

    // What is needed is asked of the event and of who brings it.
    let mut own = relay.connect_as(&author).await;
    own.store(&event(&author, "bad, but my own", 0)).await;
    assert_eq!(looked_up(&relay, &admin).await, 2);
    relay.stop().await;
}

#[tokio::test]
async fn e6_where_nobody_can_say_what_is_needed_the_hook_is_called() {
    let (admin, author) = (Author::new(9), Author::new(1));
    let relay = start(&admin).await;
    let mut client = relay.connect().await;
    client.store(&event(&author, "panic", 0)).await;
    assert_eq!(looked_up(&relay, &admin).await, 1);
    assert!(relay.status(Lookup::NAME).faults > 0);
    relay.stop().await;
}

/// Otherwise every event that needs no lookup would say that the hook is well.
#[tokio::test]
async fn e6_events_that_need_no_hook_do_not_keep_its_breaker_shut() {
    let (admin, author) = (Author::new(9), Author::new(1));
    let relay = start(&admin).await;
    let mut client = relay.connect().await;
    for round in 0..5 {
        client.store(&event(&author, "plain", round)).await;
        let failing = event(&author, "failing", round);
        let verdict = client.publish(&failing).await;
        verdict.assert_refused(INTERNAL);
    }
    assert_eq!(relay.status(Lookup::NAME).skipped, ["admit_async"]);
    relay.stop().await;
}
