//! C10: reconciliation (NIP-77), with the `negentropy` crate as the asking side.

use negentropy::{Id, Negentropy, NegentropyStorageVector};
use std::collections::BTreeSet;
use trellis_test_support::http::relay_information;
use trellis_test_support::process::own_memory_bytes;
use trellis_test_support::raw::{RawSocket, TEXT};
use trellis_test_support::reply::assert_reason;
use trellis_test_support::{Author, Client, Event, Relay, Value, json, trellis};
use trellis_test_support::{management, now, wait};

/// What one side has and the other lacks.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    have: BTreeSet<String>,
    need: BTreeSet<String>,
}

async fn start(toml: &str) -> (Relay, Client) {
    let relay = trellis!().config(toml).start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

fn sealed(events: &[Event]) -> NegentropyStorageVector {
    let mut storage = NegentropyStorageVector::new();
    for event in events {
        let id = Id::from_byte_array(*event.id.as_bytes());
        storage
            .insert(event.created_at.as_secs(), id)
            .expect("not sealed yet");
    }
    storage.seal().expect("sealed once");
    storage
}

/// The relay's next word on this id: a message, or why it is over.
async fn next(client: &mut Client, id: &str) -> Result<Vec<u8>, Vec<Value>> {
    match client.reconciled(&json!(id)).await {
        (verb, said) if verb == "NEG-MSG" => {
            Ok(const_hex::decode(said[0].as_str().expect("hex")).expect("hex"))
        }
        (_, said) => Err(said),
    }
}

async fn open(client: &mut Client, id: &str, filter: &Value, message: &[u8]) {
    client
        .send(json!(["NEG-OPEN", id, filter, const_hex::encode(message)]))
        .await;
}

async fn say(client: &mut Client, id: &str, message: &[u8]) {
    client
        .send(json!(["NEG-MSG", id, const_hex::encode(message)]))
        .await;
}

/// Reconciles what we have with what the relay has of a filter.
async fn reconcile(
    client: &mut Client,
    filter: Value,
    ours: &[Event],
) -> Result<Difference, Vec<Value>> {
    let storage = sealed(ours);
    let mut protocol = Negentropy::borrowed(&storage, 8_192).expect("a frame large enough");
    let first = protocol.initiate().expect("the first message");
    open(client, "n", &filter, &first).await;
    let (mut have, mut need) = (Vec::new(), Vec::new());
    loop {
        let answer = next(client, "n").await?;
        let more = protocol.reconcile_with_ids(&answer, &mut have, &mut need);
        match more.expect("an answer of the protocol") {
            Some(message) => say(client, "n", &message).await,
            None => break,
        }
    }
    client.send(json!(["NEG-CLOSE", "n"])).await;
    let hex = |ids: Vec<Id>| ids.iter().map(|id| const_hex::encode(**id)).collect();
    Ok(Difference {
        have: hex(have),
        need: hex(need),
    })
}

fn ids<'e>(events: impl IntoIterator<Item = &'e Event>) -> BTreeSet<String> {
    events.into_iter().map(|event| event.id.to_hex()).collect()
}

/// The first message of a side that has nothing.
fn empty_handed() -> Vec<u8> {
    let storage = sealed(&[]);
    let mut protocol = Negentropy::borrowed(&storage, 0).expect("no frame limit");
    protocol.initiate().expect("the first message")
}

/// What a client without events learns that the relay has.
async fn seen(client: &mut Client, filter: Value) -> BTreeSet<String> {
    let difference = reconcile(client, filter, &[]).await.expect("reconciled");
    assert_eq!(difference.have, BTreeSet::new());
    difference.need
}

/// That NEG-ERR says this.
#[track_caller]
fn assert_words(refusal: &[Value], prefix: &str, words: &str) {
    assert_reason(refusal[0].as_str().expect("words"), prefix, words);
}

/// The words with which an opening is refused.
async fn refused(client: &mut Client, filter: Value) -> String {
    let words = reconcile(client, filter, &[]).await.expect_err("refused");
    words[0].as_str().expect("words").to_owned()
}

