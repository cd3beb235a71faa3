//! E2: what an extension says has changed of who may see what is looked at again, for what is open as well.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Semaphore;
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{Author, Client, Reply, TestRelay, Value, json, until};

/// For members.
const ROOM: u16 = 445;
/// For members, who are looked up each time.
const SLOW: u16 = 460;
const NOTE: u16 = 1;

/// Whose members come and go by management methods.
struct Roster {
    members: RwLock<HashSet<PublicKey>>,
    host: Host,
    /// Keys of those for whom `request` was asked.
    asked: Mutex<Vec<String>>,
    holds: AtomicBool,
    held: AtomicU64,
    gate: Semaphore,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Extension for Roster {
    const NAME: &'static str = "roster";
    type Config = Nothing;

    async fn build(_: Nothing, host: Host) -> Result<Self, BuildError> {
        Ok(Roster {
            members: RwLock::default(),
            host,
            asked: Mutex::default(),
            holds: AtomicBool::new(false),
            held: AtomicU64::new(0),
            gate: Semaphore::new(0),
        })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks
            .request(ROOM, Self::narrow)
            .request_async(SLOW, Duration::from_secs(30), Self::look_up)
            .deliver([ROOM, SLOW], |me, _event, viewer| Ok(me.has(viewer)))
            .rpc("join", async |me: Arc<Self>, params| {
                me.change(&params, |members, key| members.insert(key))
            })
            .rpc("leave", async |me: Arc<Self>, params| {
                me.change(&params, |members, key| members.remove(&key))
            })
            .rpc("forget", async |me: Arc<Self>, params| {
                let mut members = me.members.write().map_err(|_| "poisoned")?;
                Ok(members.remove(&key(&params)?).into())
            })
            .rpc("let_in", async |me: Arc<Self>, params| {
                let mut members = me.members.write().map_err(|_| "poisoned")?;
                Ok(members.insert(key(&params)?).into())
            })
            .rpc("gain", async |me: Arc<Self>, params| {
                me.host.tell_access(me.news(&params)?.gain());
                Ok(Value::Null)
            })
            .rpc("loss", async |me: Arc<Self>, params| {
                me.host.tell_access(me.news(&params)?);
                Ok(Value::Null)
            })
            .rpc("asked", async |me: Arc<Self>, _params| {
                let mut asked = me.asked.lock().map_err(|_| "poisoned")?;
                Ok(std::mem::take(&mut *asked).into())
            })
            .rpc("hold", async |me: Arc<Self>, _params| {
                me.gate.forget_permits(usize::MAX);
                me.holds.store(true, Relaxed);
                Ok(Value::Null)
            })
            .rpc("held", async |me: Arc<Self>, _params| {
                Ok(me.held.load(Relaxed).into())
            })
            .rpc("release", async |me: Arc<Self>, _params| {
                me.holds.store(false, Relaxed);
                me.gate.add_permits(1_000);
                Ok(Value::Null)
            });
    }
}

impl Roster {
    fn has(&self, viewer: &Viewer) -> bool {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        viewer.pubkeys().iter().any(|key| members.contains(key))
    }

    fn narrow(
        &self,
        viewer: &Viewer,
        _verb: Verb,
        filter: &mut Narrow<'_>,
    ) -> Result<Access, HookError> {
        let keys = viewer.pubkeys().iter().map(|key| key.to_hex());
        self.asked.lock().map_err(|_| "poisoned")?.extend(keys);
        if self.has(viewer) {
            return Ok(Access::Allow);
        }
        if filter.asks_only_for(&ROOM.into()) {
            return Ok(Reason::restricted("for members").into());
        }
        filter.drop_kinds(&ROOM.into());
        Ok(Access::Allow)
    }

    /// What it has found may be old when it says so.
    async fn look_up(self: Arc<Self>, request: AccessRequest) -> Result<Access, HookError> {
        let is_member = self.has(&request.viewer);
        if self.holds.load(Relaxed) {
            self.held.fetch_add(1, Relaxed);
            self.gate.acquire().await?.forget();
        }
        match is_member {
            true => Ok(Access::Allow),
            false => Ok(Reason::restricted("for members").into()),
        }
    }

