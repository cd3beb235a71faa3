//! Good headers, and each way in which one is bad.

#![allow(clippy::unwrap_used)]

use super::*;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use nostr::event::{EventBuilder, FinalizeEvent, Kind, Tag};
use nostr::key::Keys;
use nostr::types::Timestamp;

const URL: &str = "https://relay.example/upload?x=1";
const NOW_S: u64 = 1_700_000_000;

fn header(kind: u16, created_at: u64, tags: &[[&str; 2]]) -> String {
    let keys = Keys::generate();
    let event = EventBuilder::new(Kind::from(kind), "")
        .tags(tags.iter().map(|tag| Tag::parse(*tag).unwrap()))
        .custom_created_at(Timestamp::from_secs(created_at));
    let event = event.finalize(&keys).unwrap();
    let json = serde_json::to_string(&event).unwrap();
    format!("Nostr {}", STANDARD.encode(json))
}

fn good() -> String {
    header(KIND, NOW_S, &[["u", URL], ["method", "PUT"]])
}

fn refusal(header: &str, body: Option<&[u8]>) -> String {
    let body_sha256 = body.map(sha256);
    let checked = check(header, "PUT", URL, body_sha256.as_ref(), NOW_S);
    checked.unwrap_err().to_string()
}

#[test]
fn nip98_a_signed_request_names_its_signer() {
    let header = good();
    let signed = check(&header, "PUT", URL, None, NOW_S + 60).unwrap();
    assert_eq!(signed.created_at, NOW_S);
    assert!(check(&header.replace("Nostr", "nostr"), "put", URL, None, NOW_S).is_ok());
}

#[test]
fn nip98_either_alphabet_of_base64_will_do_with_padding_or_without() {
    // Text with what the alphabets have different signs for.
    let tags = [
        ["u", URL],
        ["method", "PUT"],
        ["a", "???>>>~~~\u{ff}\u{fe}"],
    ];
    let header = header(KIND, NOW_S, &tags);
    let json = STANDARD.decode(&header["Nostr ".len()..]).unwrap();
    let in_url = URL_SAFE_NO_PAD.encode(json);
    assert!(in_url.contains(['-', '_']), "{in_url}");
    let header = format!("Nostr {in_url}");
    assert!(check(&header, "PUT", URL, None, NOW_S).is_ok());
}

#[test]
fn nip98_what_does_not_fit_the_request_is_refused() {
    let tags = [["u", URL], ["method", "PUT"]];
    for (header, says) in [
        ("Bearer x".to_owned(), "Authorization header"),
        ("Nostr".to_owned(), "Authorization header"),
        ("Nostr ?".to_owned(), "Authorization header"),
        (
            format!("Nostr {}", "A".repeat(17_000)),
            "Authorization header",
        ),
        ("Nostr e30=".to_owned(), "not valid"),
        (header(1, NOW_S, &tags), "kind 1, wanted 27235"),
        (header(KIND, NOW_S - 61, &tags), "61 s off"),
        (header(KIND, NOW_S + 61, &tags), "61 s off"),
        (
            header(KIND, NOW_S, &[["u", "https://relay.example/"], tags[1]]),
            "found \"https://relay.example/\", wanted \"https://relay.example/upload?x=1\"",
        ),
        (header(KIND, NOW_S, &tags[1..]), "u tag"),
        (header(KIND, NOW_S, &tags[1..]), "found none, wanted"),
        (header(KIND, NOW_S, &tags[..1]), "method tag"),
        (
            header(KIND, NOW_S, &[tags[0], ["method", "GET"]]),
            "method tag",
        ),
    ] {
        let refusal = refusal(&header, None);
        assert!(refusal.contains(says), "{refusal}");
    }
}