#[tokio::test]
async fn c10_negentropy_both_sides_differences_are_exact() {
    let (_relay, mut client) = start("").await;
    let author = Author::new();
    // Three events a second, so that many share theirs.
    let event = |i: u64| {
        author
            .draft(1)
            .at(1_700_000_000 + i / 3)
            .content(&i.to_string())
            .sign()
    };
    let events: Vec<Event> = (0..600).map(event).collect();
    client.store_all(&events[100..]).await;
    let ours = &events[..570];
    let filter = json!({"authors": [author.pubkey()]});
    let difference = reconcile(&mut client, filter.clone(), ours).await;
    assert_eq!(
        difference,
        Ok(Difference {
            have: ids(&events[..100]),
            need: ids(&events[570..]),
        })
    );
    assert_eq!(seen(&mut client, filter.clone()).await, ids(&events[100..]));
    let nothing = json!({"authors": [Author::new().pubkey()]});
    let difference = reconcile(&mut client, nothing.clone(), ours)
        .await
        .expect("reconciled");
    assert_eq!((difference.have.len(), difference.need.len()), (570, 0));
    assert_eq!(seen(&mut client, nothing).await, BTreeSet::new());
    let same = reconcile(&mut client, filter, &events[100..])
        .await
        .expect("reconciled");
    assert_eq!((same.have.len(), same.need.len()), (0, 0));
}

#[tokio::test]
async fn c10_negentropy_keeps_to_the_filter_and_its_limit_and_to_no_other() {
    let (_relay, mut client) = start("[limitation]\nmax_limit = 5").await;
    let author = Author::new();
    let events = author.notes(40);
    client.store_all(&events).await;
    let tagged = author.draft(7).tag(&["t", "x"]).sign();
    client.store(&tagged).await;
    assert_eq!(
        seen(&mut client, json!({"kinds": [1]})).await,
        ids(&events),
        "max_limit is for queries"
    );
    assert_eq!(
        seen(&mut client, json!({"kinds": [1], "limit": 12})).await,
        ids(&events[..12]),
        "the newest"
    );
    assert_eq!(
        seen(&mut client, json!({"#t": ["x"], "limit": 3})).await,
        ids([&tagged])
    );
    assert_eq!(seen(&mut client, json!({"limit": 0})).await, ids([]));
    assert_eq!(seen(&mut client, json!({"kinds": []})).await, ids([]));
}

#[tokio::test]
async fn c10_negentropy_tells_of_no_event_that_a_query_would_not_show() {
    let (_relay, mut client) = start("").await;
    let (recipient, sender) = (Author::new(), Author::new());
    let to_recipient = |kind| {
        let draft = sender.draft(kind);
        draft.tag(&["p", &recipient.pubkey()]).sign()
    };
    let (wrap, note) = (to_recipient(1059), to_recipient(1));
    client.store_all(&[wrap.clone(), note.clone()]).await;
    for filter in [
        json!({}),
        json!({"kinds": [1, 1059]}),
        json!({"#p": [recipient.pubkey()]}),
        json!({"ids": [wrap.id, note.id]}),
        json!({"limit": 1}),
    ] {
        assert_eq!(
            seen(&mut client, filter.clone()).await,
            ids([&note]),
            "{filter}"
        );
    }
    let wraps = json!({"kinds": [1059]});
    let reason = refused(&mut client, wraps.clone()).await;
    assert_reason(&reason, "auth-required:", "recipients");
    client.login(&recipient).await;
    assert_eq!(seen(&mut client, wraps).await, ids([&wrap]));
    assert_eq!(seen(&mut client, json!({})).await, ids([&wrap, &note]));
}

#[tokio::test]
async fn c10_negentropy_leaves_out_what_has_expired() {
    let (_relay, mut client) = start("").await;
    let author = Author::new();
    let soon = (now() + 6).to_string();
    let passing = author.draft(1).tag(&["expiration", &soon]).sign();
    let lasting = author.note("lasting");
    client.store_all(&[passing, lasting.clone()]).await;
    wait::until("the expiration", async || {
        (seen(&mut client, json!({"kinds": [1]})).await == ids([&lasting])).then_some(())
    })
    .await;
}

/// The message that asks for all ids.
const ALL_IDS: [u8; 5] = [0x61, 0, 0, 2, 0];

/// Which of the events an answer tells of, in a list or as the place where one ends.
fn told<'e>(answer: &[u8], events: &'e [Event]) -> Vec<&'e Event> {
    let tells = |event: &&Event| {
        let id = event.id.as_bytes();
        answer.windows(id.len()).any(|window| window == id)
    };
    events.iter().filter(tells).collect()
}

