//! A history that is gone over again, with real signatures.

use super::ground::{network_id, upgrade};
use crate::chain::{Entry, EntryKind, append};
use crate::replay::{Replayed, replay};
use crate::{ActionStatus, Network, Pubkey, VoteScope, tags};
use nostr::event::{EventBuilder, FinalizeEvent as _, Kind, Tag};
use nostr::key::Keys;
use nostr::types::Timestamp;

fn keys(number: u8) -> Keys {
    Keys::parse(&const_hex::encode([number + 1; 32])).unwrap()
}

fn signal(number: u8, at_s: u64, version: &str) -> String {
    let directive = upgrade(version);
    let tags = tags::signal_tags(&directive)
        .into_iter()
        .map(|tag| Tag::parse(tag).unwrap());
    let builder = EventBuilder::new(
        Kind::from(crate::KIND_SIGNAL),
        tags::signal_content(&directive),
    );
    let builder = builder
        .tags(tags)
        .custom_created_at(Timestamp::from_secs(at_s));
    serde_json::to_string(&builder.finalize(&keys(number)).unwrap()).unwrap()
}

fn replayed(events: &[String], log: &[Entry]) -> Replayed {
    let developers = (0..2).map(|number| Pubkey::from(keys(number).public_key()));
    let network = Network::new(network_id("net"), developers, 2).unwrap();
    let events = events.iter().map(String::as_str);
    replay(events, log, vec![network], VoteScope::Network, 1_000)
}

#[test]
fn q7_a_history_is_sound_as_it_was_signed_and_logged() {
    let replaced = append(None, 30, EntryKind::Replaced, signal(0, 10, "1.0.0"));
    let log = [
        replaced.clone(),
        append(
            Some(&replaced),
            31,
            EntryKind::Replaced,
            signal(1, 11, "1.0.0"),
        ),
    ];
    let events = [signal(0, 30, "1.1.0"), signal(1, 31, "1.1.0")];
    let found = replayed(&events, &log);
    assert!(found.is_sound(), "{found:?}");
    assert_eq!((found.signals, found.entries), (4, 2));
    let actions = &found.state.networks[0].actions;
    let seen: Vec<_> = actions
        .iter()
        .map(|action| (action.status, action.quorum_at))
        .collect();
    assert_eq!(
        seen,
        [
            (ActionStatus::Quorum, Some(31)),
            (ActionStatus::Superseded, Some(11))
        ]
    );
}

#[test]
fn q7_whatever_is_wrong_with_a_history_is_said_with_its_place() {
    let forged = signal(0, 30, "1.1.0").replace("v1.1.0.\"", "v6.6.6.\"");
    let found = replayed(
        &[
            signal(1, 5, "1.0.0"),
            forged,
            signal(7, 31, "1.1.0"),
            "{}".to_owned(),
        ],
        &[],
    );
    let places: Vec<&str> = found
        .problems
        .iter()
        .map(|problem| problem.at.as_str())
        .collect();
    assert_eq!(places, ["event 2", "event 3", "event 4"]);
    assert!(
        found.problems[1]
            .problem
            .contains("does not direct network `net`")
    );
    assert!(!found.is_sound());
    let mut entry = append(None, 30, EntryKind::Replaced, signal(0, 10, "1.0.0"));
    entry.at_s += 1;
    let found = replayed(&[], &[entry]);
    assert!(
        found
            .chain_broken
            .is_some_and(|broken| broken.contains("entry 1 was changed"))
    );
}
