//! C1: NIP-01 in full, as a client sees it.

use trellis_test_support::client::{ids, request};
use trellis_test_support::{Author, Client, Event, Relay, Reply, json, now, trellis};

async fn relay() -> (Relay, Client) {
    let relay = trellis!().start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

#[tokio::test]
async fn c1_a_published_event_is_acknowledged_and_read_back() {
    let (relay, mut client) = relay().await;
    let author = Author::new();
    let event = author
        .draft(1)
        .content("tab\t quote\" backslash\\ newline\n ünï 🦀")
        .tag(&["t", "Cats"])
        .tag(&["long", "a", "b", "c", ""])
        .sign();
    let verdict = client.publish(&event).await;
    verdict.assert_accepted();
    let mut other = Client::connect(&relay).await;
    let id = event.id.to_hex();
    for filter in [
        json!({"ids": [id]}),
        json!({"authors": [author.pubkey()]}),
        json!({"kinds": [1]}),
        json!({"authors": [author.pubkey()], "kinds": [1, 2]}),
        json!({"#t": ["Cats"]}),
        json!({"since": now() - 1000, "until": now() + 1000}),
        json!({}),
    ] {
        assert_eq!(
            other.query(filter.clone()).await,
            std::slice::from_ref(&event),
            "{filter}"
        );
    }
}

#[tokio::test]
async fn c1_an_exact_duplicate_is_accepted_as_duplicate() {
    let (_relay, mut client) = relay().await;
    let event = Author::new().note("once");
    client.store(&event).await;
    let again = client.publish(&event).await;
    assert!(again.accepted, "{}", again.message);
    assert!(again.message.starts_with("duplicate:"), "{}", again.message);
    assert_eq!(client.query(json!({"kinds": [1]})).await.len(), 1);
}

#[tokio::test]
async fn c1_live_events_follow_eose_until_close() {
    let (relay, mut publisher) = relay().await;
    let author = Author::new();
    let stored = author.note("stored");
    publisher.store(&stored).await;

    let mut reader = Client::connect(&relay).await;
    reader
        .subscribe("live", &[json!({"authors": [author.pubkey()]})])
        .await;
    assert_eq!(
        reader.next().await,
        Some(Reply::Event("live".into(), Box::new(stored)))
    );
    assert_eq!(reader.next().await, Some(Reply::Eose("live".into())));

    let live = author.note("live");
    publisher.store(&live).await;
    assert_eq!(
        reader.next().await,
        Some(Reply::Event("live".into(), Box::new(live)))
    );

    reader.close("live").await;
    // CLOSE has no answer of its own; an answer to the next request shows that it was read.
    reader.subscribe("fence", &[json!({"#t": ["fence"]})]).await;
    assert_eq!(reader.stored("fence").await, Ok(vec![]));
    publisher.store(&author.note("after close")).await;
    let fence = author.draft(1).tag(&["t", "fence"]).sign();
    publisher.store(&fence).await;
    assert_eq!(
        reader.next().await,
        Some(Reply::Event("fence".into(), Box::new(fence)))
    );
}

#[tokio::test]
async fn c1_a_publisher_gets_own_events_live_and_only_where_the_filter_fits() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    for (sub, filter) in [
        ("kind", json!({"kinds": [7]})),
        ("author", json!({"authors": [author.pubkey()]})),
        ("tag", json!({"#t": ["x", "y"]})),
        ("future", json!({"since": now() + 600})),
        ("past", json!({"until": now() - 600})),
        ("nothing", json!({"kinds": []})),
    ] {
        client.subscribe(sub, &[filter]).await;
        assert_eq!(client.stored(sub).await, Ok(vec![]), "{sub}");
    }
    let one = author.draft(7).tag(&["t", "y"]).sign();
    client.store(&one).await;
    let two = author.note("no tag");
    client.store(&two).await;
    let last = Author::new().draft(7).content("fence").sign();
    client.store(&last).await;
    let mut seen = Vec::new();
    loop {
        let (sub, event) = client
            .wait_for("a live event", |reply| match reply {
                Reply::Event(sub, event) => Some((sub.clone(), event.id)),
                _ => None,
            })
            .await;
        if event == last.id {
            break;
        }
        seen.push((sub, event));
    }
    seen.sort();
    let mut expected = vec![
        ("author".to_owned(), one.id),
        ("kind".to_owned(), one.id),
        ("tag".to_owned(), one.id),
        ("author".to_owned(), two.id),
    ];
    expected.sort();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn c1_a_req_under_a_known_id_replaces_the_subscription() {
    let (relay, mut publisher) = relay().await;
    let mut reader = Client::connect(&relay).await;
    reader.subscribe("s", &[json!({"kinds": [1]})]).await;
    assert_eq!(reader.stored("s").await, Ok(vec![]));
    reader.subscribe("s", &[json!({"kinds": [7]})]).await;
    assert_eq!(reader.stored("s").await, Ok(vec![]));
    let author = Author::new();
    publisher
        .store(&author.note("not asked for any more"))
        .await;
    let wanted = author.draft(7).sign();
    publisher.store(&wanted).await;
    assert_eq!(
        reader.next().await,
        Some(Reply::Event("s".into(), Box::new(wanted)))
    );
}

#[tokio::test]
async fn c1_equal_subscription_ids_of_two_connections_are_two_subscriptions() {
    let (relay, mut one) = relay().await;
    let mut two = Client::connect(&relay).await;
    for client in [&mut one, &mut two] {
        client.subscribe("same", &[json!({"kinds": [1]})]).await;
        assert_eq!(client.stored("same").await, Ok(vec![]));
    }
    one.close("same").await;
    one.assert_alive().await;
    let event = Author::new().note("for two");
    one.store(&event).await;
    assert_eq!(two.next_event("same").await, event);
    assert_eq!(one.unread().count(), 0);
}

#[tokio::test]
async fn c1_results_are_newest_first_and_lowest_id_first_among_equals() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let base = now() - 100;
    let mut events: Vec<Event> = (0..60)
        .map(|i| {
            author
                .draft(1)
                .at(base + i % 6)
                .content(&i.to_string())
                .sign()
        })
        .collect();
    client.store_all(&events).await;
    events.sort_by_key(|event| (std::cmp::Reverse(event.created_at), event.id));
    let expected = ids(&events);
    for filter in [
        json!({"kinds": [1]}),
        json!({"authors": [author.pubkey()]}),
        json!({"authors": [author.pubkey()], "kinds": [1]}),
        json!({"since": base, "until": base + 6}),
        json!({"ids": expected}),
    ] {
        assert_eq!(client.query_ids(filter.clone()).await, expected, "{filter}");
    }
    let newest = client.query_ids(json!({"kinds": [1], "limit": 7})).await;
    assert_eq!(newest, expected[..7]);
}