#[tokio::test]
async fn c10_negentropy_tells_of_no_event_that_was_hidden_since_the_opening() {
    let operator = Author::new();
    let toml = format!("[information]\npubkey = \"{}\"", operator.pubkey());
    let (relay, mut client) = start(&toml).await;
    let [vanishing, banned, other] = [Author::new(), Author::new(), Author::new()];
    let soon = (now() + 6).to_string();
    let passing = other.draft(1).tag(&["expiration", &soon]).sign();
    let events = [
        vanishing.note("vanishes"),
        banned.note("banned"),
        other.note("deleted"),
        other.note("banned by id"),
        other.draft(10_002).at(now() - 10).sign(),
        other.note("stays"),
        passing,
    ];
    client.store_all(&events).await;
    let filter = json!({"kinds": [1, 10_002]});
    let mut reader = Client::connect(&relay).await;
    // The first is told of all, the other of nothing yet.
    open(&mut reader, "knows", &filter, &ALL_IDS).await;
    let answer = next(&mut reader, "knows").await.expect("an answer");
    assert_eq!(told(&answer, &events[..6]).len(), 6);
    // Headers alone answer for the first two filters; for the last every event is asked about.
    for (id, filter) in [("n", &filter), ("m", &filter), ("all", &json!({}))] {
        open(&mut reader, id, filter, &[0x61]).await;
        assert_eq!(next(&mut reader, id).await, Ok(vec![0x61]));
    }
    let vanish = vanishing.draft(62).tag(&["relay", "ALL_RELAYS"]).sign();
    client.store(&vanish).await;
    let deletion = other.deletion([["e", &events[2].id.to_hex()]]);
    client.store(&deletion).await;
    management::call(&relay, &operator, "banpubkey", json!([banned.pubkey()])).await;
    management::call(&relay, &operator, "banevent", json!([events[3].id])).await;
    let newer = other.draft(10_002).sign();
    client.store(&newer).await;
    wait::until("all to be hidden", async || {
        let shown = client.query_ids(filter.clone()).await;
        (shown.len() == 2).then_some(())
    })
    .await;
    for id in ["n", "knows", "all"] {
        say(&mut reader, id, &ALL_IDS).await;
        let answer = next(&mut reader, id).await.expect("an answer");
        assert_eq!(told(&answer, &events), [&events[5]], "{id}");
    }
    // Nor by fingerprints: they lead to lists.
    say(&mut reader, "m", &empty_handed()).await;
    let answer = next(&mut reader, "m").await.expect("an answer");
    assert_eq!(told(&answer, &events), [&events[5]]);
    assert_eq!(seen(&mut reader, filter).await, ids([&events[5], &newer]));
}

#[tokio::test]
async fn c10_negentropy_goes_on_while_events_of_the_set_are_replaced() {
    // Answers of a few dozen ids, so that there are many.
    let toml = "[limitation]\nmax_message_length = \"10KiB\"";
    let (relay, mut client) = start(toml).await;
    let author = Author::new();
    let version = |i: usize, created_at| {
        let draft = author.draft(30_000).at(created_at);
        draft.tag(&["d", &i.to_string()]).sign()
    };
    let old: Vec<Event> = (0..600).map(|i| version(i, 1_700_000_000)).collect();
    client.store_all(&old).await;
    let filter = json!({"kinds": [30_000]});
    let storage = sealed(&[]);
    let mut protocol = Negentropy::borrowed(&storage, 4_096).expect("a frame large enough");
    let mut reader = Client::connect(&relay).await;
    let first = protocol.initiate().expect("the first message");
    open(&mut reader, "n", &filter, &first).await;
    let (mut have, mut need) = (Vec::new(), Vec::new());
    let (mut replaced, mut said) = (BTreeSet::new(), first);
    for turn in 0.. {
        let answer = next(&mut reader, "n").await.expect("goes on");
        // An answer repeats bounds that the message has.
        let repeated = told(&said, &old);
        let mut told = told(&answer, &old).into_iter();
        assert!(told.all(|event| !replaced.contains(&event.id) || repeated.contains(&event)));
        let more = protocol.reconcile_with_ids(&answer, &mut have, &mut need);
        let Some(more) = more.expect("an answer of the protocol") else {
            break;
        };
        for i in (turn..old.len()).step_by(40) {
            client.store(&version(i, 1_700_000_001)).await;
            replaced.insert(old[i].id);
        }
        say(&mut reader, "n", &more).await;
        said = more;
    }
    assert!(have.is_empty());
    let found: BTreeSet<String> = need.iter().map(|id| const_hex::encode(**id)).collect();
    let lasting = old.iter().filter(|event| !replaced.contains(&event.id));
    assert!(found.is_superset(&ids(lasting)), "nothing else is missing");
}

