//! E2: what `request_async` finds for a filter is handed to the `request` that follows for the same one.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{Author, Reply, TestRelay, Value, json, until};

const KIND: u16 = 445;

/// Looks groups up, and shows those that it has found.
struct Handover {
    found: Mutex<Found>,
    host: Host,
}

#[derive(Default)]
struct Found {
    /// Not taken over yet: the session that asks, and the groups.
    waiting: BTreeMap<u64, (u64, Vec<String>)>,
    /// Every look that there was.
    looks: Vec<u64>,
    sessions: HashSet<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Extension for Handover {
    const NAME: &'static str = "handover";
    type Config = Nothing;

    async fn build(_: Nothing, host: Host) -> Result<Self, BuildError> {
        Ok(Handover {
            found: Mutex::default(),
            host,
        })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks
            .request_async(KIND, Duration::from_secs(10), Self::find)
            // A second hook is asked under the same number.
            .request_async(
                KIND,
                Duration::from_secs(10),
                async |me: Arc<Self>, request| match me
                    .found()
                    .waiting
                    .contains_key(&request.request_id)
                {
                    true => Ok(Access::Allow),
                    false => Err("another number".into()),
                },
            )
            .request(KIND, |me, viewer, _verb, filter| {
                let found = me.found().waiting.remove(&filter.request_id());
                let Some((session, groups)) = found else {
                    return Err("nobody has looked".into());
                };
                if session != viewer.session() {
                    return Err("found for somebody else".into());
                }
                filter.retain_tag(b'h', groups);
                Ok(Access::Allow)
            })
            .session(|me, note, viewer| {
                let mut found = me.found();
                match note {
                    SessionNote::Connected => drop(found.sessions.insert(viewer.session())),
                    SessionNote::Closed => drop(found.sessions.remove(&viewer.session())),
                    SessionNote::Authenticated => {}
                }
                Ok(())
            })
            .nip11(|me, document| {
                let found = me.found();
                document.insert("waiting".to_owned(), found.waiting.len().into());
                document.insert("looks".to_owned(), found.looks.clone().into());
                Ok(())
            })
            .rpc("again", async |me: Arc<Self>, params| {
                let key = params[0]
                    .as_str()
                    .and_then(|key| PublicKey::from_hex(key).ok());
                me.host.access_changed(&[key.unwrap()], &KIND.into());
                Ok(true.into())
            });
    }
}

impl Handover {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Groups that begin with a plus sign are known.
    async fn find(self: Arc<Self>, request: AccessRequest) -> Result<Access, HookError> {
        let named = request.filter.tags.get(&b'h').cloned().unwrap_or_default();
        let known = named.into_iter().filter(|group| group.starts_with('+'));
        let groups: Vec<String> = known.collect();
        tokio::task::yield_now().await;
        let mut found = self.found();
        let session = request.viewer.session();
        if !found.sessions.contains(&session) {
            return Err("a session that nobody was told of".into());
        }
        found.looks.push(request.request_id);
        found.waiting.insert(request.request_id, (session, groups));
        Ok(Access::Allow)
    }
}

/// The numbers of so many looks, once what they have found was taken over.
async fn looks(relay: &TestRelay, count: usize) -> Vec<u64> {
    let mut document = Value::Null;
    until("all have looked, and all was taken over", async || {
        document = relay.information().await;
        let looks = document["looks"].as_array().map(Vec::len);
        looks == Some(count) && document["waiting"] == 0
    })
    .await;
    let looks = document["looks"].as_array().unwrap().iter();
    looks.map(|look| look.as_u64().unwrap()).collect()
}

#[tokio::test]
async fn e2_what_was_loaded_for_a_filter_is_known_by_its_number_in_request() {
    let (admin, alice) = (Author::new(9), Author::new(1));
    let config = format!(
        "[information]\npubkey = '{}'\n[network]\nrelay_url = 'ws://localhost'",
        admin.pubkey()
    );
    let relay = TestRelay::of::<Handover>().config(&config).start().await;
    let mut client = relay.connect().await;
    let message = |group| alice.draft(KIND).tag(["h", group]).sign();
    let (known, unknown, other) = (message("+a"), message("b"), message("+c"));
    for event in [&known, &unknown, &other] {
        client.store(event).await;
    }
    let ask = |groups: [&str; 2]| json!({"kinds": [KIND], "#h": groups});
    let filters = [ask(["+a", "b"]), json!({"kinds": [1]}), ask(["b", "+c"])];
    let stored = client.subscribe("s", filters).await.unwrap();
    let ids = |events: &[&Event]| events.iter().map(|it| *it.id()).collect::<HashSet<_>>();
    assert_eq!(
        ids(&stored.iter().collect::<Vec<_>>()),
        ids(&[&known, &other])
    );
    assert_eq!(client.count(ask(["+a", "+c"])).await, Ok(2));
    client
        .send(json!(["NEG-OPEN", "n", ask(["+a", "b"]), "6100000200"]))
        .await;
    let told = client.wait_for("a set", |reply| match reply {
        Reply::Negentropy(said) => Some(said.clone()),
        _ => None,
    });
    let told = told.await[2].as_str().unwrap().to_owned();
    assert!(told.contains(&known.id().to_hex()) && !told.contains(&unknown.id().to_hex()));
    // Two of the REQ, one of the COUNT, and for the set one at its sealing and one at its answer.
    looks(&relay, 5).await;

    // Each look at what is open has numbers of its own.
    client.login(&alice).await;
    let key = alice.pubkey().to_hex();
    relay.manage(&admin, "again", json!([key])).await.unwrap();
    let after = looks(&relay, 9).await;
    let different: HashSet<&u64> = after.iter().collect();
    assert_eq!(different.len(), after.len(), "{after:?}");
    assert_eq!(relay.status(Handover::NAME).faults, 0);
    relay.stop().await;
}
