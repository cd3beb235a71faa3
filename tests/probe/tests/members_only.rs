//! The first example of an extension, `members_only`, in a whole relay: from TOML to what clients get.

use trellis_test_support::{Author, Client, Relay, Reply, Setup, Value, json, trellis_probe};

const MESSAGE: &str = "ask ops@example.org to join";

fn table(members: &[&Author]) -> String {
    let members: Vec<String> = members.iter().map(|member| member.pubkey()).collect();
    format!(
        "[extensions.members_only]\nmembers = {members:?}\nprivate = [445, [30000, 30010]]\nmessage = \"{MESSAGE}\"\n"
    )
}

/// A relay, its member, who is logged in, and a stranger.
async fn start(member: &Author, flags: &[&str]) -> (Relay, Client, Client) {
    let mut setup = trellis_probe!().config(&table(&[member]));
    for flag in flags {
        setup = setup.argument(flag);
    }
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    client.login(member).await;
    let stranger = Client::connect(&relay).await;
    (relay, client, stranger)
}

async fn count(client: &mut Client, filter: Value) -> Value {
    client.count(&[filter]).await.expect("a count")["count"].clone()
}

#[tokio::test]
async fn e1_members_publish_and_strangers_are_told_why_not() {
    let member = Author::new();
    let (_relay, mut client, mut stranger) = start(&member, &[]).await;
    let note = member.note("from a member");
    client.store(&note).await;
    let other = Author::new();
    let refused = stranger.publish(&other.note("from nobody")).await;
    assert_eq!(refused.message, format!("auth-required: {MESSAGE}"));
    stranger.login(&other).await;
    let refused = stranger.publish(&other.note("from somebody")).await;
    assert_eq!(refused.message, format!("restricted: {MESSAGE}"));
    assert_eq!(
        stranger.query(json!({"kinds": [1]})).await,
        [note],
        "reading is free"
    );
    // What counts is who sends it, not who wrote it.
    client.store(&other.note("carried by a member")).await;
}

#[tokio::test]
async fn e2_private_kinds_reach_members_alone_by_no_way() {
    let member = Author::new();
    let (_relay, mut client, mut stranger) = start(&member, &[]).await;
    stranger.subscribe("all", &[json!({})]).await;
    stranger
        .subscribe("mixed", &[json!({"kinds": [1, 445]})])
        .await;
    client.subscribe("all", &[json!({})]).await;
    for sub in ["all", "mixed"] {
        assert_eq!(stranger.stored(sub).await, Ok(vec![]));
    }
    assert_eq!(client.stored("all").await, Ok(vec![]));
    let private = member.draft(445).at(1_700_000_001).tag(&["h", "x"]).sign();
    let addressed = member
        .draft(30_000)
        .at(1_700_000_002)
        .tag(&["d", "x"])
        .sign();
    let public = member.draft(1).at(1_700_000_003).sign();
    for event in [&private, &addressed, &public] {
        client.store(event).await;
        assert_eq!(
            client.next_event("all").await,
            *event,
            "members get it live"
        );
    }
    for sub in ["all", "mixed"] {
        assert_eq!(stranger.next_event(sub).await, public, "{sub}: live");
    }
    let ids = json!([private.id, addressed.id, public.id]);
    for filter in [
        json!({}),
        json!({"ids": ids}),
        json!({"authors": [member.pubkey()]}),
        json!({"kinds": [1, 445, 30_000]}),
        json!({"limit": 1}),
    ] {
        assert_eq!(
            stranger.query(filter.clone()).await,
            std::slice::from_ref(&public),
            "{filter}"
        );
    }
    assert_eq!(stranger.query(json!({"#h": ["x"]})).await, []);
    assert_eq!(count(&mut stranger, json!({})).await, 1);
    assert_eq!(count(&mut stranger, json!({"ids": ids})).await, 1);
    assert_eq!(count(&mut client, json!({"ids": ids})).await, 3);
    for asked in [
        json!({"kinds": [445]}),
        json!({"kinds": [445, 30_000], "limit": 0}),
    ] {
        let closed = stranger
            .ask(std::slice::from_ref(&asked))
            .await
            .expect_err("closed");
        assert_eq!(closed, format!("auth-required: {MESSAGE}"));
        assert_eq!(stranger.count(&[asked]).await, Err(closed));
    }
    let private_of_stranger = stranger.unread().any(|reply| match reply {
        Reply::Event(_, event) => event.id != public.id,
        _ => false,
    });
    assert!(!private_of_stranger);
}

