//! Programs that decide who may ask for what, and who sees what: a plugin that keeps groups.

use crate::programs::{kill, lines, pids, put, table};
use std::fs;
use trellis_test_support::{Author, Client, Event, Front, Relay, json, trellis, wait};

const GROUPS: &str = include_str!("../../examples/plugins/groups.py");
/// Shows everything for a second, and hangs when it is told to.
const GUARD: &str = include_str!("guard.py");

/// A relay where Alice is in the groups `a` and `b`, and Bob in `b`; with the events that are there.
struct Groups {
    relay: Relay,
    alice: Author,
    bob: Author,
    in_a: Event,
    in_b: Event,
}

async fn groups(more: &str) -> Groups {
    let (alice, bob) = (Author::new(), Author::new());
    let setup = trellis!().front(Front::Server);
    let text =
        "import os\nopen('pids', 'a').write(f'{os.getpid()}\\n')\n\n\nfor line in sys.stdin:";
    put(
        setup.home(),
        "groups.py",
        &GROUPS.replace("for line in sys.stdin:", text),
    );
    let members = json!({"a": [alice.pubkey()], "b": [alice.pubkey(), bob.pubkey()]});
    fs::write(setup.home().join("members.json"), members.to_string()).expect("write");
    let keys = "asks = [\"event\", \"request\", \"viewer\"]\nkinds = [445]";
    let config = table("./groups.py members.json", &format!("{keys}\n{more}"));
    let relay = setup.config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    let in_group = |group| alice.draft(445).tag(&["h", group]).sign();
    let (in_a, in_b) = (in_group("a"), in_group("b"));
    client.store_all(&[in_a.clone(), in_b.clone()]).await;
    Groups {
        relay,
        alice,
        bob,
        in_a,
        in_b,
    }
}

fn sorted(mut events: Vec<Event>) -> Vec<Event> {
    events.sort();
    events
}

#[tokio::test]
async fn e12_a_program_decides_who_may_ask() {
    let groups = groups("").await;
    let mut client = Client::connect(&groups.relay).await;
    let asked = json!({"kinds": [445]});
    let refused = "auth-required: groups are for their members";
    assert_eq!(
        client.ask(std::slice::from_ref(&asked)).await,
        Err(refused.to_owned())
    );
    assert_eq!(
        client.count(std::slice::from_ref(&asked)).await,
        Err(refused.to_owned())
    );
    client.login(&groups.bob).await;
    assert_eq!(client.query(asked).await, [groups.in_b]);
    let tags: [&[&[&str]]; 4] = [
        &[&["h", "c"]],
        &[],
        &[&["h"]],
        // He is in the second alone.
        &[&["h", "a"], &["h", "b"]],
    ];
    for tags in tags {
        let draft = groups.bob.draft(445);
        let event = tags.iter().fold(draft, |draft, tag| draft.tag(tag)).sign();
        let verdict = client.publish(&event).await;
        verdict.assert_refused("restricted:", "not in this group");
    }
    assert_eq!(pids(&groups.relay).len(), 1, "no event ends the program");
}

#[tokio::test]
async fn e12_viewers_see_what_a_program_shows_them_stored_counted_and_live() {
    let groups = groups("").await;
    let (mut alice, mut bob) = (
        Client::connect(&groups.relay).await,
        Client::connect(&groups.relay).await,
    );
    alice.login(&groups.alice).await;
    bob.login(&groups.bob).await;
    let asked = json!({"kinds": [445]});
    let both = sorted(vec![groups.in_a.clone(), groups.in_b.clone()]);
    assert_eq!(sorted(alice.query(asked.clone()).await), both);
    let of_bob = bob.query(asked.clone()).await;
    assert_eq!(of_bob, std::slice::from_ref(&groups.in_b));
    assert_eq!(bob.query(json!({"ids": [groups.in_a.id]})).await, []);
    assert_eq!(
        bob.count(std::slice::from_ref(&asked))
            .await
            .expect("a count")["count"],
        1
    );

    bob.subscribe("live", &[json!({"kinds": [445], "limit": 0})])
        .await;
    bob.stored("live").await.expect("EOSE");
    let hidden = groups.alice.draft(445).tag(&["h", "a"]).content("2").sign();
    let shown = groups.alice.draft(445).tag(&["h", "b"]).content("2").sign();
    alice.store_all(&[hidden, shown.clone()]).await;
    assert_eq!(bob.next_event("live").await, shown);
}

