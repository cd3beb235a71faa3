//! Shows that decisions are read as they were written, name no addresses, and do not change unnoticed.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::filter::FilterLimits;
use crate::store::memory::MemoryStore;
use crate::store::{NoPolicy, Outcome};

fn decision(number: u64) -> Decision {
    let reason = format!("reason {number}");
    Decision::new(number, "management", "banpubkey", "pubkey:00", &reason)
}

fn store_of(count: u64) -> MemoryStore {
    let store = MemoryStore::default();
    for number in 1..=count {
        let outcomes = store.commit(&[decision(number).write()], &NoPolicy, 0);
        assert_eq!(outcomes.unwrap(), [Outcome::Done]);
    }
    store
}

fn numbers(rows: &[Row]) -> Vec<u64> {
    rows.iter().map(|row| row.number).collect()
}

#[test]
fn c29_decisions_are_read_newest_first_in_pages() {
    assert_eq!(newest(&store_of(0), None, 10).unwrap(), []);
    for count in [1, 2, 3, 4, 7, 8, 9, 33] {
        let all = newest(&store_of(count), None, 100).unwrap();
        assert_eq!(numbers(&all), (1..=count).rev().collect::<Vec<_>>());
    }
    let store = store_of(9);
    let page = |before, max| numbers(&newest(&store, before, max).unwrap());
    assert_eq!(page(None, 4), [9, 8, 7, 6]);
    assert_eq!(page(Some(6), 4), [5, 4, 3, 2]);
    assert_eq!(page(Some(2), 4), [1]);
    assert_eq!(page(Some(1), 4), [0; 0]);
    assert_eq!(page(Some(99), 1), [9]);
    let last = newest(&store, None, 1).unwrap().remove(0);
    assert_eq!((last.decision, last.number), (decision(9), 9));
}

#[test]
fn c29_a_log_that_was_changed_is_not_followed() {
    let store = store_of(1_200);
    let mut seen = Vec::new();
    let told = follow(&store, |row| {
        seen.push(row.number);
        Ok::<(), StoreError>(())
    });
    assert_eq!(told.unwrap(), 1_200);
    assert_eq!(seen, (1..=1_200).collect::<Vec<_>>());
    let key = chain::key(700).to_vec();
    let value = store.kv_get(SPACE, &key).unwrap().unwrap();
    let tampered = |from: u8, to: u8| {
        let mut value = value.clone();
        let at = value.iter().rposition(|byte| *byte == from).unwrap();
        value[at] = to;
        let tampered = Write::Kv {
            extension: SPACE.to_owned(),
            key: key.clone(),
            value: Some(value),
        };
        store.commit(&[tampered], &NoPolicy, 0).unwrap();
        let told = follow(&store, |_| Ok::<(), StoreError>(()));
        told.unwrap_err().to_string()
    };
    let words = tampered(b'7', b'8');
    assert!(words.contains("row 701 does not follow"), "{words}");
    let words = tampered(b'}', b' ');
    assert!(
        words.contains("row 700 of the log of decisions cannot"),
        "{words}"
    );
}

#[test]
fn c29_a_reason_may_name_its_ground() {
    for (said, rule, reason) in [
        (
            "legal: order of a court",
            "legal process",
            "order of a court",
        ),
        ("Abuse:floods", "technical abuse", "floods"),
        ("reports: 12 of them", "user reports", "12 of them"),
        ("POLICY: casino", "acceptable use", "casino"),
        ("spam", "operator", "spam"),
        ("legally: no", "operator", "legally: no"),
        ("", "operator", ""),
        ("🦀", "operator", "🦀"),
    ] {
        let decision = Decision::new(1, "management", "x", "y", said);
        assert_eq!(
            (decision.rule.as_str(), decision.reason.as_str()),
            (rule, reason)
        );
    }
}

#[test]
fn c29_no_address_comes_into_the_log() {
    let reason = "abuse: from 192.0.2.7 and\n2001:db8::1,\u{202e} see bob@example.com";
    let decision = Decision::new(1, "command", "blockip", subject::ADDRESS, reason);
    let wanted = "from [removed] and [removed],  see [removed]";
    assert_eq!(decision.reason, wanted);
    let long = Decision::new(1, "a", "b", "c", &"ä".repeat(1_000));
    assert_eq!(long.reason.chars().count(), REASON_CHARS_MAX);
    assert!(long.reason.ends_with("ää..."));
    let whole = "ä".repeat(REASON_CHARS_MAX);
    assert_eq!(Decision::new(1, "a", "b", "c", &whole).reason, whole);
}

#[test]
fn c29_of_a_filter_the_log_tells_keys_and_ids_and_no_words() {
    let key = "7e".repeat(32);
    let json = format!(
        r##"{{"authors":["{key}"],"kinds":[1,7],"#p":["{key}","alice"],"#t":["secret"],"until":9,"limit":2}}"##
    );
    let filter = Filter::parse(&json, &FilterLimits::default()).unwrap();
    let told = subject::filter(&filter);
    let wanted = format!(
        r##"events:{{"#p":["{key}"],"#t":["1 values"],"authors":["{key}"],"kinds":[1,7],"limit":2,"until":9}}"##
    );
    assert_eq!(told, wanted);
    let many: Vec<u16> = (0..103).collect();
    assert!(subject::kinds(&many).ends_with(",19 and 83 more"));
    assert_eq!(subject::kinds(&[7]), "kinds:7");
}

#[test]
fn c29_a_long_filter_is_told_whole() {
    let keys: Vec<String> = (0..200).map(|number| format!("{number:064x}")).collect();
    let kinds: Vec<u16> = (10_000..10_200).collect();
    let mut json =
        serde_json::json!({"ids": keys, "authors": keys, "#e": keys, "#p": keys, "kinds": kinds});
    for letter in ('a'..='z')
        .chain('A'..='Z')
        .filter(|it| !"ep".contains(*it))
    {
        json[format!("#{letter}")] = serde_json::json!(keys);
    }
    let limits = FilterLimits { values: 100_000 };
    let filter = Filter::parse(&json.to_string(), &limits).unwrap();
    let told = subject::filter(&filter);
    let decision = Decision::new(1, "command", "delete", &told, "");
    assert_eq!(decision.subject, told);
    let told = told.strip_prefix("events:").unwrap();
    let told: serde_json::Value = serde_json::from_str(told).unwrap();
    assert_eq!(told["authors"].as_array().unwrap().len(), NAMED_MAX + 1);
    assert_eq!(told["authors"][NAMED_MAX], "and 180 more");
    assert_eq!(told["#t"], serde_json::json!(["200 values"]));
}