#[tokio::test]
async fn e2_private_kinds_are_reconciled_with_members_alone() {
    let member = Author::new();
    let (relay, mut client, mut stranger) = start(&member, &["--watch"]).await;
    let (private, public) = (member.draft(445).sign(), member.note("for all"));
    client.store_all(&[private.clone(), public.clone()]).await;
    // Asks for all ids at once.
    let open = |filter: Value| json!(["NEG-OPEN", "n", filter, "6100000200"]);
    for filter in [json!({}), json!({"kinds": [1, 445]})] {
        for (viewer, sees_private) in [(&mut client, true), (&mut stranger, false)] {
            let (verb, said) = viewer.reconcile(open(filter.clone())).await;
            assert_eq!(verb, "NEG-MSG");
            let answer = said[0].as_str().expect("hex");
            assert!(answer.contains(&public.id.to_hex()));
            assert_eq!(answer.contains(&private.id.to_hex()), sees_private);
        }
    }
    let refused = stranger.reconcile(open(json!({"kinds": [445]}))).await;
    let words = vec![json!(format!("auth-required: {MESSAGE}"))];
    assert_eq!(refused, ("NEG-ERR".to_owned(), words));
    // Who is no member any more is told nothing further.
    relay.write_config(&table(&[&Author::new()]));
    let (verb, said) = client.reconciled(&json!("n")).await;
    assert_eq!(verb, "NEG-ERR");
    assert!(
        said[0]
            .as_str()
            .is_some_and(|words| words.starts_with("closed:"))
    );
}

#[tokio::test]
async fn e2_a_member_who_authenticates_gets_live_events_on_open_subscriptions() {
    let member = Author::new();
    let (_relay, mut client, mut late) = start(&member, &[]).await;
    late.subscribe("s", &[json!({"kinds": [1, 445], "limit": 0})])
        .await;
    assert_eq!(late.stored("s").await, Ok(vec![]));
    client
        .store(&member.draft(445).content("too early").sign())
        .await;
    late.assert_alive().await;
    late.login(&member).await;
    let event = member.draft(445).content("in time").sign();
    client.store(&event).await;
    assert_eq!(late.next_event("s").await, event);
}

#[tokio::test]
async fn e7_members_come_and_go_with_the_table_and_clients_stay() {
    let (member, joins) = (Author::new(), Author::new());
    let (relay, mut client, mut newcomer) = start(&member, &["--watch"]).await;
    newcomer.login(&joins).await;
    newcomer
        .subscribe("s", &[json!({"kinds": [1, 445], "limit": 0})])
        .await;
    assert_eq!(newcomer.stored("s").await, Ok(vec![]));
    newcomer
        .publish(&joins.note("too early"))
        .await
        .assert_refused("restricted:", MESSAGE);

    let from = relay.log().len();
    relay.write_config(&table(&[&member, &joins]));
    relay
        .wait_for_log(from, "the new configuration is in force")
        .await;
    newcomer.assert_alive().await;
    let event = member.draft(445).content("welcome").sign();
    client.store(&event).await;
    assert_eq!(
        newcomer.next_event("s").await,
        event,
        "the subscription is narrowed no more"
    );
    newcomer.store(&joins.note("thank you")).await;

    let from = relay.log().len();
    relay.write_config(&table(&[&joins]));
    relay
        .wait_for_log(from, "the new configuration is in force")
        .await;
    client
        .publish(&member.note("too late"))
        .await
        .assert_refused("restricted:", MESSAGE);
    let closed = client.ask(&[json!({"kinds": [445]})]).await;
    assert_eq!(closed, Err(format!("restricted: {MESSAGE}")));
}

