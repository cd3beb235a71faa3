//! Whatever hooks do, a filter only shrinks.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::event::EventParts;
use proptest::prelude::*;

fn narrowed(kinds: Option<&[u16]>) -> Narrowed {
    Narrowed::new(Filter {
        kinds: kinds.map(<[u16]>::to_vec),
        ..Filter::default()
    })
}

#[test]
fn e2_many_kinds_to_keep_become_few_to_exclude() {
    let mut few = narrowed(None);
    Narrow::new(&mut few).retain_kinds(&Kinds::from(1..=10));
    assert_eq!(few.filter.kinds, Some((1..=10).collect()));

    let mut many = narrowed(None);
    Narrow::new(&mut many).retain_kinds(&Kinds::from(0..=30_000));
    assert_eq!(many.filter.kinds, None);
    assert_eq!(many.excluded, Kinds::from(30_001..=u16::MAX));
}

#[test]
fn e2_what_was_excluded_stays_out_of_a_list_that_comes_later() {
    let mut narrowed = narrowed(None);
    let mut narrow = Narrow::new(&mut narrowed);
    narrow
        .drop_kinds(&4.into())
        .retain_kinds(&Kinds::from([4, 5]));
    assert_eq!(narrowed.filter.kinds, Some(vec![5]));
    assert!(narrowed.excluded.is_empty());
}

#[test]
fn e2_dropping_every_kind_leaves_nothing() {
    let mut all = narrowed(None);
    Narrow::new(&mut all).drop_kinds(&Kinds::all());
    assert!(all.is_empty());
    let mut some = narrowed(Some(&[1]));
    Narrow::new(&mut some).nothing();
    assert!(some.is_empty());
}

/// One thing that a hook may do.
#[derive(Clone, Debug)]
enum Step {
    Drop(Vec<u16>),
    Retain(Vec<u16>),
    Authors(Vec<u8>),
    Tag(Vec<String>),
    Since(u64),
    Until(u64),
    Limit(usize),
    Test(Vec<u16>, u64),
    Nothing,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kinds = || prop::collection::vec(0u16..4, 0..4);
    let step = prop_oneof![
        kinds().prop_map(Step::Drop),
        kinds().prop_map(Step::Retain),
        prop::collection::vec(0u8..3, 0..3).prop_map(Step::Authors),
        prop::collection::vec("[a-c]", 0..3).prop_map(Step::Tag),
        (0u64..4).prop_map(Step::Since),
        (0u64..4).prop_map(Step::Until),
        (0usize..4).prop_map(Step::Limit),
        (kinds(), 0u64..4).prop_map(|(kinds, second)| Step::Test(kinds, second)),
        Just(Step::Nothing),
    ];
    prop::collection::vec(step, 0..5)
}

fn filters() -> impl Strategy<Value = Filter> {
    let kinds = prop::option::of(prop::collection::btree_set(0u16..4, 0..4));
    let tag = prop::option::of(prop::collection::btree_set("[a-c]", 0..3));
    (kinds, tag, prop::option::of(0u64..4)).prop_map(|(kinds, tag, since)| Filter {
        kinds: kinds.map(|kinds| kinds.into_iter().collect()),
        tags: tag
            .map(|values| (b't', values.into_iter().collect()))
            .into_iter()
            .collect(),
        since,
        ..Filter::default()
    })
}

