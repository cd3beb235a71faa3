//! Shows that rows and lists say the same.

use super::*;

fn standing(verdict: Verdict) -> Standing {
    Standing {
        verdict,
        reason: "because".to_owned(),
        to_purge: false,
    }
}

#[test]
fn c15_a_row_says_what_was_decided_and_its_end_takes_it_back() {
    let mut moderation = Moderation::default();
    let key = PublicKey::from_byte_array([7; 32]);
    let id = EventId::from_byte_array([8; 32]);
    let network = "10.0.0.0/8".parse().expect("a network");
    for subject in [
        Subject::Pubkey(key),
        Subject::Event(id),
        Subject::Kind(4),
        Subject::Address(network),
    ] {
        let row = Row::of(&subject, Some(&standing(Verdict::Denied)));
        moderation.take(&row).expect("a row");
        let read = row.standing().expect("a row").expect("a standing");
        assert_eq!(read, (subject, standing(Verdict::Denied)));
    }
    assert_eq!(moderation.len(), 4);
    assert!(moderation.bans(&id, &PublicKey::from_byte_array([1; 32])));
    assert!(moderation.bans(&EventId::from_byte_array([1; 32]), &key));
    assert!(!moderation.takes_kind(4) && moderation.takes_kind(5));
    assert!(moderation.blocked_addresses.contains([10, 1, 1, 1].into()));
    // Allowed instead: one row, one standing.
    let row = Row::of(&Subject::Pubkey(key), Some(&standing(Verdict::Allowed)));
    moderation.take(&row).expect("a row");
    assert!(moderation.allowed_pubkeys.contains(&key) && !moderation.banned_pubkeys.contains(&key));
    assert_eq!(moderation.len(), 4);
    moderation
        .take(&Row::of(&Subject::Kind(4), None))
        .expect("a row");
    assert!(moderation.takes_kind(4));
    assert_eq!(moderation.len(), 3);
}

#[test]
fn c10_allowed_kinds_shut_the_others_out() {
    let mut moderation = Moderation::default();
    let mut decide = |kind, verdict| {
        let row = Row::of(&Subject::Kind(kind), Some(&standing(verdict)));
        moderation.take(&row).expect("a row");
        moderation.clone()
    };
    assert!(decide(1, Verdict::Allowed).takes_kind(1));
    let moderation = decide(3, Verdict::Allowed);
    assert_eq!(
        [0, 1, 2, 3].map(|kind| moderation.takes_kind(kind)),
        [false, true, false, true]
    );
    let moderation = decide(1, Verdict::Denied);
    assert_eq!(moderation.allowed_kinds, Kinds::from(3));
    assert_eq!(moderation.disallowed_kinds, Kinds::from(1));
}

#[test]
fn c10_settings_survive_as_a_row_and_empty_ones_are_none() {
    let settings = Settings {
        name: Some("by hand".to_owned()),
        ..Settings::default()
    };
    let mut moderation = Moderation::default();
    moderation
        .take(&Row::of_settings(&settings))
        .expect("a row");
    assert_eq!(moderation.settings, settings);
    moderation
        .take(&Row::of_settings(&Settings::default()))
        .expect("a row");
    assert!(moderation.is_empty());
    assert!(moderation.settings.is_empty());
}

#[test]
fn c15_a_row_that_makes_no_sense_is_named_as_damage() {
    let row = |key: &[u8], value: &[u8]| Row {
        key: key.to_vec(),
        value: Some(value.to_vec()),
    };
    for bad in [
        row(b"x", b"\0"),
        row(b"p123", b"\0"),
        row(b"k12", b""),
        row(b"s", b"{"),
    ] {
        assert!(Moderation::default().take(&bad).is_err());
    }
}

#[test]
fn c15_a_hundred_thousand_banned_keys_are_loaded_and_told_apart_from_others() {
    use crate::store::{NoPolicy, Store as _, Write, memory::MemoryStore};
    const KEYS: u32 = 100_000;
    let key = |number: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        PublicKey::from_byte_array(bytes)
    };
    let store = MemoryStore::default();
    let writes: Vec<Write> = (0..KEYS)
        .map(|number| {
            Row::of(
                &Subject::Pubkey(key(number)),
                Some(&standing(Verdict::Denied)),
            )
        })
        .map(|row| Write::Kv {
            extension: SPACE.to_owned(),
            key: row.key,
            value: row.value,
        })
        .collect();
    store.commit(&writes, &NoPolicy, 0).expect("a commit");
    let moderation = Moderation::load(&store).expect("the rows");
    assert_eq!(moderation.banned_pubkeys.len(), KEYS as usize);
    assert!((0..KEYS).all(|number| moderation.banned_pubkeys.contains(&key(number))));
    assert!((KEYS..2 * KEYS).all(|number| !moderation.banned_pubkeys.contains(&key(number))));
}

#[test]
fn c10_every_kind_there_is_can_be_decided_about_at_once() {
    let rows = |verdict: Option<Verdict>| -> Vec<Row> {
        let standing = verdict.map(standing);
        let row = |kind| Row::of(&Subject::Kind(kind), standing.as_ref());
        (0..=u16::MAX)
            .filter(|kind| kind % 2 == 0)
            .map(row)
            .collect()
    };
    let mut moderation = Moderation::default();
    moderation
        .take_all(&rows(Some(Verdict::Allowed)))
        .expect("rows");
    assert_eq!(moderation.allowed_kinds.len(), 32_768);
    assert!(moderation.takes_kind(2) && !moderation.takes_kind(3));
    moderation
        .take_all(&rows(Some(Verdict::Denied)))
        .expect("rows");
    assert_eq!(moderation.allowed_kinds.len(), 0);
    assert!(!moderation.takes_kind(2) && moderation.takes_kind(3));
    moderation.take_all(&rows(None)).expect("rows");
    assert!(moderation.is_empty());
}
