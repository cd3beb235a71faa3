//! E2, E6: what comes out through one filter and not through another, by every way out.

use crate::support::until;
use std::sync::Arc;
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{Author, Client, Reply, TestRelay, Value, json};

const KIND: u16 = 445;
const NOTE: u16 = 1;

/// A group's messages are for whoever can name it.
struct Capabilities;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Extension for Capabilities {
    const NAME: &'static str = "capabilities";
    type Config = Nothing;

    async fn build(_: Nothing, _host: Host) -> Result<Self, BuildError> {
        Ok(Capabilities)
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.request(KIND, |_me, _viewer, _verb, filter| {
            let named: Arc<[String]> = match filter.filter().tags.get(&b'h') {
                Some(named) => named.as_slice().into(),
                None => Arc::new([]),
            };
            filter
                .retain_events(&KIND.into(), move |event| {
                    let group = event.first_tag_value("h");
                    group.is_some_and(|group| named.iter().any(|name| *name == group))
                })
                .retain_events(&KIND.into(), |event| {
                    assert!(event.content() != "panic", "a secret that no log may show");
                    true
                });
            Ok(Access::Allow)
        });
    }
}

/// Two notes and, newer than these, two messages of different groups.
struct Scene {
    relay: TestRelay,
    client: Client,
    notes: [Event; 2],
    ours: Event,
    theirs: Event,
}

impl Scene {
    async fn start() -> Self {
        let relay = TestRelay::of::<Capabilities>().start().await;
        let mut client = relay.connect().await;
        let author = Author::new(1);
        let notes = [0, 1].map(|age| author.draft(NOTE).at(1_699_999_000 - age).sign());
        let ours = message(&author, "ours");
        let theirs = message(&author, "theirs");
        for event in notes.iter().chain([&ours, &theirs]) {
            client.store(event).await;
        }
        Scene {
            relay,
            client,
            notes,
            ours,
            theirs,
        }
    }
}

fn message(author: &Author, group: &str) -> Event {
    author.draft(KIND).tag(["h", group]).sign()
}

async fn count(client: &mut Client, filters: &[Value]) -> u64 {
    let mut request = vec![json!("COUNT"), json!("c")];
    request.extend_from_slice(filters);
    client.send(request.into()).await;
    let body = client.wait_for("a count", |reply| match reply {
        Reply::Count(_, body) => Some(body.clone()),
        _ => None,
    });
    body.await["count"].as_u64().unwrap()
}

