//! E7: what an extension that is switched on keeps back is kept back by queries that are under way, too.

use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{Author, Client, Reply, TestRelay, json};

const ROOM: u16 = 445;
const NOTE: u16 = 1;
/// Together more than the relay and the system keep for a client that does not read.
const MESSAGES: u64 = 500;
const CONTENT_BYTES: usize = 50_000;

/// Lets messages out through filters that name their room alone, or refuses other filters.
struct Named {
    refuses: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    refuses: bool,
}

impl Extension for Named {
    const NAME: &'static str = "named";
    type Config = Config;

    async fn build(Config { refuses }: Config, _host: Host) -> Result<Self, BuildError> {
        Ok(Named { refuses })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.request(ROOM, |me, _viewer, _verb, filter| {
            if filter.filter().tags.contains_key(&b'h') {
                return Ok(Access::Allow);
            }
            if me.refuses {
                return Ok(Reason::restricted("name a room").into());
            }
            filter.retain_events(&ROOM.into(), |_| false);
            Ok(Access::Allow)
        });
    }
}

/// A relay with many messages and, older than all of them, a note; and a client that has asked for everything and reads
/// nothing yet.
async fn under_way() -> (TestRelay, Client, Event) {
    let off = "[extensions.named]\nenabled = false\nrefuses = false";
    let relay = TestRelay::of::<Named>().config(off).start().await;
    let author = Author::new(1);
    let mut writer = relay.connect().await;
    let now_s = author.note("now").created_at();
    let note = author.draft(NOTE).at(now_s - MESSAGES - 1).sign();
    writer.store(&note).await;
    let content = "x".repeat(CONTENT_BYTES);
    for age_s in 0..MESSAGES {
        let message = author.draft(ROOM).at(now_s - age_s).content(&content);
        writer.store(&message.sign()).await;
    }
    let mut reader = relay.connect().await;
    reader.send(json!(["REQ", "all", {"limit": 5000}])).await;
    // The first has come, so the query is under way.
    reader
        .wait_for("an event", |reply| {
            matches!(reply, Reply::Event(..)).then_some(())
        })
        .await;
    (relay, reader, note)
}

#[tokio::test]
async fn e7_a_query_that_is_under_way_is_narrowed_by_who_is_switched_on() {
    let (mut relay, mut reader, note) = under_way().await;
    let on = "[extensions.named]\nrefuses = false";
    relay.reconfigure(on).await.unwrap();
    let mut messages = 1;
    loop {
        match reader.next().await {
            Some(Reply::Event(_, event)) if event.kind() == ROOM => messages += 1,
            Some(Reply::Event(_, event)) => assert_eq!(event, note, "the rest goes on"),
            Some(Reply::Eose(_)) => break,
            Some(Reply::Auth(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(messages < MESSAGES, "{messages}");
    relay.stop().await;
}

#[tokio::test]
async fn e7_a_query_that_is_under_way_is_closed_where_who_is_switched_on_refuses_it() {
    let (mut relay, mut reader, _) = under_way().await;
    let on = "[extensions.named]\nrefuses = true";
    relay.reconfigure(on).await.unwrap();
    let closed = reader.wait_for("CLOSED", |reply| match reply {
        Reply::Closed(_, reason) => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(closed.await, "restricted: name a room");
    relay.stop().await;
}