#[tokio::test]
async fn e7_switching_off_and_on_drops_no_client() {
    let member = Author::new();
    let (relay, mut client, mut stranger) = start(&member, &["--watch"]).await;
    let private = member.draft(445).sign();
    client.store(&private).await;
    stranger
        .subscribe("s", &[json!({"kinds": [1, 445], "limit": 0})])
        .await;
    assert_eq!(stranger.stored("s").await, Ok(vec![]));
    let other = Author::new();
    for (round, off) in ["", "[extensions.members_only]\nenabled = false\n"]
        .iter()
        .enumerate()
    {
        let from = relay.log().len();
        relay.write_config(off);
        relay
            .wait_for_log(from, "the new configuration is in force")
            .await;
        stranger
            .store(&other.note(&format!("while it is off {round}")))
            .await;
        assert_eq!(
            stranger
                .query(json!({"kinds": [445], "limit": 1}))
                .await
                .len(),
            1
        );
        stranger.assert_alive().await;
        let live = member.draft(445).content(&format!("live {round}")).sign();
        client.store(&live).await;
        let got = stranger
            .wait_for("the live event", |reply| match reply {
                Reply::Event(sub, event) if sub == "s" && event.id == live.id => Some(()),
                _ => None,
            })
            .await;
        assert_eq!(got, ());

        let from = relay.log().len();
        relay.write_config(&table(&[&member]));
        relay
            .wait_for_log(from, "the new configuration is in force")
            .await;
        let refused = stranger
            .publish(&other.note(&format!("while it is on {round}")))
            .await;
        refused.assert_refused("auth-required:", MESSAGE);
        stranger
            .ask(&[json!({"kinds": [445]})])
            .await
            .expect_err("closed");
        client
            .store(&member.note(&format!("members go on {round}")))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e7_nothing_leaks_and_nobody_is_refused_wrongly_while_instances_are_replaced() {
    let (member, other) = (Author::new(), Author::new());
    let (relay, mut client, mut stranger) = start(&member, &[]).await;
    stranger.subscribe("all", &[json!({"limit": 0})]).await;
    stranger
        .subscribe("mixed", &[json!({"kinds": [1, 445], "limit": 0})])
        .await;
    for sub in ["all", "mixed"] {
        assert_eq!(stranger.stored(sub).await, Ok(vec![]));
    }
    let events: Vec<_> = (0..900_u64)
        .map(|i| {
            let kind = if i % 3 == 0 { 1 } else { 445 };
            member.draft(kind).at(1_700_000_000 + i).sign()
        })
        .collect();
    let public: Vec<_> = events.iter().filter(|it| it.kind.as_u16() == 1).collect();
    let reloads = async {
        for round in 0..12 {
            // Private kinds stay private and the member a member; everything is built anew all the same.
            let members: [&Author; 2] = [&member, &other];
            let from = relay.log().len();
            relay.write_config(&table(&members[..2 - round % 2]));
            relay.hang_up();
            relay
                .wait_for_log(from, "the new configuration is in force")
                .await;
        }
    };
    let publishing = async {
        for some in events.chunks(50) {
            client.store_all(some).await;
        }
    };
    tokio::join!(reloads, publishing);
    for sub in ["all", "mixed"] {
        for event in &public {
            assert_eq!(stranger.next_event(sub).await, **event, "{sub}");
        }
    }
    stranger.assert_alive().await;
    let more = stranger
        .unread()
        .any(|reply| matches!(reply, Reply::Event(..)));
    assert!(!more, "{:?}", stranger.unread().collect::<Vec<_>>());
    assert_eq!(count(&mut stranger, json!({})).await, public.len());
    assert_eq!(count(&mut client, json!({})).await, events.len());
}

#[tokio::test]
async fn c21_a_sync_tells_other_relays_nothing_that_is_for_members() {
    let member = Author::new();
    let (relay, mut client, _) = start(&member, &[]).await;
    let public = member.note("for everybody");
    let private = member.draft(445).content("for members").sign();
    client.store_all(&[public.clone(), private.clone()]).await;
    let up = async |setup: &Setup, more: &[&str]| {
        let other = trellis_probe!().start().await;
        let (file, url) = (setup.config_file().display().to_string(), other.ws_url());
        let arguments = [&["sync", "-c", &file, &url, "--dir", "up"], more].concat();
        let output = setup.run(&arguments).await;
        let mut reader = Client::connect(&other).await;
        (output, reader.query(json!({})).await)
    };
    let (synced, there) = up(relay.setup(), &[]).await;
    synced.assert_success();
    assert_eq!(there, std::slice::from_ref(&public), "from a running relay");
    let (_, setup) = relay.stop().await;
    let (synced, there) = up(&setup, &[]).await;
    synced.assert_success();
    assert_eq!(there, [public], "from a stopped one");
    let (refused, there) = up(&setup, &["--without-extensions"]).await;
    assert_eq!((refused.code, there), (Some(2), vec![]), "{refused:?}");
}
