//! The examples of the page on the kinds.

use crate::rollout::bucket;
use crate::{Ack, ActionKey, Fields, KIND_SIGNAL, Signal, verified};

const PAGE: &str = include_str!("../../../../docs/extensions/qube-kinds.md");

/// The blocks of the page in this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let opening = format!("```{language}\n");
    let blocks = PAGE.split(opening.as_str()).skip(1);
    blocks
        .filter_map(|rest| rest.split("\n```").next())
        .collect()
}

#[test]
fn q3_the_examples_of_the_page_are_events_as_it_says() {
    let events = blocks("json");
    assert!(events.len() >= 4, "an upgrade, a reboot and two reports");
    let (mut signals, mut acks) = (0, 0);
    for json in events {
        let event = verified(json).unwrap_or_else(|error| panic!("{error}: {json}"));
        let fields = Fields::of(&event);
        if fields.kind == KIND_SIGNAL {
            let signal = Signal::parse(&fields).unwrap();
            assert!(signal.check_deadline(signal.created_at).is_ok());
            signals += 1;
        } else {
            let ack = Ack::parse(&fields).unwrap();
            assert!(ack.check_time(ack.created_at).is_ok());
            acks += 1;
        }
    }
    assert!(signals >= 2 && acks >= 2);
}

#[test]
fn q9_the_page_has_the_keys_of_its_examples() {
    let mut keys = Vec::new();
    for json in blocks("json") {
        let event = verified(json).unwrap();
        if let Ok(signal) = Signal::parse(&Fields::of(&event)) {
            keys.push(signal.key());
        }
    }
    for key in &keys {
        assert!(PAGE.contains(&key.to_string()), "{key}");
    }
    for array in blocks("text")
        .into_iter()
        .filter(|text| text.starts_with("[\""))
    {
        let hash = crate::Digest::of(array.trim().as_bytes()).to_string();
        let key: ActionKey = hash.parse().unwrap();
        assert!(keys.contains(&key), "{array}");
        let bucket = format!("bucket {}", bucket(&key, &"node-1".parse().unwrap()));
        assert!(PAGE.contains(&bucket), "{key}: {bucket}");
    }
}
