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
        fanout.insert(key(n), &filter(&json));
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
        fanout.insert(key(n as u32), filter);
    }
    assert!(fanout.places() >= 1_000);
    for (n, filter) in filters.iter().enumerate() {
        fanout.remove(key(n as u32), filter);
    }
    assert_eq!(fanout.places(), 0);
}

#[test]
fn v5_of_many_filters_those_alone_are_looked_at_that_are_near() {
    let mut fanout = Fanout::default();
    let near = |place| FilterKey { sub: 5, place };
    for place in 0..20 {
        let (from, to) = (hex(place), hex(place + 1));
        let json = format!(r##"{{"#p":["{from}","{to}"]}}"##);
        fanout.insert(near(place), &filter(&json));
    }
    fanout.insert(key(2), &filter(r#"{"kinds":[1]}"#));
    let mut found = Vec::new();
    fanout.candidates(&event(70_000, 8, "cats"), &mut found);
    assert_eq!(found, [key(2), near(7), near(8)]);
}