#[tokio::test]
async fn e12_what_a_program_shows_is_asked_anew_before_its_time_is_over() {
    let groups = groups("").await;
    let short = fs::read_to_string(groups.relay.setup().home().join("groups.py")).expect("read");
    drop(groups);
    let short = short.replace("\"ttl\": 60", "\"ttl\": 1");
    let setup = trellis!().front(Front::Server);
    put(setup.home(), "groups.py", &short);
    let (alice, bob) = (Author::new(), Author::new());
    let members = |names: &[String]| json!({ "a": names }).to_string();
    let file = setup.home().join("members.json");
    fs::write(&file, members(&[alice.pubkey()])).expect("write");
    let config = table(
        "./groups.py members.json",
        "asks = [\"viewer\"]\nkinds = [445]",
    );
    let relay = setup.config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    client.login(&bob).await;
    client
        .subscribe("live", &[json!({"kinds": [445], "limit": 0})])
        .await;
    client.stored("live").await.expect("EOSE");
    fs::write(&file, members(&[alice.pubkey(), bob.pubkey()])).expect("write");
    let mut publisher = Client::connect(&relay).await;
    // The subscription is the same; what it shows follows what the program says.
    wait::until("an event that Bob is shown", async || {
        let event = alice
            .draft(445)
            .tag(&["h", "a"])
            .content(&trellis_test_support::author::unique("m"));
        publisher.store(&event.sign()).await;
        client.assert_alive().await;
        client.unread().next().is_some().then_some(())
    })
    .await;
}

#[tokio::test]
async fn e12_a_viewer_that_authenticates_is_asked_about_anew() {
    let alice = Author::new();
    let setup = trellis!().front(Front::Server);
    put(setup.home(), "groups.py", GROUPS);
    let members = json!({"a": [alice.pubkey()]}).to_string();
    fs::write(setup.home().join("members.json"), members).expect("write");
    let config = table(
        "./groups.py members.json",
        "asks = [\"viewer\"]\nkinds = [445]",
    );
    let relay = setup.config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    let asked = json!({"kinds": [1, 445]});
    client.subscribe("live", std::slice::from_ref(&asked)).await;
    client.stored("live").await.expect("EOSE");
    let mut publisher = Client::connect(&relay).await;
    let hidden = alice.draft(445).tag(&["h", "a"]).content("1").sign();
    let note = alice.note("for everybody");
    publisher.store_all(&[hidden.clone(), note.clone()]).await;
    assert_eq!(client.next_event("live").await, note);
    client.login(&alice).await;
    let shown = alice.draft(445).tag(&["h", "a"]).content("2").sign();
    assert_eq!(client.query(json!({"ids": [hidden.id]})).await, [hidden]);
    publisher.store(&shown).await;
    assert_eq!(client.next_event("live").await, shown);
}

#[tokio::test]
async fn e12_viewers_beyond_the_bound_are_refused() {
    let setup = trellis!().front(Front::Server);
    put(setup.home(), "groups.py", GROUPS);
    fs::write(setup.home().join("members.json"), "{}").expect("write");
    let program = table(
        "./groups.py members.json",
        "asks = [\"viewer\"]\nkinds = [445]",
    );
    let config = format!("[extensions.exec]\nmax_viewers = 1\n{program}");
    let relay = setup.config(&config).start().await;
    let (mut first, mut second) = (Client::connect(&relay).await, Client::connect(&relay).await);
    let asked = [json!({"kinds": [445]})];
    assert_eq!(first.ask(&asked).await, Ok(vec![]));
    let refusal = second.ask(&asked).await.expect_err("no room");
    assert!(refusal.starts_with("error: "), "{refusal}");
    assert!(first.ask(&asked).await.is_ok(), "who is known is served");
    drop(first);
    wait::until("the room of who has left", async || {
        second.ask(&asked).await.ok()
    })
    .await;
}

#[tokio::test]
async fn e12_without_its_program_nothing_is_shown_whatever_on_fault_says() {
    let groups = groups("").await;
    let config = fs::read_to_string(groups.relay.setup().config_file()).expect("read");
    put(
        groups.relay.setup().home(),
        "groups.py",
        "#!/bin/sh\nexit 1\n",
    );
    groups
        .relay
        .write_config(&format!("[extensions.exec]\non_fault = \"open\"\n{config}"));
    groups.relay.hang_up();
    for pid in pids(&groups.relay) {
        kill(pid);
    }
    let mut client = Client::connect(&groups.relay).await;
    client.login(&groups.alice).await;
    wait::until("a request that passes", async || {
        let answer = client.ask(&[json!({"kinds": [445]})]).await;
        (answer == Ok(vec![])).then_some(())
    })
    .await;
}

#[tokio::test]
async fn e12_a_program_that_hangs_leaves_alone_what_another_shows() {
    let setup = trellis!().front(Front::Server);
    put(setup.home(), "guard.py", GUARD);
    let program = |name: &str, kind: u16| {
        let keys = "asks = [\"viewer\"]\nanswer_timeout_ms = 60000";
        let keys = format!("{keys}\nkinds = [{kind}]");
        let program = table(&format!("./guard.py {name}"), &keys);
        program.replace("name = \"plugin\"", &format!("name = \"{name}\""))
    };
    let config = format!("{}{}", program("hanging", 446), program("working", 445));
    let relay = setup.config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    let asked = [json!({"kinds": [445, 446]})];
    assert_eq!(client.ask(&asked).await, Ok(vec![]));
    let hanging = relay.setup().home().join("hanging.hang");
    fs::write(&hanging, "").expect("let it hang");
    let times = |name| lines(&relay, name).len();
    let before = times("hanging");
    wait::until_true("the one to hang", || times("hanging") > before).await;
    let before = times("working");
    wait::until_true("the other to be asked again and again", || {
        times("working") > before + 3
    })
    .await;
    fs::remove_file(&hanging).expect("let it go on");
}
