//! The parts that need no relay.

#![allow(clippy::unwrap_used)]

use crate::bech32;
use crate::span::{Moment, ago, moment, seconds};
use crate::table::{Table, harmless};

#[test]
fn t1_addresses_are_checked_to_the_last_letter() {
    let contract = "z1qxemdeddedxpyllarxxxxxxxxxxxxxxxsy3fmg";
    assert_eq!(bech32::decode("z", contract).unwrap().len(), 20);
    assert_eq!(bech32::decode("z", contract).unwrap()[0], 1);
    for wrong in [
        "z1qxemdeddedxpyllarxxxxxxxxxxxxxxxsy3fmq",
        "z1",
        "y1qxemd",
        "",
        "z1qxemdeddedxb",
    ] {
        assert!(bech32::decode("z", wrong).is_none(), "{wrong}");
    }
}

#[test]
fn t1_spans_and_moments_are_read_as_people_write_them() {
    let cases = [
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("2h", 7_200),
        ("7d", 604_800),
    ];
    for (text, expected) in cases {
        assert_eq!(seconds(text), Ok(expected));
    }
    for wrong in ["", "m", "1y", "-1s", "99999999999999999999d"] {
        assert!(seconds(wrong).is_err(), "{wrong}");
    }
    assert_eq!(moment("+15m"), Ok(Moment::In(900)));
    assert_eq!(moment("1790000000"), Ok(Moment::At(1_790_000_000)));
    assert!(moment("tomorrow").is_err());
    assert_eq!(ago(100, 160), "60s ago");
    assert_eq!(ago(10_000, 100), "in 2h");
}

#[test]
fn t1_what_strangers_wrote_does_not_reach_the_terminal_as_it_is() {
    assert_eq!(harmless("a\u{1b}[31mb\nc\u{202e}d"), "a?[31mb?c?d");
    assert_eq!(harmless(&"x".repeat(500)).chars().count(), 161);
    let mut table = Table::new(&["A", "LONGER"]);
    table.row(["wide cell".to_owned(), "x\u{7}".to_owned()]);
    assert_eq!(table.to_string(), "A          LONGER\nwide cell  x?\n");
}
