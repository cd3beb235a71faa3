//! Which subscriptions an event meets.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::event::EventParts;
use crate::filter::FilterLimits;

fn hex(n: u32) -> String {
    format!("{n:064x}")
}

/// The only filter of a subscription.
fn key(sub: u32) -> FilterKey {
    FilterKey { sub, place: 0 }
}

fn filter(json: &str) -> Filter {
    Filter::parse(json, &FilterLimits::default()).unwrap()
}

/// Of author `author`, mentioning `mentioned`.
fn event(author: u32, mentioned: u32, topic: &str) -> Event {
    let mut pubkey = [0; 32];
    pubkey[28..].copy_from_slice(&author.to_be_bytes());
    let tags = format!(r#"[["p","{}"],["t","{topic}"]]"#, hex(mentioned));
    EventParts {
        id: &[7; 32],
        pubkey: &pubkey,
        created_at: 1_700_000_000,
        kind: 1,
        tags_json: &tags,
        content_json: r#""""#,
        sig: &[0; 64],
    }
    .assemble()
}

#[test]
fn v5_narrow_subscriptions_are_not_looked_at() {
    let mut fanout = Fanout::default();
    for n in 0..10_000 {
        let value = hex(n);
        let json = match n % 4 {
            0 => format!(r##"{{"authors":["{value}"],"kinds":[1]}}"##),
            1 => format!(r##"{{"#p":["{value}"],"kinds":[1,7]}}"##),
            2 => format!(r##"{{"ids":["{value}"],"kinds":[1]}}"##),
            _ => format!(r##"{{"#t":["cats","topic {n}"],"#p":["{value}"]}}"##),
        };
        fanout.insert(n, [&filter(&json)]);
    }
    let candidates = |event: &Event| {
        let mut found = vec![key(99)];
        fanout.candidates(event, &mut found);
        found.iter().map(|key| key.sub).collect::<Vec<_>>()
    };
    assert_eq!(candidates(&event(70_000, 80_000, "cats")), [0; 0]);
    assert_eq!(candidates(&event(400, 80_000, "cats")), [400]);
    assert_eq!(candidates(&event(70_000, 401, "cats")), [401]);
    assert_eq!(candidates(&event(400, 403, "cats")), [400, 403]);
}

#[test]
fn v5_what_is_taken_out_leaves_no_place() {
    let mut fanout = Fanout::default();
    let filters: Vec<Filter> = (0..1_000)
        .map(|n| filter(&format!(r##"{{"#p":["{}","{}"]}}"##, hex(n), hex(n / 2))))
        .collect();
    for (n, filter) in filters.iter().enumerate() {
        fanout.insert(n as u32, [filter]);
    }
    assert!(fanout.places() >= 1_000);
    for (n, filter) in filters.iter().enumerate() {
        fanout.remove(n as u32, [filter]);
    }
    assert_eq!(fanout.places(), 0);
}

#[test]
fn v5_of_many_filters_those_alone_are_looked_at_that_are_near() {
    let mut fanout = Fanout::default();
    let near = |place| FilterKey { sub: 5, place };
    let mentioning = |place| {
        let (from, to) = (hex(place), hex(place + 1));
        filter(&format!(r##"{{"#p":["{from}","{to}"]}}"##))
    };
    let filters: Vec<Filter> = (0..20).step_by(2).map(mentioning).collect();
    fanout.insert(5, &filters);
    fanout.insert(2, [&filter(r#"{"kinds":[1]}"#)]);
    let candidates = |fanout: &Fanout| {
        let mut found = Vec::new();
        fanout.candidates(&event(70_000, 8, "cats"), &mut found);
        found
    };
    assert_eq!(candidates(&fanout), [key(2), near(4)]);
    assert_eq!(near(4).among(&filters), &filters[4..5]);
    fanout.remove(5, &filters);
    assert_eq!(candidates(&fanout), [key(2)]);
}

#[test]
fn v5_a_subscription_stands_once_under_a_value_that_all_its_filters_name() {
    let mut fanout = Fanout::default();
    let dated = |since| filter(&format!(r#"{{"kinds":[1],"since":{since}}}"#));
    let filters: Vec<Filter> = (1..=20).map(dated).collect();
    let anything: Vec<Filter> = (1..=2)
        .map(|since| filter(&format!(r#"{{"since":{since}}}"#)))
        .collect();
    fanout.insert(3, &filters);
    fanout.insert(4, &anything);
    assert_eq!(fanout.places(), 2);
    let mut found = Vec::new();
    fanout.candidates(&event(70_000, 8, "cats"), &mut found);
    let every = |sub| FilterKey {
        sub,
        place: FilterKey::EVERY,
    };
    assert_eq!(found, [every(3), every(4)]);
    assert_eq!(every(3).among(&filters), filters);
    fanout.remove(3, &filters);
    fanout.remove(4, &anything);
    assert_eq!(fanout.places(), 0);
}

#[test]
fn v5_what_the_index_finds_is_what_matches() {
    let (author, mentioned) = (hex(1), hex(2));
    let parts = [
        format!(r#""authors":["{author}"]"#),
        format!(r##""#p":["{mentioned}","{}"]"##, hex(9)),
        r##""#t":["cats"]"##.to_owned(),
        r#""kinds":[7]"#.to_owned(),
        r#""since":1700000001"#.to_owned(),
    ];
    let of = |chosen: usize| {
        let is_chosen = |place: &usize| chosen >> place & 1 == 1;
        let chosen = (0..parts.len()).filter(is_chosen);
        let chosen: Vec<&str> = chosen.map(|place| parts[place].as_str()).collect();
        filter(&format!("{{{}}}", chosen.join(",")))
    };
    let all: Vec<Filter> = (0..1 << parts.len()).map(of).collect();
    let events: Vec<Event> = [
        (1, 2, "cats"),
        (1, 3, "cats"),
        (4, 2, "dogs"),
        (4, 9, "cats"),
    ]
    .map(|(author, mentioned, topic)| event(author, mentioned, topic))
    .into();
    for one in &all {
        for other in &all {
            // With the third, a key may mean all of them though not each was found.
            let filters = [one.clone(), other.clone(), all[0b10].clone()];
            let mut fanout = Fanout::default();
            fanout.insert(0, &filters);
            for event in &events {
                let mut found = Vec::new();
                fanout.candidates(event, &mut found);
                let matches = |key: &FilterKey| {
                    let mut near = key.among(&filters).iter();
                    near.any(|filter| key.matches(filter, event))
                };
                let expected = filters.iter().any(|filter| filter.matches(event));
                assert_eq!(found.iter().any(matches), expected, "{filters:?}");
            }
        }
    }
}