    fn change(
        &self,
        params: &[Value],
        change: impl Fn(&mut HashSet<PublicKey>, PublicKey) -> bool,
    ) -> Result<Value, String> {
        let key = key(params)?;
        let mut members = self.members.write().map_err(|_| "poisoned")?;
        change(&mut members, key);
        drop(members);
        self.host.access_changed(&[key], &[ROOM, SLOW].into());
        Ok(Value::Null)
    }
}

impl Roster {
    /// About a key and a group.
    fn news(&self, params: &[Value]) -> Result<AccessNews, String> {
        let news = AccessNews::of(&[key(params)?], &[ROOM, SLOW].into());
        Ok(news.tagged(b'h', params[1].as_str().unwrap()))
    }
}

fn key(params: &[Value]) -> Result<PublicKey, String> {
    let key = params[0].as_str().unwrap();
    PublicKey::from_hex(key).map_err(|error| error.to_string())
}

struct Scene {
    relay: TestRelay,
    admin: Author,
    alice: Author,
    bob: Author,
}

impl Scene {
    async fn start() -> Self {
        let admin = Author::new(9);
        let config = format!(
            "[information]\npubkey = '{}'\n[network]\nrelay_url = 'ws://localhost'\n[thread]\nhttp = 2",
            admin.pubkey()
        );
        let relay = TestRelay::of::<Roster>().config(&config).start().await;
        Scene {
            relay,
            admin,
            alice: Author::new(1),
            bob: Author::new(2),
        }
    }

    async fn tell(&self, method: &str, whom: &Author, group: &str) {
        let params = json!([whom.pubkey().to_hex(), group]);
        self.relay
            .manage(&self.admin, method, params)
            .await
            .unwrap();
    }