#[tokio::test]
async fn c10_negentropy_ends_where_most_of_the_set_is_gone() {
    let toml = "[limitation]\nmax_message_length = \"10KiB\"";
    let (relay, mut client) = start(toml).await;
    let author = Author::new();
    let events = author.notes(1_500);
    client.store_all(&events).await;
    let mut reader = Client::connect(&relay).await;
    open(&mut reader, "n", &json!({"kinds": [1]}), &[0x61]).await;
    assert_eq!(next(&mut reader, "n").await, Ok(vec![0x61]));
    let vanish = author.draft(62).tag(&["relay", "ALL_RELAYS"]).sign();
    client.store(&vanish).await;
    say(&mut reader, "n", &ALL_IDS).await;
    let words = next(&mut reader, "n").await.expect_err("over");
    assert_words(&words, "closed:", "open it again");
}

#[tokio::test]
async fn c10_negentropy_asks_the_access_lists() {
    let (member, other) = (Author::new(), Author::new());
    let toml = format!("[auth.req]\npubkey_whitelist = [\"{}\"]", member.pubkey());
    let (_relay, mut client) = start(&toml).await;
    let all = json!({"kinds": [1]});
    let note = member.note("for members");
    client.store(&note).await;
    assert_reason(
        &refused(&mut client, all.clone()).await,
        "auth-required:",
        "",
    );
    client.login(&other).await;
    assert_reason(&refused(&mut client, all.clone()).await, "restricted:", "");
    client.login(&member).await;
    assert_eq!(seen(&mut client, all).await, ids([&note]));
}

#[tokio::test]
async fn c10_negentropy_ends_when_authentication_changes_what_is_asked_for() {
    let (recipient, banned) = (Author::new(), Author::new());
    let toml = format!("[auth.req]\npubkey_blacklist = [\"{}\"]", banned.pubkey());
    let (_relay, mut client) = start(&toml).await;
    client.login(&recipient).await;
    for (id, filter) in [
        ("same", json!({"kinds": [1]})),
        ("wraps", json!({"kinds": [1059]})),
    ] {
        open(&mut client, id, &filter, &empty_handed()).await;
        next(&mut client, id).await.expect("an answer");
    }
    client.login(&Author::new()).await;
    say(&mut client, "same", &empty_handed()).await;
    next(&mut client, "same").await.expect("goes on");
    say(&mut client, "wraps", &empty_handed()).await;
    let words = next(&mut client, "wraps").await.expect_err("over");
    assert_words(&words, "closed:", "changed");
    client.login(&banned).await;
    say(&mut client, "same", &empty_handed()).await;
    let words = next(&mut client, "same").await.expect_err("over");
    assert_words(&words, "restricted:", "");
}

#[tokio::test]
async fn c10_negentropy_can_be_switched_off() {
    let nips = |information: &Value| information["supported_nips"].as_array().cloned();
    let (relay, _) = start("").await;
    let listed = nips(&relay_information(&relay).await).expect("a list");
    assert!(listed.contains(&json!(77)), "{listed:?}");
    for toml in [
        "[negentropy]\nenabled = false",
        "[limitation]\nmax_message_length = \"8KiB\"",
    ] {
        let (relay, mut client) = start(toml).await;
        let listed = nips(&relay_information(&relay).await).expect("a list");
        assert!(!listed.contains(&json!(77)), "{toml}: {listed:?}");
        assert_reason(&refused(&mut client, json!({})).await, "unsupported:", "");
    }
}

#[tokio::test]
async fn c10_negentropy_refuses_more_items_than_are_allowed_and_says_how_many_are() {
    let toml = "[negentropy]\nmax_items = 10\nmax_items_in_all = 15";
    let (relay, mut client) = start(toml).await;
    let events = Author::new().notes(11);
    client.store_all(&events).await;
    for filter in [json!({"kinds": [1]}), json!({})] {
        let words = reconcile(&mut client, filter, &[])
            .await
            .expect_err("refused");
        assert_words(&words, "blocked:", "10");
        assert_eq!(words.get(1), Some(&json!(10)));
    }
    let ten = json!({"kinds": [1], "limit": 10});
    open(&mut client, "mine", &ten, &empty_handed()).await;
    next(&mut client, "mine").await.expect("an answer");
    let mut other = Client::connect(&relay).await;
    assert_reason(&refused(&mut other, ten.clone()).await, "error:", "later");
    let five = json!({"kinds": [1], "limit": 5});
    assert_eq!(seen(&mut other, five).await, ids(&events[..5]));
    drop(client);
    wait::until("room for the other", async || {
        let difference = reconcile(&mut other, ten.clone(), &[]).await;
        difference
            .ok()
            .filter(|found| found.need == ids(&events[..10]))
    })
    .await;
}