#[test]
fn nip98_a_wrong_url_is_quoted_on_one_line_and_not_at_length() {
    let wrong = format!("https://a.example/\r\n\u{202e}{}", "x".repeat(5_000));
    let said = refusal(
        &header(KIND, NOW_S, &[["u", &wrong], ["method", "PUT"]]),
        None,
    );
    assert!(
        said.contains(r#"found "https://a.example/\r\n\u{202e}xxx"#),
        "{said}"
    );
    assert!(said.contains(r#"x"..., wanted "https://relay"#), "{said}");
    assert!(said.chars().count() < 500 && !said.contains(['\n', '\u{202e}']));
}

#[test]
fn nip98_a_body_is_covered_by_its_hash() {
    let body = b"file";
    let hash = const_hex::encode(sha256(body));
    let covered = header(
        KIND,
        NOW_S,
        &[["u", URL], ["method", "PUT"], ["payload", &hash]],
    );
    assert!(check(&covered, "PUT", URL, Some(&sha256(body)), NOW_S).is_ok());
    assert!(refusal(&covered, Some(b"other")).contains("payload tag"));
    assert!(refusal(&good(), Some(body)).contains("payload tag"));
}

#[test]
fn nip98_a_forged_event_is_refused() {
    let json = STANDARD.decode(good().split_once(' ').unwrap().1).unwrap();
    let json = String::from_utf8(json).unwrap();
    let forged = json.replace(r#""content":"""#, r#""content":"x""#);
    assert_ne!(json, forged);
    let header = format!("Nostr {}", STANDARD.encode(forged));
    assert!(refusal(&header, None).contains("not valid"));
}

#[test]
fn nip98_a_header_serves_one_request() {
    let guard = ReplayGuard::default();
    let signed = check(&good(), "PUT", URL, None, NOW_S).unwrap();
    assert!(guard.first_time(&signed, None, NOW_S).is_ok());
    let again = guard.first_time(&signed, None, NOW_S + 60).unwrap_err();
    assert!(matches!(again, Nip98Error::Replayed));
}

#[test]
fn nip98_the_guard_is_bounded_and_forgets_what_is_over() {
    let guard = ReplayGuard::default();
    let signed = |number: u64, created_at| {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        Signed {
            pubkey: PublicKey::from_byte_array([1; 32]),
            id: EventId::from_byte_array(id),
            created_at,
            good_until_s: created_at + WINDOW_S,
            payload_sha256: None,
        }
    };
    for number in 0..REMEMBERED as u64 {
        guard
            .first_time(&signed(number, NOW_S), None, NOW_S)
            .unwrap();
    }
    let full = guard.first_time(&signed(u64::MAX, NOW_S), None, NOW_S);
    assert!(matches!(full, Err(Nip98Error::Busy)));
    let later = NOW_S + WINDOW_S + 1;
    assert!(
        guard
            .first_time(&signed(u64::MAX, later), None, later)
            .is_ok()
    );
}

#[test]
fn e11_one_address_cannot_fill_the_guard() {
    let guard = ReplayGuard::default();
    let mut numbers = 0u64..;
    let mut sign = || {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&numbers.next().unwrap().to_be_bytes());
        Signed {
            pubkey: PublicKey::from_byte_array([1; 32]),
            id: EventId::from_byte_array(id),
            created_at: NOW_S,
            good_until_s: NOW_S + WINDOW_S,
            payload_sha256: None,
        }
    };
    let stranger = Some([192, 0, 2, 1].into());
    while guard.first_time(&sign(), stranger, NOW_S).is_ok() {}
    let refused = guard.first_time(&sign(), stranger, NOW_S);
    assert!(matches!(refused, Err(Nip98Error::Busy)));
    let user = Some([192, 0, 2, 2].into());
    for _ in 0..1_000 {
        guard.first_time(&sign(), user, NOW_S).unwrap();
    }
    let later = NOW_S + WINDOW_S + 1;
    assert!(guard.first_time(&sign(), stranger, later).is_ok());
}

#[test]
fn nip98_what_was_signed_before_the_start_is_refused_while_it_is_good() {
    let guard = ReplayGuard::starting(NOW_S);
    let signed = |created_at| {
        let header = header(KIND, created_at, &[["u", URL], ["method", "PUT"]]);
        check(&header, "PUT", URL, None, NOW_S).unwrap()
    };
    let old = signed(NOW_S - 5);
    let refused = guard
        .first_time(&old, None, NOW_S + 3)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("5 s older than the start"), "{refused}");
    for created_at in [NOW_S, NOW_S + 30] {
        assert!(guard.first_time(&signed(created_at), None, NOW_S).is_ok());
    }
    // A clock that ran ahead at the start and was corrected locks nobody out.
    let guard = ReplayGuard::starting(NOW_S + 3_600);
    assert!(guard.first_time(&signed(NOW_S), None, NOW_S).is_ok());
}