    async fn say(&self, method: &str, whom: &[&Author]) -> Value {
        let keys = whom.iter().map(|author| author.pubkey().to_hex());
        let params = Value::Array(keys.map(Value::from).collect());
        self.relay
            .manage(&self.admin, method, params)
            .await
            .unwrap()
    }
}

/// Opens a subscription to what comes from now on.
async fn follow(client: &mut Client, sub: &str, kinds: &[u16]) {
    let opened = client.subscribe(sub, [json!({"kinds": kinds, "limit": 0})]);
    assert_eq!(opened.await, Ok(vec![]), "{sub}");
}

async fn closed(client: &mut Client, sub: &str) -> String {
    let closed = client.wait_for("CLOSED", |reply| match reply {
        Reply::Closed(of, reason) if of == sub => Some(reason.clone()),
        _ => None,
    });
    closed.await
}

/// Verb and words of what the relay says of a set; the client has nothing.
async fn about_set(client: &mut Client, id: &str) -> (String, String) {
    let said = client.wait_for("an answer about a set", |reply| match reply {
        Reply::Negentropy(said) if said[1] == id => Some(said.clone()),
        _ => None,
    });
    let said = said.await;
    let text = |at: usize| said[at].as_str().unwrap().to_owned();
    (text(0), text(2))
}

async fn open_set(client: &mut Client, id: &str, kind: u16) {
    let open = json!(["NEG-OPEN", id, {"kinds": [kind]}, "6100000200"]);
    client.send(open).await;
    let (verb, said) = about_set(client, id).await;
    assert_eq!(verb, "NEG-MSG", "{said}");
}

#[tokio::test]
async fn e2_who_is_let_in_or_out_is_asked_about_again_and_nobody_else() {
    let it = Scene::start().await;
    let mut own = Vec::new();
    // More than there are workers.
    for _ in 0..5 {
        let mut client = it.relay.connect_as(&it.alice).await;
        follow(&mut client, "mixed", &[NOTE, ROOM]).await;
        own.push(client);
    }
    let mut other = it.relay.connect_as(&it.bob).await;
    follow(&mut other, "mixed", &[NOTE, ROOM]).await;
    it.say("asked", &[]).await;

    it.say("join", &[&it.alice]).await;
    let mut publisher = it.relay.connect().await;
    let message = it.bob.draft(ROOM).content("welcome").sign();
    publisher.store(&message).await;
    for client in &mut own {
        assert_eq!(client.next_event("mixed").await, message);
        follow(client, "room", &[ROOM]).await;
    }
    other.assert_no_event("mixed").await;
    let asked = it.say("asked", &[]).await;
    let asked: HashSet<&str> = asked
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(asked, HashSet::from([&*it.alice.pubkey().to_hex()]));

    it.say("leave", &[&it.alice]).await;
    publisher
        .store(&it.bob.draft(ROOM).content("she is gone").sign())
        .await;
    let note = it.bob.note("for all");
    publisher.store(&note).await;
    for client in &mut own {
        assert_eq!(closed(client, "room").await, "restricted: for members");
        assert_eq!(client.next_event("mixed").await, note);
        client.assert_no_event("mixed").await;
    }
    it.relay.stop().await;
}

#[tokio::test]
async fn e2_a_set_is_closed_when_what_its_viewer_may_see_of_it_changes() {
    let it = Scene::start().await;
    it.say("join", &[&it.alice]).await;
    it.say("join", &[&it.bob]).await;
    let mut own = it.relay.connect_as(&it.alice).await;
    let mut other = it.relay.connect_as(&it.bob).await;
    own.store(&it.alice.draft(ROOM).sign()).await;
    open_set(&mut own, "room", ROOM).await;
    open_set(&mut own, "notes", NOTE).await;
    open_set(&mut other, "room", ROOM).await;

    it.say("leave", &[&it.alice]).await;
    let (verb, reason) = about_set(&mut own, "room").await;
    assert_eq!(verb, "NEG-ERR");
    assert!(reason.starts_with("restricted: "), "{reason}");
    for (client, id) in [(&mut own, "notes"), (&mut other, "room")] {
        client.send(json!(["NEG-MSG", id, "6100000200"])).await;
        let (verb, said) = about_set(client, id).await;
        assert_eq!(verb, "NEG-MSG", "{id}: {said}");
    }
    it.relay.stop().await;
}

#[tokio::test]
async fn e2_who_gains_loses_nothing_that_is_open() {
    let it = Scene::start().await;
    let mut client = it.relay.connect_as(&it.alice).await;
    // Of both kinds the notes alone, until she has joined.
    client
        .send(json!(["NEG-OPEN", "mixed", {"kinds": [NOTE, ROOM]}, "6100000200"]))
        .await;
    assert_eq!(about_set(&mut client, "mixed").await.0, "NEG-MSG");
    it.tell("join", &it.alice, "g").await;
    let (verb, _) = about_set(&mut client, "mixed").await;
    assert_eq!(verb, "NEG-ERR", "what may be less or more ends a set");

    it.say("forget", &[&it.alice]).await;
    client
        .send(json!(["NEG-OPEN", "mixed", {"kinds": [NOTE, ROOM]}, "6100000200"]))
        .await;
    assert_eq!(about_set(&mut client, "mixed").await.0, "NEG-MSG");
    it.say("asked", &[]).await;
    it.say("let_in", &[&it.alice]).await;
    it.tell("gain", &it.alice, "g").await;
    client.send(json!(["NEG-MSG", "mixed", "6100000200"])).await;
    let (verb, said) = about_set(&mut client, "mixed").await;
    assert_eq!(verb, "NEG-MSG", "{said}");

    let opened = client.subscribe("room", [json!({"kinds": [ROOM], "#h": ["g"]})]);
    assert_eq!(opened.await, Ok(vec![]));
    it.say("forget", &[&it.alice]).await;
    it.say("asked", &[]).await;
    it.tell("gain", &it.alice, "g").await;
    until("it was looked at", async || {
        it.say("asked", &[]).await != json!([])
    })
    .await;
    it.tell("loss", &it.alice, "another").await;
    client.settle().await;
    let is_closed = |reply: &Reply| matches!(reply, Reply::Closed(..));
    assert!(!client.unread().any(is_closed));
    assert_eq!(it.say("asked", &[]).await, json!([]), "of another group");
    it.tell("loss", &it.alice, "g").await;
    assert_eq!(closed(&mut client, "room").await, "restricted: for members");
    it.relay.stop().await;
}

#[tokio::test]
async fn e2_a_look_that_was_begun_before_a_change_does_not_have_the_last_word() {
    let it = Scene::start().await;
    it.say("join", &[&it.alice]).await;
    let mut client = it.relay.connect_as(&it.alice).await;
    it.say("hold", &[]).await;
    client.send(json!(["REQ", "slow", {"kinds": [SLOW]}])).await;
    until("the look is under way", async || {
        it.say("held", &[]).await == json!(1)
    })
    .await;
    // What was found is no longer so, and nothing is open yet.
    it.say("leave", &[&it.alice]).await;
    it.say("release", &[]).await;
    assert_eq!(closed(&mut client, "slow").await, "restricted: for members");

    // The same for a look at what is open: many changes, and the last one counts.
    it.say("join", &[&it.alice]).await;
    follow(&mut client, "slow", &[SLOW]).await;
    it.say("hold", &[]).await;
    for _ in 0..20 {
        it.say("join", &[&it.alice]).await;
    }
    until("the look is under way", async || {
        it.say("held", &[]).await != json!(1)
    })
    .await;
    it.say("leave", &[&it.alice]).await;
    assert_eq!(it.say("held", &[]).await, json!(2), "one look at a time");
    it.say("release", &[]).await;
    assert_eq!(closed(&mut client, "slow").await, "restricted: for members");
    it.relay.stop().await;
}