fn event(kind: u16, author: u8, created_at: u64, tag: &str) -> Event {
    EventParts {
        id: &[7; 32],
        pubkey: &[author; 32],
        created_at,
        kind,
        tags_json: &format!(r#"[["t","{tag}"]]"#),
        content_json: r#""""#,
        sig: &[7; 64],
    }
    .assemble()
}

proptest! {
    #[test]
    fn e2_a_filter_only_shrinks(filter in filters(), steps in steps()) {
        let mut narrowed = Narrowed::new(filter.clone());
        let mut narrow = Narrow::new(&mut narrowed);
        let mut tests = Vec::new();
        for step in steps {
            match step {
                Step::Drop(kinds) => narrow.drop_kinds(&kinds.into_iter().collect()),
                Step::Retain(kinds) => narrow.retain_kinds(&kinds.into_iter().collect()),
                Step::Authors(authors) => narrow.retain_authors(
                    authors.into_iter().map(|byte| PublicKey::from_byte_array([byte; 32])),
                ),
                Step::Tag(values) => narrow.retain_tag(b't', values),
                Step::Since(seconds) => narrow.since(seconds),
                Step::Until(seconds) => narrow.until(seconds),
                Step::Limit(events) => narrow.limit(events),
                Step::Test(kinds, second) => {
                    tests.push((kinds.clone(), second));
                    let kinds: Kinds = kinds.into_iter().collect();
                    narrow.retain_events(&kinds, move |event| event.created_at() == second)
                }
                Step::Nothing => narrow.nothing(),
            };
        }
        let mut tidy = narrowed.filter.clone();
        tidy.normalize();
        prop_assert_eq!(&tidy, &narrowed.filter, "lists stay sorted");
        for kind in 0..5 {
            for author in 0..4 {
                for created_at in 0..5 {
                    let event = event(kind, author, created_at, ["a", "b", "c", "d"][usize::from(kind) % 4]);
                    prop_assert!(!narrowed.matches(&event) || filter.matches(&event));
                    let fails = |(kinds, second): &(Vec<u16>, u64)| kinds.contains(&kind) && created_at != *second;
                    prop_assert!(!tests.iter().any(fails) || !narrowed.matches(&event) && !narrowed.admits(&event));
                }
            }
        }
    }
}

#[test]
fn e6_more_values_than_a_filter_can_hold_leave_nothing() {
    let keys = |count: u32| {
        (0..count).map(|number| {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&number.to_be_bytes());
            PublicKey::from_byte_array(key)
        })
    };
    let most = u32::try_from(KEPT_VALUES_MAX).unwrap();
    let mut full = narrowed(None);
    let mut narrow = Narrow::new(&mut full);
    narrow.retain_authors(keys(most));
    assert!(narrow.finish().is_ok());
    assert_eq!(full.filter.authors.unwrap().len(), KEPT_VALUES_MAX);

    let mut overfull = narrowed(None);
    let mut narrow = Narrow::new(&mut overfull);
    narrow.retain_authors(keys(most + 1));
    assert!(narrow.finish().is_err());
    assert!(overfull.is_empty());

    // Those that the client named are a bound already.
    let mut named = narrowed(None);
    named.filter.authors = Some(keys(2).collect());
    let mut narrow = Narrow::new(&mut named);
    narrow.retain_authors(keys(most + 1).skip(1));
    assert!(narrow.finish().is_ok());
    assert_eq!(named.filter.authors, Some(keys(2).skip(1).collect()));
}

#[test]
fn e2_a_test_is_of_its_kinds_and_of_one_filter_and_a_panic_hides() {
    let (mut tested, untested) = (narrowed(None), narrowed(None));
    let mut narrow = Narrow::new(&mut tested);
    narrow
        .retain_events(&Kinds::from(1..=2), |event| event.created_at() > 1)
        .retain_events(&2.into(), |_| panic!("as asked"));
    assert!(!tested.matches(&event(1, 0, 1, "a")) && tested.matches(&event(1, 0, 2, "a")));
    assert!(!tested.matches(&event(2, 0, 2, "a")));
    assert!(tested.matches(&event(3, 0, 0, "a")));
    assert!(untested.matches(&event(2, 0, 0, "a")));
    assert_eq!(tested.tested_kinds(), Kinds::from(1..=2));
    assert_eq!(untested.tested_kinds(), Kinds::none());
}

#[test]
fn e6_more_tests_than_a_filter_can_hold_leave_nothing() {
    let mut tested = narrowed(None);
    let mut narrow = Narrow::new(&mut tested);
    for _ in 0..TESTS_MAX {
        narrow.retain_events(&1.into(), |_| true);
    }
    assert!(narrow.finish().is_ok());
    narrow.retain_events(&1.into(), |_| true);
    assert!(narrow.finish().is_err());
    assert!(tested.is_empty());
}
