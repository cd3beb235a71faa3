//! G1 and G3 by a real process: what it remembers of groups over the same directory, what it imports, and `trellis groups`.

#![cfg(feature = "groups")]

use trellis_test_support::{Author, Client, Event, Front, Relay, Setup, json, trellis, wait};

fn setup() -> Setup {
    trellis!().front(Front::Server).config(
        "[extensions.groups]\n[extensions.mls_gateway]\nunmanaged_groups = \"h_capability\"",
    )
}

/// People of the group.
struct People {
    admin: Author,
    member: Author,
    removed: Author,
    left: Author,
}

fn put(by: &Author, user: &Author, roles: &[&str]) -> Event {
    let key = user.pubkey();
    let tag: Vec<&str> = ["p", &key]
        .into_iter()
        .chain(roles.iter().copied())
        .collect();
    by.draft(9000).tag(&["h", "pizza"]).tag(&tag).sign()
}

async fn found_group(relay: &Relay) -> People {
    let people = People {
        admin: Author::new(),
        member: Author::new(),
        removed: Author::new(),
        left: Author::new(),
    };
    let admin = &people.admin;
    let mut client = Client::connect(relay).await;
    client.login(admin).await;
    let draft = |kind: u16| admin.draft(kind).tag(&["h", "pizza"]);
    client.store(&draft(9007).sign()).await;
    let edit = draft(9002)
        .tag(&["name", "Pizza"])
        .tag(&["private"])
        .tag(&["closed"]);
    client.store(&edit.sign()).await;
    client
        .store(&put(admin, &people.member, &["moderator"]))
        .await;
    client.store(&put(admin, &people.removed, &[])).await;
    client
        .store(&draft(9009).tag(&["code", "sesame"]).sign())
        .await;
    let join = people.left.draft(9021).tag(&["h", "pizza"]);
    client.store(&join.tag(&["code", "sesame"]).sign()).await;
    until_members(&mut client, 4).await;
    let remove = draft(9001).tag(&["p", &people.removed.pubkey()]);
    client.store(&remove.sign()).await;
    until_members(&mut client, 3).await;
    client
        .store(&people.left.draft(9022).tag(&["h", "pizza"]).sign())
        .await;
    until_members(&mut client, 2).await;
    people
}

async fn until_members(client: &mut Client, count: usize) {
    wait::until("the list of members", async || {
        let found = client
            .query(json!({"kinds": [39002], "#d": ["pizza"]}))
            .await;
        let tags = found.first().map(|event| event.tags.len());
        (tags == Some(count + 1)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn g3_the_state_follows_from_the_stored_events_over_restarts_and_kill() {
    let relay = setup().start().await;
    let people = found_group(&relay).await;
    let config = relay.setup().config_file().display().to_string();
    let check = async |setup: &Setup| {
        let checked = setup.run(&["groups", "check", "-c", &config]).await;
        let text = checked.assert_success().stdout.clone();
        assert!(
            text.contains("the state of all groups is what follows from their events"),
            "{text}"
        );
    };
    check(relay.setup()).await;
    // Two invites of one code, one that ends at once, and one that is taken back.
    let mut client = Client::connect(&relay).await;
    client.login(&people.admin).await;
    let invite = |words: &str| {
        let draft = people.admin.draft(9009).tag(&["h", "pizza"]);
        draft.tag(&["code", "sesame"]).content(words)
    };
    let (second, third) = (invite("second").sign(), invite("third").sign());
    let soon = (trellis_test_support::now() + 6).to_string();
    let brief = invite("brief").tag(&["expiration", &soon]).sign();
    for event in [&second, &third, &brief] {
        client.store(event).await;
    }
    let delete = people.admin.draft(9005).tag(&["h", "pizza"]);
    client
        .store(&delete.tag(&["e", &second.id.to_hex()]).sign())
        .await;
    let take_back = people.admin.draft(5).tag(&["e", &third.id.to_hex()]);
    client.store(&take_back.sign()).await;
    let invites = json!({"kinds": [9009], "#h": ["pizza"]});
    wait::until("the first invite alone", async || {
        (client.query(invites.clone()).await.len() == 1).then_some(())
    })
    .await;
    check(relay.setup()).await;
    let rebuild = ["groups", "rebuild", "--apply", "-c", &config];
    let running = relay.setup().run(&rebuild).await;
    running.assert_failure(&["the relay is running", "stop it first"]);
    let setup = relay.kill();
    check(&setup).await;
    let rebuilt = setup
        .run(&["groups", "rebuild", "--apply", "-c", &config])
        .await;
    assert!(
        rebuilt
            .assert_success()
            .stdout
            .contains("0 rows were put right")
    );
    let listed = setup.run(&["groups", "list", "-c", &config]).await;
    assert_eq!(
        listed.assert_success().stdout.trim(),
        "pizza\t2\tprivate,closed\tPizza"
    );

    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    let refused = client.ask(&[json!({"#h": ["pizza"]})]).await;
    assert_eq!(
        refused.expect_err("refused"),
        "auth-required: only members read this group; log in"
    );
    client.login(&people.member).await;
    let seen = client
        .query(json!({"kinds": [9000], "#h": ["pizza"]}))
        .await;
    assert_eq!(seen.len(), 4, "two by the admin, two by the relay");
    let join = people.removed.draft(9021).tag(&["h", "pizza"]).sign();
    let refused = client.publish(&join).await;
    assert!(
        refused.message.contains("you were removed from this group"),
        "{refused:?}"
    );
    let unknown = relay.setup().run(&["groups", "chekc", "-c", &config]).await;
    unknown.assert_failure(&["chekc", "groups check"]);
}

#[tokio::test]
async fn g1_messages_of_mls_groups_pass_untouched() {
    let relay = setup().start().await;
    let author = Author::new();
    let mut client = Client::connect(&relay).await;
    client.login(&author).await;
    let mls_group = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let message = author
        .draft(445)
        .tag(&["h", mls_group])
        .content("opaque")
        .sign();
    client.store(&message).await;
    let found = client
        .query(json!({"kinds": [445], "#h": [mls_group]}))
        .await;
    assert_eq!(found.len(), 1);
    let refused = client
        .publish(&author.draft(9007).tag(&["h", mls_group]).sign())
        .await;
    assert!(
        refused
            .message
            .contains("an id of 64 hex digits is somebody's public key"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn g3_what_is_imported_is_judged_but_for_its_age() {
    let relay = setup().start().await;
    let people = found_group(&relay).await;
    let config = relay.setup().config_file().display().to_string();
    let stranger = Author::new();
    let described = stranger.draft(39_000).tag(&["d", "pizza"]);
    let old = people
        .member
        .draft(9)
        .tag(&["h", "pizza"])
        .content("of old");
    let old = old.at(trellis_test_support::now() - 1_000_000).sign();
    let events = [
        described.tag(&["name", "Mine now"]).sign(),
        put(&stranger, &stranger, &["admin"]),
        old.clone(),
    ];
    let lines: String = events.iter().map(|event| event.as_json() + "\n").collect();
    let import = ["import", "-c", &config, "-"];
    let imported = relay.setup().run_with_input(&import, &lines).await;
    let words = imported.text();
    let mut client = Client::connect(&relay).await;
    client.login(&people.member).await;
    let by_stranger = json!({"authors": [stranger.pubkey()]});
    assert_eq!(client.query(by_stranger).await, [], "{words}");
    let found = client.query(json!({"ids": [old.id.to_hex()]})).await;
    assert_eq!(found, [old], "{words}");
}