#[tokio::test]
async fn c10_negentropy_bounds_how_many_are_open_and_ids_stand_alone() {
    let (_relay, mut client) = start("[negentropy]\nmax_sessions = 2").await;
    let note = Author::new().note("one");
    client.store(&note).await;
    let filter = json!({"kinds": [1]});
    // A subscription of the same name is something else.
    client.subscribe("a", &[json!({"kinds": [7]})]).await;
    assert_eq!(client.stored("a").await, Ok(vec![]));
    for id in ["a", "b", "a"] {
        open(&mut client, id, &filter, &empty_handed()).await;
        next(&mut client, id).await.expect("an id anew replaces");
    }
    open(&mut client, "c", &filter, &empty_handed()).await;
    let words = next(&mut client, "c").await.expect_err("too many");
    assert_words(&words, "blocked:", "2");
    client.send(json!(["NEG-CLOSE", "b"])).await;
    client.send(json!(["NEG-CLOSE", "never opened"])).await;
    open(&mut client, "c", &filter, &empty_handed()).await;
    next(&mut client, "c").await.expect("one was closed");
    let live = Author::new().draft(7).sign();
    client.store(&live).await;
    assert_eq!(client.next_event("a").await, live);
    assert_eq!(client.unread().count(), 0, "closing is answered by nothing");
}

#[tokio::test]
async fn c10_negentropy_answers_garbage_in_its_own_terms() {
    let (_relay, mut client) = start("").await;
    client.store_all(&Author::new().notes(50)).await;
    let filter = json!({"kinds": [1]});
    let huge_list = "61000002c0808000";
    for (message, prefix) in [
        (json!(""), "invalid:"),
        (json!("6"), "invalid:"),
        (json!("6x"), "invalid:"),
        (json!("0x61"), "invalid:"),
        (json!("\u{36}1 "), "invalid:"),
        (json!(61), "invalid:"),
        (json!(null), "invalid:"),
        (json!("00"), "invalid:"),
        (json!("7f"), "invalid:"),
        (json!("61"), ""),
        (json!("61ff"), "invalid:"),
        (json!("6100"), "invalid:"),
        (json!("610000"), "invalid:"),
        (json!("6180"), "invalid:"),
        (json!("61018000"), "invalid:"),
        (json!("61000000"), ""),
        (json!("61000002"), "invalid:"),
        (json!("6100000200ff"), "invalid:"),
        (json!("61000003"), "invalid:"),
        (json!("6100000200"), ""),
        (json!(huge_list), "invalid:"),
        (json!("6101ff01"), "invalid:"),
    ] {
        client.send(json!(["NEG-OPEN", "g", filter, message])).await;
        match next(&mut client, "g").await {
            Ok(answer) => assert!(prefix.is_empty(), "{message}: answered {answer:?}"),
            Err(words) => assert_words(&words, prefix, ""),
        }
    }
    open(&mut client, "g", &filter, &[0x62, 1, 2, 3]).await;
    assert_eq!(next(&mut client, "g").await, Ok(vec![0x61]), "our version");
    say(&mut client, "g", &empty_handed()).await;
    next(&mut client, "g").await.expect("tried again with it");
    say(&mut client, "g", &[0x61, 0, 0, 9]).await;
    next(&mut client, "g").await.expect_err("malformed");
    say(&mut client, "g", &empty_handed()).await;
    let words = next(&mut client, "g")
        .await
        .expect_err("over after an error");
    assert_words(&words, "closed:", "");
    for filter in [json!({"kinds": "x"}), json!([]), json!({"nope": 1})] {
        open(&mut client, "g", &filter, &empty_handed()).await;
        let words = next(&mut client, "g").await.expect_err("no filter");
        assert_words(&words, "invalid:", "");
    }
    for shape in [
        json!(["NEG-OPEN", "g", {}]),
        json!(["NEG-OPEN", "g", {}, {}, "61"]),
        json!(["NEG-OPEN", "", {}, "61"]),
        json!(["NEG-MSG", "g"]),
        json!(["NEG-CLOSE"]),
        json!(["NEG-CLOSE", 1]),
    ] {
        client.send(shape).await;
        assert_reason(&client.notice().await, "invalid:", "");
    }
    client.assert_alive().await;
}

