//! Forms that are taken and forms that are not, by kind.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::{Config, PackageTag};
use std::path::Path;
use trellis_relay::testing::{Author, Draft};

/// The time of the tests.
const NOW_S: u64 = 1_700_000_000;
const DAY_S: u64 = 86_400;

fn settings() -> Settings {
    let config = Config::default();
    config.settle(|_| None, Path::new(".")).unwrap()
}

fn draft(kind: u16) -> Draft {
    Author::new(1).draft(kind).at(NOW_S).content("AAEC")
}

/// What is said of a draft of this kind with these tags.
fn said(kind: u16, tags: &[[&str; 2]]) -> String {
    said_of(tags.iter().fold(draft(kind), |draft, tag| draft.tag(*tag)))
}

fn said_of(draft: Draft) -> String {
    match check(&draft.sign(), &settings(), NOW_S) {
        Ok(()) => "fine".to_owned(),
        Err(reason) => reason.to_string(),
    }
}

/// The prefix of what is said, or "fine".
fn verdict(said: &str) -> &str {
    said.split(':').next().unwrap()
}

#[track_caller]
fn assert_all(kind: u16, cases: &[(&[[&str; 2]], &str)]) {
    for (tags, expected) in cases {
        let said = said(kind, tags);
        assert_eq!(verdict(&said), *expected, "{kind} {tags:?}: {said}");
    }
}

fn key(number: u64) -> String {
    Author::new(number).pubkey().to_hex()
}

#[test]
fn m1_the_owner_is_the_author_and_the_end_lies_ahead() {
    let (me, other) = (key(1), key(2));
    let ahead = (NOW_S + 1).to_string();
    let now = NOW_S.to_string();
    for kind in [KEY_PACKAGE, ADDRESSABLE_KEY_PACKAGE] {
        assert_all(
            kind,
            &[
                (&[], "fine"),
                (&[["p", &me], ["exp", &ahead]], "fine"),
                (&[["p", &other]], "invalid"),
                (&[["p", &me], ["p", &me]], "invalid"),
                (&[["p", ""]], "invalid"),
                (&[["exp", &now]], "invalid"),
                (&[["exp", "soon"]], "invalid"),
                (&[["exp", "-1"]], "invalid"),
                (&[["exp", "+1900000000"]], "invalid"),
                (&[["exp", "18446744073709551616"]], "invalid"),
                (&[["exp", &ahead], ["exp", &ahead]], "invalid"),
            ],
        );
    }
}

#[test]
fn m1_the_end_is_what_the_tag_or_the_relay_says_and_30_days_at_most() {
    let end = |kind, exp: Option<u64>| {
        let draft = draft(kind).at(NOW_S - DAY_S);
        let draft = match exp {
            Some(exp) => draft.tag(["exp", &exp.to_string()]),
            None => draft,
        };
        let package = key_package::read(&draft.sign(), &settings(), NOW_S);
        package.unwrap().expires_at_s
    };
    assert_eq!(end(KEY_PACKAGE, None), Some(NOW_S + 6 * DAY_S));
    assert_eq!(end(KEY_PACKAGE, Some(NOW_S + 5)), Some(NOW_S + 5));
    assert_eq!(end(KEY_PACKAGE, Some(u64::MAX)), Some(NOW_S + 29 * DAY_S));
    let far = Some(NOW_S + 3650 * DAY_S);
    assert_eq!(end(ADDRESSABLE_KEY_PACKAGE, far), Some(NOW_S + 29 * DAY_S));
    assert_eq!(end(ADDRESSABLE_KEY_PACKAGE, None), None);
    let ended = "invalid: the KeyPackage has expired already";
    assert_eq!(said_of(draft(KEY_PACKAGE).at(NOW_S - 7 * DAY_S)), ended);
    for kind in [KEY_PACKAGE, ADDRESSABLE_KEY_PACKAGE] {
        let exp = (NOW_S + DAY_S).to_string();
        let old = draft(kind).tag(["exp", &exp]).at(NOW_S - 30 * DAY_S);
        assert_eq!(said_of(old), ended, "{kind}");
    }
}

