//! What is asked for.

use crate::events::{
    EVENTS_A_SECOND, START_S, author, author_hex, event_id, group_hex, hex, popular_before,
};
use trellis_relay::event::EventId;
use trellis_relay::filter::Filter;

/// Filters by name, for a store whose last row this is.
pub(crate) fn filters(last_row: u64) -> Vec<(&'static str, Filter)> {
    let newest_s = START_S + last_row / EVENTS_A_SECOND;
    let followed: Vec<u64> = (0..500).map(|n| 3 + n * 37).collect();
    let half = |from: u64, to: u64| Filter {
        since: Some(from),
        until: Some(to),
        ..Filter::default()
    };
    let middle = START_S + last_row / EVENTS_A_SECOND / 2;
    let popular = hex(&event_id(popular_before(last_row - 1_000)));
    let rare = hex(&event_id(last_row / 2 + 7));
    vec![
        ("newest", Filter::default()),
        ("kind 1", of(&[], &[1], &[])),
        ("kind 30023", of(&[], &[30_023], &[])),
        ("kind 40000, none", of(&[], &[40_000], &[])),
        ("kinds 0 and 40000", of(&[], &[0, 40_000], &[])),
        ("busiest author", of(&[0], &[], &[])),
        ("quiet author", of(&[90_001], &[], &[])),
        ("busiest author, kind 1", of(&[0], &[1], &[])),
        ("busiest author, kind 445", of(&[0], &[445], &[])),
        ("500 authors, kinds 1, 6, 7", of(&followed, &[1, 6, 7], &[])),
        ("500 authors, kind 0", of(&followed, &[0], &[])),
        ("500 authors", of(&followed, &[], &[])),
        ("500 authors, kind 40000", of(&followed, &[40_000], &[])),
        ("#p common", of(&[], &[], &[('p', author_hex(0))])),
        (
            "#p common, kind 1059",
            of(&[], &[1_059], &[('p', author_hex(0))]),
        ),
        (
            "#p common, kind 30023",
            of(&[], &[30_023], &[('p', author_hex(0))]),
        ),
        ("#p rare", of(&[], &[], &[('p', author_hex(90_001))])),
        ("#e popular", of(&[], &[], &[('e', popular.clone())])),
        ("#e rare", of(&[], &[], &[('e', rare)])),
        ("#t common", of(&[], &[], &[('t', "topic0".to_owned())])),
        (
            "#t common, quiet author",
            of(&[90_001], &[], &[('t', "topic0".to_owned())]),
        ),
        (
            "#t common, busiest author",
            of(&[0], &[], &[('t', "topic0".to_owned())]),
        ),
        (
            "#t common and #p common",
            of(
                &[],
                &[],
                &[('t', "topic0".to_owned()), ('p', author_hex(0))],
            ),
        ),
        (
            "#t common and #p rare",
            of(
                &[],
                &[],
                &[('t', "topic0".to_owned()), ('p', author_hex(90_001))],
            ),
        ),
        (
            "#t common, kind 445, none",
            of(&[], &[445], &[('t', "topic0".to_owned())]),
        ),
        ("#h one group", of(&[], &[445], &[('h', group_hex(7))])),
        (
            "#t missing, kind 1",
            of(&[], &[1], &[('t', "nowhere".to_owned())]),
        ),
        (
            "kind 1, a minute in the middle",
            Filter {
                kinds: Some(vec![1]),
                ..half(middle, middle + 60)
            },
        ),
        (
            "busiest author before the middle",
            Filter {
                authors: Some(vec![author(0)]),
                ..half(0, middle)
            },
        ),
        (
            "since beyond the end",
            half(newest_s + 10_000_000, u64::MAX),
        ),
        (
            "quiet author, kind 1, last day",
            Filter {
                authors: Some(vec![author(90_001)]),
                kinds: Some(vec![1]),
                since: Some(newest_s - 86_400),
                ..Filter::default()
            },
        ),
        (
            "100 ids",
            Filter {
                ids: Some(
                    (0..100)
                        .map(|n| EventId::from_byte_array(event_id(n * 977)))
                        .collect(),
                ),
                ..Filter::default()
            },
        ),
    ]
}

fn of(authors: &[u64], kinds: &[u16], tags: &[(char, String)]) -> Filter {
    let mut filter = Filter {
        authors: (!authors.is_empty()).then(|| authors.iter().map(|&n| author(n)).collect()),
        kinds: (!kinds.is_empty()).then(|| kinds.to_vec()),
        ..Filter::default()
    };
    for (letter, value) in tags {
        filter.tags.insert(*letter as u8, vec![value.clone()]);
    }
    filter
}
