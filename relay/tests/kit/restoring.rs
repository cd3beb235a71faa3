//! Events of others that an extension brings back: what is stored, and what is not.

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::extension::Restored;
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{Author, TestRelay};

/// Restores what its operator hands it, and lets nobody publish.
struct Keeper {
    host: Host,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Extension for Keeper {
    const NAME: &'static str = "keeper";
    type Config = Nothing;

    async fn build(_: Nothing, host: Host) -> Result<Self, BuildError> {
        Ok(Keeper { host })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.admit(1, |_me, _event, _viewer| {
            Ok(Reason::blocked("nobody publishes here").into())
        });
        hooks.rpc("restore", async |me, params: Vec<Value>| {
            let events = params
                .iter()
                .map(|event| Arc::new(Event::parse(event.to_string().as_bytes()).unwrap()));
            let restored = me.host.restore(events.collect()).await;
            let restored = restored.map_err(|error| error.to_string())?;
            let words = restored.into_iter().map(|restored| match restored {
                Restored::Refused(reason) => reason.to_string(),
                other => format!("{other:?}"),
            });
            Ok(words.collect::<Vec<_>>().into())
        });
    }
}

fn value(event: &Event) -> Value {
    serde_json::from_slice(event.json()).unwrap()
}

async fn started(operator: &Author) -> TestRelay {
    let table = format!("information.pubkey = '{}'", operator.pubkey());
    TestRelay::of::<Keeper>().config(&table).start().await
}

async fn restore(relay: &TestRelay, operator: &Author, events: &[&Event]) -> Vec<String> {
    let params = events.iter().map(|event| value(event)).collect();
    let said = relay.manage(operator, "restore", params).await;
    serde_json::from_value(said.unwrap()).unwrap()
}

#[tokio::test]
async fn e4_what_others_signed_is_restored_once_and_heard() {
    let operator = Author::new(9);
    let relay = started(&operator).await;
    let mut reader = relay.connect().await;
    let open = reader.subscribe("live", [json!({"kinds": [1]})]).await;
    assert_eq!(open, Ok(vec![]));
    let (alice, bob) = (Author::new(1), Author::new(2));
    let (one, two) = (alice.note("one"), bob.note("two"));
    let said = restore(&relay, &operator, &[&one, &two, &one]).await;
    assert_eq!(said, ["Stored", "Stored", "Known"]);
    let again = restore(&relay, &operator, &[&two]).await;
    assert_eq!(again, ["Known"]);
    let heard = [
        reader.next_event("live").await,
        reader.next_event("live").await,
    ];
    assert_eq!(heard, [one, two]);
    reader.assert_no_event("live").await;
}

#[tokio::test]
async fn e4_nothing_is_restored_that_is_forged_deleted_expired_or_unwanted() {
    let operator = Author::new(9);
    let relay = started(&operator).await;
    let alice = relay.author(1);
    let deleted = alice.note("deleted");
    relay
        .connect()
        .await
        .store(&alice.deletion([&deleted]))
        .await;
    let banned = relay.author(2);
    let key = banned.pubkey().to_hex();
    let ban = relay.manage(&operator, "banpubkey", json!([key])).await;
    assert_eq!(ban, Ok(json!(true)));
    let expired = alice.draft(1).ago(Duration::from_secs(60));
    let expired = expired.expires_in(Duration::from_secs(30)).sign();
    let ephemeral = alice.draft(20_001).sign();
    let forged = alice.draft(1).content("forged").forge();
    let vanish = alice.draft(62).tag(["relay", "ALL_RELAYS"]).sign();
    let good = alice.note("good");
    let events = [
        &deleted,
        &banned.note("banned"),
        &expired,
        &ephemeral,
        &forged,
        &vanish,
        &good,
    ];
    let said = restore(&relay, &operator, &events).await;
    let prefixes: Vec<&str> = said
        .iter()
        .map(|said| said.split(':').next().unwrap_or_default())
        .collect();
    let wanted = [
        "Deleted", "blocked", "invalid", "invalid", "invalid", "invalid", "Stored",
    ];
    assert_eq!(prefixes, wanted, "{said:?}");
    let mut reader = relay.connect().await;
    assert_eq!(reader.query(json!({"kinds": [1]})).await, Ok(vec![good]));
}