#[test]
fn m2_the_content_is_what_its_encoding_says_and_something() {
    for (content, encoding, expected) in [
        ("AAEC", None, "fine"),
        ("AAE", None, "fine"),
        ("AAE=", Some("base64"), "fine"),
        ("00ff", Some("hex"), "fine"),
        ("00FF", None, "fine"),
        ("00f", Some("hex"), "invalid"),
        ("AAEz", Some("hex"), "invalid"),
        ("not in any of them", None, "invalid"),
        ("AA!C", Some("base64"), "invalid"),
        ("", None, "invalid"),
        ("", Some("hex"), "invalid"),
        ("AAEC", Some("base32"), "invalid"),
    ] {
        let draft = draft(KEY_PACKAGE).content(content);
        let draft = match encoding {
            Some(encoding) => draft.tag(["encoding", encoding]),
            None => draft,
        };
        let said = said_of(draft);
        assert_eq!(verdict(&said), expected, "{content:?} {encoding:?}: {said}");
    }
}

#[test]
fn m2_any_ciphersuite_is_taken_and_the_known_are_known() {
    assert_all(
        KEY_PACKAGE,
        &[
            (&[["cs", "SOMETHING_NEW"]], "fine"),
            (&[["kpr", ""]], "invalid"),
        ],
    );
    for known in [
        "1",
        "0x0001",
        "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
        "MLS_128_DHKEMX25519",
    ] {
        assert!(key_package::is_known(known), "{known}");
    }
    for unknown in ["", "0", "8", "MLS", "MLS_128_DHKEM", "SOMETHING_NEW"] {
        assert!(!key_package::is_known(unknown), "{unknown}");
    }
}

#[test]
fn m1_tags_that_the_operator_asks_for_must_be_there() {
    let mut settings = settings();
    settings.keypackage_require_tags = [PackageTag::Cs, PackageTag::Kpr].into();
    let missing = draft(KEY_PACKAGE).tag(["cs", "1"]).sign();
    let refused = check(&missing, &settings, NOW_S).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "invalid: there is no kpr tag, exactly one is needed"
    );
    let whole = draft(KEY_PACKAGE).tag(["cs", "1"]).tag(["kpr", "a"]);
    assert_eq!(check(&whole.sign(), &settings, NOW_S), Ok(()));
}

#[test]
fn m7_a_welcome_must_be_wrapped() {
    let said = said(WELCOME, &[["h", "abc"]]);
    assert_eq!(said, "blocked: kind 444 must be gift-wrapped");
}

#[test]
fn m8_a_group_message_names_one_group_and_its_epoch_is_a_number() {
    let id = key(7);
    let long = "x".repeat(257);
    assert_all(
        GROUP_MESSAGE,
        &[
            (&[["h", "grp_abc"]], "fine"),
            (&[["h", "grp_abc"], ["k", "42"]], "fine"),
            (&[["h", "grp_abc"], ["e", "42"]], "fine"),
            (&[["h", "grp_abc"], ["e", &id]], "fine"),
            (&[], "invalid"),
            (&[["h", ""]], "invalid"),
            (&[["h", &long]], "invalid"),
            (&[["h", "a"], ["h", "a"]], "invalid"),
            (&[["h", "a"], ["k", "x"]], "invalid"),
            (&[["h", "a"], ["k", "18446744073709551616"]], "invalid"),
        ],
    );
    let epoch = |tags: &[[&str; 2]]| {
        let draft = draft(GROUP_MESSAGE).tag(["h", "a"]);
        let draft = tags.iter().fold(draft, |draft, tag| draft.tag(*tag));
        group_message::read(&draft.sign()).unwrap().epoch
    };
    assert_eq!(epoch(&[["k", "42"], ["e", "41"]]), Some(42));
    assert_eq!(epoch(&[["e", &id], ["e", "41"]]), Some(41));
    assert_eq!(epoch(&[["e", &id]]), None);
}

