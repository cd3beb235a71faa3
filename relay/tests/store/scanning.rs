//! NIP-01: which events a filter asks for, and in which order they come.

use crate::draft::{Draft, pubkey};
use crate::subject::{NOW, PLENTY, Subject, for_every_store, ids, ids_of, scan_of};
use std::sync::Arc;
use trellis_relay::event::Event;
use trellis_relay::filter::{Filter, FilterLimits};
use trellis_relay::store::{Budget, NoPolicy, Order, Position, Write};

for_every_store!(
    c1_newest_first_then_lowest_id,
    c1_ids_with_the_same_first_bytes_keep_their_order,
    c1_filters_by_every_field,
    c1_tags_are_matched_whole_and_by_case,
    c1_an_empty_list_matches_nothing,
    c1_large_and_odd_events_come_back_byte_for_byte,
    c3_pages_join_without_gap_or_repetition,
    c3_a_scan_resumes_where_no_event_is,
    c21_oldest_first_for_export,
    h8_long_lists_of_values_are_answered,
    v8_a_rare_kind_behind_a_common_tag_is_found_page_by_page,
);

fn c1_newest_first_then_lowest_id(subject: &Subject) {
    let event = |at, id: u8| Draft::of(1).at(at).id([id; 32]).build();
    let events = [event(20, 9), event(20, 200), event(10, 1), event(10, 2)];
    for i in [2, 1, 3, 0] {
        subject.stored(&events[i]);
    }
    let expected = ids_of(&events.iter().collect::<Vec<_>>());
    let author = pubkey(1).to_hex();
    for filter in [
        "{}".to_owned(),
        r#"{"kinds":[1,2]}"#.to_owned(),
        format!(r#"{{"authors":["{author}"]}}"#),
        format!(r#"{{"authors":["{author}"],"kinds":[1]}}"#),
    ] {
        assert_eq!(subject.query(&filter), expected, "{filter}");
    }
}

fn c1_ids_with_the_same_first_bytes_keep_their_order(subject: &Subject) {
    let events: Vec<Arc<Event>> = (0..6u8)
        .map(|n| {
            let mut id = [7; 32];
            id[8] = n;
            Draft::of(1).by(n % 2).tag(&["t", "cats"]).id(id).build()
        })
        .collect();
    for i in [3, 1, 5, 0, 4, 2] {
        subject.stored(&events[i]);
    }
    let expected = ids_of(&events.iter().collect::<Vec<_>>());
    for json in [
        "{}",
        r#"{"kinds":[1]}"#,
        r##"{"#t":["cats","dogs"]}"##,
        &format!(r#"{{"authors":["{}","{}"]}}"#, pubkey(0), pubkey(1)),
    ] {
        assert_eq!(subject.query(json), expected, "{json}");
        assert_eq!(subject.query_by(json, Order::OldestFirst), expected);
        let filter = Filter::parse(json, &FilterLimits::default()).unwrap();
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let mut scan = scan_of(&filter);
            scan.order = order;
            scan.budget.events = 1;
            assert_eq!(ids(&subject.pages(&scan)), expected, "{json} by one");
        }
    }
}

fn c1_filters_by_every_field(subject: &Subject) {
    let a = Draft::of(1).by(1).at(100).tag(&["t", "cats"]).build();
    let b = Draft::of(1)
        .by(2)
        .at(200)
        .tag(&["t", "dogs"])
        .tag(&["p", "x"])
        .build();
    let c = Draft::of(7)
        .by(1)
        .at(300)
        .tag(&["t", "cats"])
        .tag(&["t", "dogs"])
        .build();
    for event in [&a, &b, &c] {
        subject.stored(event);
    }
    let (one, two) = (pubkey(1).to_hex(), pubkey(2).to_hex());
    let check = |filter: String, expected: &[&Arc<Event>]| {
        assert_eq!(subject.query(&filter), ids_of(expected), "{filter}");
        assert_eq!(subject.count(&filter), expected.len() as u64, "{filter}");
    };
    check("{}".into(), &[&c, &b, &a]);
    check(
        format!(r#"{{"ids":["{}","{}"]}}"#, a.id(), c.id()),
        &[&c, &a],
    );
    check(format!(r#"{{"ids":["{}"],"kinds":[7]}}"#, a.id()), &[]);
    check(format!(r#"{{"authors":["{one}"]}}"#), &[&c, &a]);
    check(
        format!(r#"{{"authors":["{one}","{two}"],"kinds":[1]}}"#),
        &[&b, &a],
    );
    check(r#"{"kinds":[7,8]}"#.into(), &[&c]);
    check(r##"{"#t":["cats"]}"##.into(), &[&c, &a]);
    check(r##"{"#t":["cats","dogs"]}"##.into(), &[&c, &b, &a]);
    check(r##"{"#t":["dogs"],"#p":["x"]}"##.into(), &[&b]);
    check(format!(r##"{{"#t":["dogs"],"authors":["{one}"]}}"##), &[&c]);
    check(r##"{"#t":["cats"],"kinds":[1]}"##.into(), &[&a]);
    check(r#"{"since":200}"#.into(), &[&c, &b]);
    check(r#"{"until":200}"#.into(), &[&b, &a]);
    check(r#"{"since":101,"until":299}"#.into(), &[&b]);
    check(r##"{"#t":["cats"],"since":100,"until":100}"##.into(), &[&a]);
    check(r#"{"since":301}"#.into(), &[]);
    check(r#"{"until":18446744073709551615}"#.into(), &[&c, &b, &a]);
    check(r#"{"since":18446744073709551615}"#.into(), &[]);
}

fn c1_tags_are_matched_whole_and_by_case(subject: &Subject) {
    let event = Draft::of(1)
        .tag(&["t", "Cats", "second"])
        .tag(&["T", "upper"])
        .tag(&["title", "no letter"])
        .tag(&["é", "no letter either"])
        .tag(&["t"])
        .tag(&["x", ""])
        .tag(&["y", "quote \" and \u{1F431}\n"])
        .build();
    subject.stored(&event);
    for (filter, hits) in [
        (r##"{"#t":["Cats"]}"##, 1),
        (r##"{"#t":["cats"]}"##, 0),
        (r##"{"#t":["Cat"]}"##, 0),
        (r##"{"#t":["second"]}"##, 0),
        (r##"{"#t":[""]}"##, 0),
        (r##"{"#t":["upper"]}"##, 0),
        (r##"{"#T":["upper"]}"##, 1),
        (r##"{"#x":[""]}"##, 1),
        (r##"{"#y":["quote \" and 🐱\n"]}"##, 1),
    ] {
        assert_eq!(subject.count(filter), hits, "{filter}");
        assert_eq!(subject.query(filter).len() as u64, hits, "{filter}");
    }
}

fn c1_an_empty_list_matches_nothing(subject: &Subject) {
    subject.stored(&Draft::of(1).tag(&["t", "x"]).build());
    for filter in [
        r#"{"ids":[]}"#,
        r#"{"authors":[]}"#,
        r#"{"kinds":[]}"#,
        r##"{"#t":[]}"##,
        r##"{"#t":["x"],"#p":[]}"##,
        r#"{"since":5,"until":4}"#,
    ] {
        assert_eq!(subject.query(filter), [], "{filter}");
        assert_eq!(subject.count(filter), 0, "{filter}");
    }
}

fn c1_large_and_odd_events_come_back_byte_for_byte(subject: &Subject) {
    let hex = "0123456789abcdef";
    let contents = [
        String::new(),
        "a".repeat(31),
        hex.repeat(2),
        hex.repeat(4),
        format!("x{}y", &hex.repeat(4)[..33]),
        format!("{} {}", hex.repeat(4), hex.repeat(8).to_uppercase()),
        hex.repeat(100),
        hex.repeat(1000) + "f",
        "\u{0}\u{7f}\u{ff}\u{ffff}\u{10ffff}".repeat(50),
        "\"\\\n".repeat(1000),
        "日本語".repeat(100_000),
        "z".repeat(2_000_000),
    ];
    let many_tags = (0..3_000).fold(Draft::of(3), |draft, n| {
        draft.tag(&["p", &format!("{n:064x}"), "wss://example.com"])
    });
    let mut events: Vec<Arc<Event>> = contents
        .iter()
        .map(|content| Draft::of(1).content(content.as_str()).build())
        .collect();
    events.push(many_tags.build());
    events.push(Draft::of(0).at(0).build());
    events.push(Draft::of(65_535).at((1 << 40) - 1).build());
    for event in &events {
        subject.stored(event);
    }
    for event in &events {
        let filter = Filter {
            ids: Some(vec![*event.id()]),
            ..Filter::default()
        };
        let found = subject.pages(&scan_of(&filter));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].event.json(), event.json());
        assert_eq!(found[0].event.content(), event.content());
        assert_eq!(found[0].event.tags_json(), event.tags_json());
    }
    let last_tag = format!(r##"{{"#p":["{:064x}"]}}"##, 2_999);
    assert_eq!(subject.count(&last_tag), 1);
    assert_eq!(subject.query("{}").len(), events.len());
    assert_eq!(
        subject.query_by("{}", Order::OldestFirst).len(),
        events.len()
    );
}

fn c3_pages_join_without_gap_or_repetition(subject: &Subject) {
    for n in 0..200u64 {
        let draft = Draft::of(1 + (n % 3) as u16).by((n % 5) as u8);
        subject.stored(&draft.at(1_000 + n / 7).content(n.to_string()).build());
    }
    let author = pubkey(2).to_hex();
    for json in [
        "{}".to_owned(),
        r#"{"kinds":[1,3]}"#.to_owned(),
        format!(r#"{{"authors":["{author}"],"since":1005}}"#),
        r#"{"kinds":[9]}"#.to_owned(),
    ] {
        let filter = Filter::parse(&json, &FilterLimits::default()).unwrap();
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let mut scan = scan_of(&filter);
            scan.order = order;
            let whole = ids(&subject.pages(&scan));
            for budget in [
                Budget {
                    events: 1,
                    ..PLENTY
                },
                Budget {
                    events: 7,
                    ..PLENTY
                },
                Budget {
                    entries: 1,
                    ..PLENTY
                },
                Budget {
                    entries: 10,
                    ..PLENTY
                },
                Budget { bytes: 1, ..PLENTY },
                Budget {
                    bytes: 2_000,
                    ..PLENTY
                },
            ] {
                scan.budget = budget;
                assert_eq!(ids(&subject.pages(&scan)), whole, "{json} {budget:?}");
                assert_eq!(subject.count_pages(&scan), whole.len() as u64);
            }
            scan.budget = Budget {
                events: 7,
                ..PLENTY
            };
            assert!(subject.store.scan(&scan).unwrap().events.len() <= 7);
        }
    }
}

fn c3_a_scan_resumes_where_no_event_is(subject: &Subject) {
    for at in [10, 20, 30] {
        subject.stored(&Draft::of(1).at(at).id([at as u8; 32]).build());
    }
    let filter = Filter::default();
    let mut scan = scan_of(&filter);
    let mut from = |order, created_at, id: u8| -> Vec<u64> {
        scan.order = order;
        scan.resume = Some(Position {
            created_at,
            id: trellis_relay::event::EventId::from_byte_array([id; 32]),
        });
        let events = subject.pages(&scan);
        events.iter().map(|s| s.event.created_at()).collect()
    };
    use Order::{NewestFirst, OldestFirst};
    assert_eq!(from(NewestFirst, 20, 19), [20, 10]);
    assert_eq!(from(NewestFirst, 20, 20), [10]);
    assert_eq!(from(NewestFirst, 25, 0), [20, 10]);
    assert_eq!(from(NewestFirst, 99, 0), [30, 20, 10]);
    assert_eq!(from(NewestFirst, 0, 0), [0u64; 0]);
    assert_eq!(from(OldestFirst, 20, 19), [20, 30]);
    assert_eq!(from(OldestFirst, 20, 20), [30]);
    assert_eq!(from(OldestFirst, 25, 255), [30]);
    assert_eq!(from(OldestFirst, 0, 0), [10, 20, 30]);
    assert_eq!(from(OldestFirst, NOW, 0), [0u64; 0]);
}

fn c21_oldest_first_for_export(subject: &Subject) {
    let event = |at, id: u8| Draft::of(1).at(at).id([id; 32]).build();
    let events = [
        event(10, 1),
        event(10, 2),
        event(20, 9),
        event(20, 200),
        event(21, 3),
    ];
    for i in [4, 2, 1, 3, 0] {
        subject.stored(&events[i]);
    }
    let expected = ids_of(&events.iter().collect::<Vec<_>>());
    let oldest = |filter| subject.query_by(filter, Order::OldestFirst);
    assert_eq!(oldest("{}"), expected);
    assert_eq!(oldest(r#"{"kinds":[1]}"#), expected);
    assert_eq!(oldest(r#"{"since":20}"#), expected[2..]);
    assert_eq!(oldest(r#"{"until":20}"#), expected[..4]);
    assert_eq!(oldest(r#"{"since":11,"until":19}"#), []);
}

fn h8_long_lists_of_values_are_answered(subject: &Subject) {
    let events: Vec<Arc<Event>> = (0..50u64)
        .map(|n| {
            Draft::of((n % 7) as u16 * 1_000 + 1)
                .by(n as u8)
                .at(n)
                .tag(&["t", &n.to_string()])
                .build()
        })
        .collect();
    for event in &events {
        subject.stored(event);
    }
    let mut filter = Filter {
        authors: Some(
            (0..6_000u32)
                .map(|n| {
                    let mut key = [n as u8; 32];
                    key[31] = key[31].wrapping_add((n / 256) as u8);
                    trellis_relay::event::PublicKey::from_byte_array(key)
                })
                .collect(),
        ),
        kinds: Some((0..5_002).collect()),
        ..Filter::default()
    };
    filter.normalize();
    let by_hand = |filter: &Filter| -> Vec<_> {
        let matching = events.iter().rev().filter(|event| filter.matches(event));
        matching.map(|event| *event.id()).collect()
    };
    assert!(by_hand(&filter).len() > 20);
    assert_eq!(ids(&subject.pages(&scan_of(&filter))), by_hand(&filter));
    filter.kinds = None;
    assert_eq!(ids(&subject.pages(&scan_of(&filter))), by_hand(&filter));
    filter.authors = None;
    filter
        .tags
        .insert(b't', (0..10_000).map(|n| n.to_string()).collect());
    filter.normalize();
    assert_eq!(ids(&subject.pages(&scan_of(&filter))).len(), 50);
    filter.since = Some(40);
    assert_eq!(subject.count_pages(&scan_of(&filter)), 10);
}

fn v8_a_rare_kind_behind_a_common_tag_is_found_page_by_page(subject: &Subject) {
    let common = |kind: u16, n: u64| {
        let draft = Draft::of(kind).by((n % 3) as u8).at(1_000 + n / 2);
        draft.tag(&["t", "cats"]).content(n.to_string()).build()
    };
    // Other kinds before, between and after what is asked for, more than a page looks at.
    let events: Vec<Arc<Event>> = (0..1_500)
        .map(|n| common(if n % 700 == 350 { 7 } else { 1 }, n))
        .collect();
    let writes: Vec<Write> = events.iter().cloned().map(Write::Put).collect();
    subject.commit_with(&writes, &NoPolicy);
    let filters = [
        (r##"{"#t":["cats"],"kinds":[7,9]}"##.to_owned(), 2),
        (r##"{"#t":["cats"],"kinds":[9],"since":1}"##.to_owned(), 0),
        (r##"{"#t":["cats","dogs"],"kinds":[7]}"##.to_owned(), 2),
    ];
    for (json, expected) in filters {
        let filter = Filter::parse(&json, &FilterLimits::default()).unwrap();
        for order in [Order::NewestFirst, Order::OldestFirst] {
            for entries in [1, 10, 1_000, usize::MAX] {
                let mut scan = scan_of(&filter);
                scan.order = order;
                scan.budget.entries = entries;
                let found = subject.pages(&scan);
                assert_eq!(found.len(), expected, "{json}, {order:?}, {entries}");
                assert!(found.iter().all(|stored| stored.event.kind() == 7));
            }
        }
    }
}