#[tokio::test]
async fn c1_since_and_until_are_inclusive() {
    let (_relay, mut client) = relay().await;
    let events = Author::new().notes(5);
    client.store_all(&events).await;
    let newest = events[0].created_at.as_secs();
    for (filter, expected) in [
        (json!({"since": newest - 1}), &events[..2]),
        (json!({"until": newest - 3}), &events[3..]),
        (
            json!({"since": newest - 2, "until": newest - 2}),
            &events[2..3],
        ),
        (
            json!({"since": newest - 1, "until": newest - 2}),
            &events[..0],
        ),
        (json!({"since": newest + 1}), &events[..0]),
    ] {
        assert_eq!(client.query(filter.clone()).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn c1_every_condition_of_a_filter_has_to_hold() {
    let (_relay, mut client) = relay().await;
    let (ann, bob) = (Author::new(), Author::new());
    let mut stored = Vec::new();
    for author in [&ann, &bob] {
        for kind in [1, 7] {
            for topic in ["a", "b"] {
                stored.push(
                    author
                        .draft(kind)
                        .tag(&["t", topic])
                        .tag(&["p", &bob.pubkey()])
                        .sign(),
                );
            }
        }
    }
    client.store_all(&stored).await;
    let filter = json!({
        "authors": [ann.pubkey()], "kinds": [7], "#t": ["b", "c"], "#p": [bob.pubkey()]
    });
    assert_eq!(client.query(filter).await, [stored[3].clone()]);
    let filter = json!({"authors": [ann.pubkey()], "#t": ["a"], "#p": [ann.pubkey()]});
    assert_eq!(client.query(filter).await, []);
    for never in [
        json!({"ids": []}),
        json!({"authors": []}),
        json!({"kinds": []}),
        json!({"#t": []}),
    ] {
        assert_eq!(client.query(never.clone()).await, [], "{never}");
    }
    let two = client
        .ask(&[json!({"authors": [ann.pubkey()]}), json!({"kinds": [7]})])
        .await
        .map(|events| events.len());
    assert_eq!(two, Ok(6), "filters are alternatives, events come once");
}

#[tokio::test]
async fn c1_every_single_letter_tag_can_be_asked_for_and_its_case_matters() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let letters: Vec<String> = ('a'..='z').chain('A'..='Z').map(String::from).collect();
    // In hex, since some relays read the values of `e` and `p` as ids.
    let value = |at: usize| format!("{at:064x}");
    let unasked = value(99);
    let events: Vec<Event> = letters
        .iter()
        .enumerate()
        .map(|(at, letter)| author.draft(1).tag(&[letter, &value(at), &unasked]).sign())
        .collect();
    client.store_all(&events).await;
    for (at, (letter, event)) in letters.iter().zip(&events).enumerate() {
        let key = format!("#{letter}");
        let found = client.query(json!({&key: [value(at)]})).await;
        assert_eq!(found, std::slice::from_ref(event), "{key}");
        let found = client.query(json!({&key: [unasked]})).await;
        assert_eq!(found, [], "only the first value of a tag is asked for");
        let other_case: String = letter.chars().map(swap_case).collect();
        let found = client
            .query(json!({format!("#{other_case}"): [value(at)]}))
            .await;
        assert_eq!(found, [], "{letter} is not {other_case}");
    }
}

fn swap_case(letter: char) -> char {
    if letter.is_ascii_lowercase() {
        letter.to_ascii_uppercase()
    } else {
        letter.to_ascii_lowercase()
    }
}

#[tokio::test]
async fn c1_tag_values_are_compared_whole_and_exactly() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let long = "v".repeat(3000);
    let values = [
        "",
        " ",
        "Cats",
        "cats",
        "cats ",
        "\u{1}\"\\",
        "é",
        "e\u{301}",
        &long,
    ];
    let events: Vec<Event> = values
        .iter()
        .map(|value| author.draft(1).tag(&["t", value]).sign())
        .collect();
    client.store_all(&events).await;
    for (value, event) in values.iter().zip(&events) {
        let found = client.query(json!({"#t": [value]})).await;
        assert_eq!(found, std::slice::from_ref(event), "{value:?}");
    }
    assert_eq!(client.query(json!({"#t": [&long[..2999]]})).await, []);
}

#[tokio::test]
async fn c1_what_is_no_client_message_gets_a_notice_and_the_connection_lives_on() {
    let (_relay, mut client) = relay().await;
    for text in [
        r#"["HELLO","world"]"#,
        r#"["event",{}]"#,
        r#"["EOSE","s"]"#,
        r#"["EVENT"]"#,
        r#"["REQ"]"#,
        r#"["REQ",7,{}]"#,
        r#"["CLOSE"]"#,
        r#"["CLOSE",{}]"#,
        r#"["AUTH","challenge"]"#,
        "[]",
        "{}",
        "null",
        "42",
        r#""EVENT""#,
        "[[]]",
        "[\"EVENT\",",
        "not json",
        "",
        " ",
        "\u{0}",
        &"[".repeat(5_000),
        &format!("{}1{}", r#"{"a":"#.repeat(5_000), "}".repeat(5_000)),
    ] {
        client.send_text(text).await;
        let notice = client.notice().await;
        assert!(!notice.is_empty(), "for {text:?}");
        client.assert_alive().await;
    }
}

#[tokio::test]
async fn c1_white_space_and_escapes_in_messages_make_no_difference() {
    let (_relay, mut client) = relay().await;
    let event = Author::new().note("spaced");
    let pretty = event.as_pretty_json();
    client
        .send_text(&format!(" [ \"\\u0045VENT\" ,\n {pretty} ]\r\n"))
        .await;
    client.verdict(&event.id.to_hex()).await.assert_accepted();
    client
        .send_text("\n[\t\"REQ\" , \"\\u0061b\" , { \"k\\u0069nds\" : [ 1 ] } ]")
        .await;
    assert_eq!(client.stored("ab").await, Ok(vec![event]));
}

#[tokio::test]
async fn c1_a_req_or_count_with_a_broken_filter_is_closed() {
    let (_relay, mut client) = relay().await;
    for filters in [
        vec![json!([])],
        vec![json!("kinds")],
        vec![json!(null)],
        vec![json!({"kinds": [1]}), json!({"kinds": 1})],
        vec![json!({"ids": ["abc"]})],
        vec![json!({"ids": ["g".repeat(64)]})],
        vec![json!({"ids": ["A".repeat(64)]})],
        vec![json!({"authors": [1]})],
        vec![json!({"kinds": ["1"]})],
        vec![json!({"kinds": [65536]})],
        vec![json!({"kinds": [-1]})],
        vec![json!({"kinds": [1.5]})],
        vec![json!({"since": "yesterday"})],
        vec![json!({"until": -1})],
        vec![json!({"limit": -1})],
        vec![json!({"limit": "10"})],
        vec![json!({"#t": "cats"})],
        vec![json!({"#t": [1]})],
        vec![json!({"#tt": ["cats"]})],
        vec![json!({"#1": ["cats"]})],
        vec![json!({"nonsense": 1})],
    ] {
        client.send(request("REQ", "s", &filters)).await;
        let reason = client.closed("s").await;
        assert!(reason.starts_with("invalid: "), "{filters:?}: {reason}");
        client.send(request("COUNT", "c", &filters)).await;
        let reason = client.closed("c").await;
        assert!(reason.starts_with("invalid: "), "{filters:?}: {reason}");
    }
    client.assert_alive().await;
}
