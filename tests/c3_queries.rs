//! C3: limits of a query, several filters, the seam between stored and live events, and queries that take too long.

use std::collections::HashMap;
use trellis_test_support::author::unique;
use trellis_test_support::client::ids;
use trellis_test_support::reply::assert_reason;
use trellis_test_support::{Author, Client, Event, Relay, Reply, json, trellis};

async fn relay_with(config: &str) -> (Relay, Client) {
    let relay = trellis!().config(config).start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

#[tokio::test]
async fn c3_no_limit_means_the_newest_up_to_the_maximum() {
    let (_relay, mut client) = relay_with("[limitation]\nmax_limit = 10").await;
    let events = Author::new().notes(25);
    client.store_all(&events).await;
    for filter in [
        json!({"kinds": [1]}),
        json!({"kinds": [1], "limit": 10}),
        json!({"kinds": [1], "limit": 11}),
        json!({"kinds": [1], "limit": 4_000_000_000_u64}),
        json!({"kinds": [1], "limit": 18_446_744_073_709_551_615_u64}),
        json!({}),
    ] {
        assert_eq!(client.query(filter.clone()).await, events[..10], "{filter}");
    }
    let until = events[20].created_at.as_secs();
    let older = client.query(json!({"until": until})).await;
    assert_eq!(older, events[20..]);
}

#[tokio::test]
async fn c3_limit_is_met_exactly_where_there_is_enough() {
    let (_relay, mut client) = relay_with("").await;
    let (ann, bob) = (Author::new(), Author::new());
    let (of_ann, of_bob) = (ann.notes(30), bob.notes(30));
    client.store_all(&of_ann).await;
    client.store_all(&of_bob).await;
    for limit in [1, 2, 29, 30, 31] {
        let filter = json!({"authors": [ann.pubkey()], "limit": limit});
        let expected = &of_ann[..limit.min(30)];
        assert_eq!(client.query(filter).await, expected, "limit {limit}");
        let filter = json!({"limit": limit});
        assert_eq!(client.query(filter).await.len(), limit, "limit {limit}");
    }
}

#[tokio::test]
async fn c3_limit_zero_returns_nothing_stored_and_still_subscribes() {
    let (_relay, mut client) = relay_with("").await;
    let author = Author::new();
    client.store(&author.note("stored")).await;
    client
        .subscribe("live", &[json!({"kinds": [1], "limit": 0})])
        .await;
    assert_eq!(client.stored("live").await, Ok(vec![]));
    let live = [author.note("live"), author.note("live too")];
    client.store_all(&live).await;
    for event in live {
        assert_eq!(client.next_event("live").await, event);
    }
}

#[tokio::test]
async fn c3_a_limit_does_not_bound_live_events() {
    let (_relay, mut client) = relay_with("").await;
    let author = Author::new();
    client.store_all(&author.notes(3)).await;
    client
        .subscribe("live", &[json!({"kinds": [1], "limit": 1})])
        .await;
    assert_eq!(
        client.stored("live").await.map(|events| events.len()),
        Ok(1)
    );
    let live: Vec<Event> = (0..5).map(|i| author.note(&format!("live {i}"))).collect();
    client.store_all(&live).await;
    for event in live {
        assert_eq!(client.next_event("live").await, event);
    }
}

#[tokio::test]
async fn c3_several_filters_never_deliver_an_event_twice() {
    let (relay, mut client) = relay_with("").await;
    let author = Author::new();
    let events: Vec<Event> = (0..40)
        .map(|i| {
            author
                .draft(1 + i % 2)
                .at(1_700_000_000 + u64::from(i / 4))
                .tag(&["t", "x"])
                .content(&i.to_string())
                .sign()
        })
        .collect();
    client.store_all(&events).await;
    let mut expected = events.clone();
    expected.sort_by_key(|event| (std::cmp::Reverse(event.created_at), event.id));
    let filters = [
        json!({"authors": [author.pubkey()]}),
        json!({"kinds": [1]}),
        json!({"kinds": [2, 1]}),
        json!({"#t": ["x"]}),
        json!({"ids": ids(&events)}),
        json!({}),
    ];
    let mut reader = Client::connect(&relay).await;
    reader.subscribe("s", &filters).await;
    let mut found = reader.stored("s").await.expect("events");
    found.sort_by_key(|event| (std::cmp::Reverse(event.created_at), event.id));
    assert_eq!(ids(&found), ids(&expected));

    let live = [
        author.draft(1).tag(&["t", "x"]).sign(),
        author.draft(2).tag(&["t", "x"]).sign(),
        Author::new().draft(9).content("last").sign(),
    ];
    client.store_all(&live).await;
    for event in live {
        let next = reader.next().await;
        assert_eq!(next, Some(Reply::Event("s".into(), Box::new(event))));
    }
}

#[tokio::test]
async fn c3_each_filter_of_a_req_has_its_own_limit() {
    let (_relay, mut client) = relay_with("").await;
    let (ann, bob) = (Author::new(), Author::new());
    let (of_ann, of_bob) = (ann.notes(9), bob.notes(9));
    client.store_all(&of_ann).await;
    client.store_all(&of_bob).await;
    let filters = [
        json!({"authors": [ann.pubkey()], "limit": 2}),
        json!({"authors": [bob.pubkey()], "limit": 3}),
    ];
    let mut found = ids(&client.ask(&filters).await.expect("events"));
    found.sort();
    let mut expected = [ids(&of_ann[..2]), ids(&of_bob[..3])].concat();
    expected.sort();
    assert_eq!(found, expected);
}

/// One publisher and one subscriber in a race: whatever arrives as stored must not arrive live, and nothing is missed.
/// `TRELLIS_ROUNDS` sets how often they race.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_live_events_during_a_query_are_neither_lost_nor_repeated() {
    const EVENTS_A_ROUND: usize = 6;
    let rounds =
        std::env::var("TRELLIS_ROUNDS").map_or(500, |rounds| rounds.parse().expect("a number"));
    let (relay, mut publisher) = relay_with("").await;
    let mut reader = Client::connect(&relay).await;
    let author = Author::new();
    let mut deliveries: HashMap<String, usize> = HashMap::new();
    for round in 0..rounds {
        let topic = unique("race");
        let events: Vec<Event> = (0..EVENTS_A_ROUND)
            .map(|i| {
                author
                    .draft(1)
                    .tag(&["t", &topic])
                    .content(&i.to_string())
                    .sign()
            })
            .collect();
        // The REQ goes out when so many of the round's events are under way.
        let head_start = round % (EVENTS_A_ROUND + 1);
        for event in &events[..head_start] {
            publisher.send_event(event).await;
        }
        let rest = async {
            for event in &events[head_start..] {
                publisher.send_event(event).await;
            }
            for event in &events {
                publisher
                    .verdict(&event.id.to_hex())
                    .await
                    .assert_accepted();
            }
        };
        let read = async {
            reader.subscribe(&topic, &[json!({"#t": [topic]})]).await;
            let (mut seen, mut eose) = (0, false);
            while seen < EVENTS_A_ROUND || !eose {
                match reader.next().await.expect("an open connection") {
                    Reply::Event(_, event) => {
                        let count = deliveries.entry(event.id.to_hex()).or_default();
                        *count += 1;
                        assert_eq!(*count, 1, "round {round}: twice {}", event.as_json());
                        seen += 1;
                    }
                    Reply::Eose(of) => {
                        assert_eq!(of, topic);
                        eose = true;
                    }
                    other => panic!("round {round}: {other:?}"),
                }
            }
            // A repetition that comes before this answer fails here, one that comes later in the next round.
            reader
                .subscribe(&topic, &[json!({"ids": [], "limit": 0})])
                .await;
            assert_eq!(reader.next().await, Some(Reply::Eose(topic.clone())));
            reader.close(&topic).await;
        };
        tokio::join!(rest, read);
    }
    assert_eq!(deliveries.len(), rounds * EVENTS_A_ROUND);
}