/// What the relay says to one who has nothing, in hex; or why it does not.
async fn reconcile(client: &mut Client, verb: &str, filter: Option<Value>) -> String {
    let everything = json!("6100000200");
    let mut message = vec![json!(verb), json!("n")];
    message.extend(filter);
    message.push(everything);
    client.send(message.into()).await;
    let said = client.wait_for("an answer about a set", |reply| match reply {
        Reply::Negentropy(said) => Some(said.clone()),
        _ => None,
    });
    let said = said.await;
    assert_eq!(said[0], "NEG-MSG", "{said:?}");
    said[2].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn e2_stored_events_come_out_through_the_filter_whose_test_they_pass() {
    let mut it = Scene::start().await;
    let client = &mut it.client;
    let [first, second] = &it.notes;
    let (ours, theirs) = (it.ours.id().to_hex(), it.theirs.id().to_hex());
    for (filter, found) in [
        (json!({"kinds": [KIND]}), vec![]),
        (json!({"kinds": [KIND], "#h": ["ours"]}), vec![&it.ours]),
        (json!({"#h": ["ours"]}), vec![&it.ours]),
        (json!({"ids": [ours, theirs]}), vec![]),
        (
            json!({"ids": [ours, theirs], "#h": ["theirs"]}),
            vec![&it.theirs],
        ),
        (
            json!({"kinds": [NOTE, KIND], "limit": 2}),
            vec![first, second],
        ),
        (json!({"limit": 1}), vec![first]),
        (json!({"kinds": [NOTE]}), vec![first, second]),
    ] {
        let shown = client.query(filter.clone()).await.unwrap();
        assert_eq!(shown.iter().collect::<Vec<_>>(), found, "{filter}");
    }
    // What one filter keeps back, another may let out.
    let both = [json!({"kinds": [KIND]}), json!({"#h": ["theirs"]})];
    let shown = client.subscribe("both", both).await.unwrap();
    assert_eq!(shown, [it.theirs]);
    it.relay.stop().await;
}

#[tokio::test]
async fn e2_what_fails_a_test_is_not_counted_and_not_reconciled() {
    let mut it = Scene::start().await;
    let client = &mut it.client;
    for (filters, wanted) in [
        (vec![json!({"kinds": [KIND]})], 0),
        (vec![json!({"kinds": [KIND], "#h": ["ours"]})], 1),
        (vec![json!({"ids": [it.ours.id().to_hex()]})], 0),
        (vec![json!({"kinds": [NOTE]})], 2),
        (vec![json!({})], 2),
        (vec![json!({"kinds": [KIND]}), json!({"#h": ["ours"]})], 1),
    ] {
        assert_eq!(count(client, &filters).await, wanted, "{filters:?}");
    }
    let all = reconcile(client, "NEG-OPEN", Some(json!({}))).await;
    for (event, is_told) in [
        (&it.notes[0], true),
        (&it.notes[1], true),
        (&it.ours, false),
        (&it.theirs, false),
    ] {
        assert_eq!(all.contains(&event.id().to_hex()), is_told);
    }
    let own = json!({"kinds": [KIND], "#h": ["ours"]});
    let told = reconcile(client, "NEG-OPEN", Some(own)).await;
    // The filter is narrowed anew before each answer, and is still the same.
    let again = reconcile(client, "NEG-MSG", None).await;
    assert_eq!(told, again);
    assert!(told.contains(&it.ours.id().to_hex()));
    it.relay.stop().await;
}

#[tokio::test]
async fn e2_live_events_come_out_through_the_filter_whose_test_they_pass() {
    let it = Scene::start().await;
    let mut client = it.client;
    for (sub, filters) in [
        (
            "any",
            [
                json!({"kinds": [KIND], "limit": 0}),
                json!({"kinds": [NOTE], "limit": 0}),
            ],
        ),
        (
            "ours",
            [
                json!({"kinds": [KIND], "limit": 0}),
                json!({"#h": ["ours"], "limit": 0}),
            ],
        ),
    ] {
        assert_eq!(client.subscribe(sub, filters).await, Ok(vec![]));
    }
    let author = Author::new(2);
    let mut publisher = it.relay.connect().await;
    let (ours, note) = (message(&author, "ours"), author.note("hello"));
    publisher.store(&ours).await;
    publisher.store(&message(&author, "theirs")).await;
    publisher.store(&note).await;
    assert_eq!(client.next_event("ours").await, ours);
    assert_eq!(client.next_event("any").await, note);
    client.assert_no_event("any").await;
    client.assert_no_event("ours").await;
    it.relay.stop().await;
}

#[tokio::test]
async fn e6_a_test_that_panics_hides_the_event_and_is_its_hooks_fault() {
    let mut it = Scene::start().await;
    let author = Author::new(1);
    let odd = author
        .draft(KIND)
        .tag(["h", "ours"])
        .content("panic")
        .sign();
    it.client.store(&odd).await;
    let before = it.relay.status(Capabilities::NAME).faults;
    let filter = json!({"kinds": [KIND], "#h": ["ours"]});
    assert_eq!(
        it.client.query(filter.clone()).await,
        Ok(vec![it.ours.clone()])
    );
    assert_eq!(it.relay.status(Capabilities::NAME).faults, before + 1);
    let alone = json!({"ids": [odd.id().to_hex()], "#h": ["ours"]});
    let sub = it.client.subscribe("live", [json!({"#h": ["live"]})]).await;
    assert_eq!(sub, Ok(vec![]));
    let live = |n: u64| {
        let draft = author.draft(KIND).tag(["h", "live"]).content("panic");
        draft.at(1_699_990_000 + n).sign()
    };
    for n in 0..5 {
        it.client.store(&live(n)).await;
    }
    until("the breaker is open", async || {
        it.relay.status(Capabilities::NAME).skipped == ["request"]
    })
    .await;
    it.client.assert_no_event("live").await;
    let refused = it.client.query(alone).await;
    assert_eq!(refused, Err(crate::support::INTERNAL.to_owned()));
    it.relay.stop().await;
}