#[test]
fn m11_a_noise_message_has_one_recipient_and_a_known_version() {
    let (one, two) = (key(2), key(3));
    let upper = one.to_uppercase();
    assert_all(
        NOISE_MESSAGE,
        &[
            (&[["p", &one]], "fine"),
            (&[["p", &one], ["v", "noise.1"]], "fine"),
            (&[["p", &one], ["v", "noise.2"]], "invalid"),
            (&[["p", &one], ["p", &two]], "invalid"),
            (&[["p", "abcd"]], "invalid"),
            (&[["p", &upper]], "invalid"),
            (&[], "invalid"),
        ],
    );
}

#[test]
fn m12_a_gift_wrap_has_one_recipient_and_may_name_a_group() {
    let (one, two) = (key(2), key(3));
    assert_all(
        GIFT_WRAP,
        &[
            (&[["p", &one]], "fine"),
            (&[["p", &one], ["h", "grp_abc"]], "fine"),
            (&[["p", &one], ["h", ""]], "invalid"),
            (&[["p", &one], ["h", "a"], ["h", "b"]], "invalid"),
            (&[["p", &one], ["p", &two]], "invalid"),
            (&[["h", "grp_abc"]], "invalid"),
        ],
    );
    let mut settings = settings();
    settings.giftwrap_require_h = true;
    let bare = draft(GIFT_WRAP).tag(["p", &one]).sign();
    assert!(check(&bare, &settings, NOW_S).is_err());
}

#[test]
fn m13_a_request_for_packages_has_one_recipient_a_sensible_number_and_an_end() {
    let one = key(2);
    assert_all(
        KEY_PACKAGE_REQUEST,
        &[
            (&[["p", &one]], "fine"),
            (&[["p", &one], ["min", "1"]], "fine"),
            (&[["p", &one], ["min", "100"]], "fine"),
            (&[["p", &one], ["min", "0"]], "invalid"),
            (&[["p", &one], ["min", "101"]], "invalid"),
            (&[["p", &one], ["min", "few"]], "invalid"),
            (&[["p", &one], ["ttl", "never"]], "invalid"),
            (&[["p", &one], ["ttl", "0"]], "invalid"),
            (&[["min", "5"]], "invalid"),
        ],
    );
    let end = |ttl: &str| {
        let draft = draft(KEY_PACKAGE_REQUEST).tag(["p", &one]);
        let event = draft.tag(["ttl", ttl]).sign();
        let request = package_request::read(&event, &settings(), NOW_S);
        request.unwrap().expires_at_s
    };
    assert_eq!(end("60"), NOW_S + 60);
    assert_eq!(end("18446744073709551615"), NOW_S + 7 * DAY_S);
}

#[test]
fn m14_a_roster_event_names_group_number_operation_and_members() {
    let one = key(2);
    let case = |op, role: Option<&str>| {
        let mut tags = vec![["h", "g"], ["seq", "1"], ["op", op], ["p", &one]];
        tags.extend(role.map(|role| ["role", role]));
        let said = said(ROSTER, &tags);
        verdict(&said).to_owned()
    };
    for op in ["add", "remove", "promote", "demote", "bootstrap", "replace"] {
        assert_eq!(case(op, None), "fine", "{op}");
    }
    assert_eq!(case("rename", None), "invalid");
    assert_eq!(case("promote", Some("owner")), "fine");
    assert_eq!(case("promote", Some("member")), "invalid");
    assert_eq!(case("promote", Some("king")), "invalid");
    assert_eq!(case("demote", Some("member")), "fine");
    assert_all(
        ROSTER,
        &[
            (&[["h", "g"], ["seq", "1"], ["op", "bootstrap"]], "fine"),
            (&[["h", "g"], ["seq", "1"], ["op", "add"]], "invalid"),
            (&[["h", "g"], ["seq", "0"], ["op", "bootstrap"]], "invalid"),
            (&[["h", "g"], ["seq", "x"], ["op", "bootstrap"]], "invalid"),
            (&[["h", "g"], ["op", "bootstrap"]], "invalid"),
            (&[["seq", "1"], ["op", "bootstrap"]], "invalid"),
            (&[["h", "g"], ["seq", "1"]], "invalid"),
            (
                &[["h", "g"], ["seq", "1"], ["op", "bootstrap"], ["p", "x"]],
                "invalid",
            ),
        ],
    );
}