#[tokio::test]
async fn c3_a_large_result_arrives_whole_and_in_order() {
    let (_relay, mut client) = relay_with("[limitation]\nmax_limit = 5000").await;
    let author = Author::new();
    let padding = "p".repeat(2_000);
    let events: Vec<Event> = (0..5_000_u64)
        .map(|i| {
            author
                .draft(1)
                .at(1_700_000_000 - i)
                .content(&padding)
                .sign()
        })
        .collect();
    client.store_all(&events).await;
    let found = client.query(json!({"kinds": [1]})).await;
    assert_eq!(ids(&found), ids(&events));
}

#[tokio::test]
async fn c3_a_query_that_takes_too_long_is_closed_with_an_error() {
    const EVENTS: u64 = 30_000;
    let (_relay, mut client) = relay_with("[data]\ndb_query_timeout = \"1ms\"").await;
    let author = Author::new();
    // Either tag is on half of the events, both are on none: every one has to be looked at.
    let events: Vec<Event> = (0..EVENTS)
        .map(|i| {
            let tag = if i % 2 == 0 {
                ["t", "even"]
            } else {
                ["x", "odd"]
            };
            author.draft(1).at(1_700_000_000 + i).tag(&tag).sign()
        })
        .collect();
    client.store_all(&events).await;
    let filter = json!({"#t": ["even"], "#x": ["odd"]});
    let reason = client.ask(&[filter]).await.expect_err("closed");
    assert_reason(&reason, "error:", "timeout");
    client.assert_alive().await;
}