#[tokio::test]
async fn c10_negentropy_closes_what_stalls() {
    let toml = "[negentropy]\nidle_timeout = \"3s\"\nmax_items_in_all = 30\nmax_items = 30";
    let (relay, mut client) = start(toml).await;
    let events = Author::new().notes(30);
    client.store_all(&events).await;
    let filter = json!({"kinds": [1]});
    open(&mut client, "s", &filter, &empty_handed()).await;
    next(&mut client, "s").await.expect("an answer");
    let words = next(&mut client, "s").await.expect_err("idle");
    assert_words(&words, "closed:", "long");
    let mut other = Client::connect(&relay).await;
    assert_eq!(
        seen(&mut other, filter).await,
        ids(&events),
        "the room is free"
    );
}

#[tokio::test]
async fn c10_negentropy_closes_what_is_kept_alive_for_too_long() {
    let toml = "[negentropy]\nmax_lifetime = \"2s\"";
    let (_relay, mut client) = start(toml).await;
    client.store(&Author::new().note("one")).await;
    open(&mut client, "s", &json!({"kinds": [1]}), &[0x61]).await;
    assert_eq!(next(&mut client, "s").await, Ok(vec![0x61]));
    let words = wait::until("the end of its life", async || {
        say(&mut client, "s", &[0x61]).await;
        next(&mut client, "s").await.err()
    })
    .await;
    assert_words(&words, "closed:", "open for too long");
}

#[tokio::test]
async fn c10_negentropy_one_address_does_not_take_the_room_of_all() {
    let toml = "[network]\nreal_ip_header = \"X-Real-IP\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n[negentropy]\nmax_items = 10\nmax_items_per_ip = 15\nmax_items_in_all = 40";
    let (relay, mut client) = start(toml).await;
    client.store_all(&Author::new().notes(10)).await;
    let from = async |address: &str| {
        let client = Client::connect_with(&relay, &[("X-Real-IP", address)]).await;
        client.expect("a connection")
    };
    let filter = json!({"kinds": [1]});
    for (first, same, other) in [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"),
    ] {
        let mut first = from(first).await;
        open(&mut first, "n", &filter, &[0x61]).await;
        assert_eq!(next(&mut first, "n").await, Ok(vec![0x61]));
        let mut same = from(same).await;
        let words = refused(&mut same, filter.clone()).await;
        assert_reason(&words, "rate-limited:", "your address");
        let five = json!({"kinds": [1], "limit": 5});
        assert_eq!(seen(&mut same, five).await.len(), 5);
        let mut other = from(other).await;
        assert_eq!(seen(&mut other, filter.clone()).await.len(), 10);
        first.send(json!(["NEG-CLOSE", "n"])).await;
        first.assert_alive().await;
        assert_eq!(seen(&mut same, filter.clone()).await.len(), 10);
    }
}

#[tokio::test]
async fn c10_negentropy_survives_a_peer_that_floods_and_does_not_read() {
    let toml = "[network]\nwrite_timeout = \"2s\"\n[negentropy]\nmax_items_in_all = 3000\nmax_items = 3000";
    let (relay, mut client) = start(toml).await;
    client.store_all(&Author::new().notes(3_000)).await;
    let before = own_memory_bytes(relay.pid());
    let mut flood = RawSocket::upgraded(&relay).await;
    // Asks for all ids at once.
    let message = "6100000200";
    let all = json!(["NEG-OPEN", "f", {"kinds": [1]}, message]).to_string();
    let more = json!(["NEG-MSG", "f", message]).to_string();
    assert!(flood.send_frame(true, TEXT, all.as_bytes()).await);
    while flood.send_frame(true, TEXT, more.as_bytes()).await {}
    let grown = own_memory_bytes(relay.pid()).saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
    wait::until("the memory to be given back", async || {
        let found = reconcile(&mut client, json!({"kinds": [1]}), &[]).await;
        found.ok().filter(|found| found.need.len() == 3_000)
    })
    .await;
}
