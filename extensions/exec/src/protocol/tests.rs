//! The protocol without processes.

#![allow(clippy::unwrap_used)]

use super::*;
use nostr::event::{EventBuilder, Kind};
use nostr::key::Keys;
use proptest::prelude::*;
use std::sync::Arc;
use trellis_relay::event::PublicKey;
use trellis_relay::testing::sign;

fn note(keys: &Keys) -> Arc<Event> {
    let content = "a \"note\"\n\u{1f600} \\ \u{7}";
    sign(EventBuilder::new(Kind::TextNote, content), keys)
}

fn viewer(ip: &str) -> Viewer {
    Viewer::new(7, ip.parse().unwrap())
}

fn json_of(question: &Question) -> Value {
    let line = std::str::from_utf8(&question.line).unwrap();
    let body = line.strip_suffix('\n').unwrap();
    assert!(!body.contains('\n'), "one line: {line}");
    serde_json::from_str(body).unwrap()
}

fn read(line: &str) -> Verdict {
    Reply::read(line.as_bytes()).unwrap().verdict.unwrap()
}

#[test]
fn e12_an_event_goes_out_in_the_bytes_that_were_signed() {
    let keys = Keys::generate();
    let event = note(&keys);
    let question = Question::event(&event, &viewer("192.0.2.7"), 1_700_000_000);
    let line = std::str::from_utf8(&question.line).unwrap();
    let signed = std::str::from_utf8(event.json()).unwrap();
    assert!(line.starts_with(&format!(r#"{{"type":"new","event":{signed},"#)));
    let json = json_of(&question);
    assert_eq!(json["receivedAt"], 1_700_000_000);
    assert_eq!(json["sourceType"], "IP4");
    assert_eq!(json["sourceInfo"], "192.0.2.7");
    assert_eq!(json.get("authed"), None);
    assert_eq!(question.id, event.id().to_hex());
}

#[test]
fn e12_the_source_is_named_as_strfry_names_it() {
    let event = note(&Keys::generate());
    let of = |viewer: &Viewer| json_of(&Question::event(&event, viewer, 1));
    assert_eq!(of(&viewer("2001:db8::1"))["sourceType"], "IP6");
    let mapped = of(&viewer("::ffff:192.0.2.7"));
    assert_eq!(
        (&mapped["sourceType"], &mapped["sourceInfo"]),
        (&json!("IP4"), &json!("192.0.2.7"))
    );
    let relay = Viewer::relay(PublicKey::from_byte_array([1; 32]));
    assert_eq!(of(&relay)["sourceType"], "Stored");
}

#[test]
fn e12_of_several_keys_the_author_s_is_the_one_that_is_authed() {
    let author = Keys::generate();
    let (low, high) = (
        PublicKey::from_byte_array([0; 32]),
        PublicKey::from_byte_array([255; 32]),
    );
    let event = note(&author);
    let others = viewer("192.0.2.7").with_pubkey(high).with_pubkey(low);
    let json = json_of(&Question::event(&event, &others, 1));
    assert_eq!(json["authed"], low.to_hex());
    assert_eq!(json["authedKeys"], json!([low.to_hex(), high.to_hex()]));
    let all = others.with_pubkey(author.public_key());
    let json = json_of(&Question::event(&event, &all, 1));
    assert_eq!(json["authed"], author.public_key().to_hex());
    assert_eq!(json["authedKeys"].as_array().unwrap().len(), 3);
}

#[test]
fn e12_a_request_goes_out_with_its_filter() {
    let text = r##"{"kinds":[1,445],"#h":["a"],"since":1,"until":9,"limit":5,"authors":["00"]}"##;
    let text = text.replace("00", &"00".repeat(32));
    let filter = Filter::parse(&text, &FilterLimits::default()).unwrap();
    for (verb, kind) in [
        (Verb::Req, "req"),
        (Verb::Count, "count"),
        (Verb::Neg, "neg"),
    ] {
        let question = Question::request("q1".to_owned(), verb, &filter, &viewer("192.0.2.7"));
        let json = json_of(&question);
        assert_eq!((&json["type"], &json["id"]), (&json!(kind), &json!("q1")));
        let sent: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["filters"], json!([sent]));
    }
}

#[test]
fn e12_answers_are_read_as_strfry_reads_them() {
    let Verdict::Accept(_) = read(r#"{"id":"a","action":"accept","extra":[1]}"#) else {
        panic!("not accepted");
    };
    assert_eq!(
        read(r#"{"id":"a","action":"shadowReject","msg":"x"}"#),
        Verdict::ShadowReject
    );
    let rejected = read(r#"{"id":"a","action":"reject","msg":"blocked: no"}"#);
    assert_eq!(rejected, Verdict::Reject(Reason::blocked("no")));
    let silent = read(r#"{"id":"a","action":"reject","msg":null}"#);
    assert!(matches!(silent, Verdict::Reject(reason) if reason.prefix == Prefix::Blocked));
    for line in ["", "nonsense", "[1]", "\"id\""] {
        assert_eq!(Reply::read(line.as_bytes()), Err(BadLine::NotAnObject));
    }
    for line in ["{}", r#"{"id":7,"action":"accept"}"#] {
        assert_eq!(Reply::read(line.as_bytes()), Err(BadLine::NoId));
    }
    for line in [r#"{"id":"a"}"#, r#"{"id":"a","action":"Accept"}"#] {
        assert!(Reply::read(line.as_bytes()).unwrap().verdict.is_err());
    }
}

#[test]
fn e12_messages_get_a_prefix_of_nip_01() {
    for (msg, wanted) in [
        ("blocked: not on the list", "blocked: not on the list"),
        ("rate-limited:slow down", "rate-limited: slow down"),
        ("not on the list", "blocked: not on the list"),
        ("see: example.org", "blocked: see: example.org"),
        ("Blocked: loud", "blocked: Blocked: loud"),
        ("line\r\nbreak\u{0}", "blocked: linebreak"),
        ("", "blocked: the policy of this relay does not allow it"),
        ("pow:", "pow: the policy of this relay does not allow it"),
    ] {
        assert_eq!(reason(msg).to_string(), wanted, "{msg:?}");
    }
}

#[test]
fn e12_what_a_viewer_may_see_is_a_list_of_filters() {
    let answer = shown(r##""show":[{"kinds":[445],"#h":["a"]}],"ttl":7"##).unwrap();
    assert_eq!(answer.show.unwrap()[0].kinds, Some(vec![445]));
    assert_eq!(answer.ttl_s, 7);
    let all = shown(r#""show":"all","ttl":60.0"#).unwrap();
    assert_eq!((all.show, all.ttl_s), (None, 60));
    for bad in [
        r#""ttl":60"#,
        r#""show":null"#,
        r#""show":"none""#,
        r#""show":{}"#,
        r#""show":[1]"#,
        r#""show":[{"kinds":"x"}]"#,
        r#""show":[],"ttl":-1"#,
        r#""show":[],"ttl":0.5"#,
        r#""show":[],"ttl":"60""#,
    ] {
        assert!(shown(bad).is_err(), "{bad}");
    }
}

fn shown(keys: &str) -> Result<Shown, String> {
    let line = format!(r#"{{"id":"v","action":"accept",{keys}}}"#);
    match read(&line) {
        Verdict::Accept(offer) => offer.shown(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn e12_what_is_meant_for_viewers_is_left_alone_in_answers_about_events() {
    for keys in [
        r#""show":true"#,
        r#""ttl":"soon""#,
        r#""show":null,"ttl":60.0"#,
    ] {
        let line = format!(r#"{{"id":"a","action":"accept",{keys}}}"#);
        assert!(matches!(read(&line), Verdict::Accept(_)), "{keys}");
    }
}

proptest! {
    #[test]
    fn e12_any_bytes_are_an_answer_or_a_clear_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Reply::read(&bytes);
    }

    #[test]
    fn e12_any_words_become_one_short_line(msg in any::<String>()) {
        let said = reason(&msg).to_string();
        prop_assert!(!said.chars().any(char::is_control));
        prop_assert!(said.chars().count() <= MSG_CHARS_MAX + 60);
        prop_assert!(said.split_once(": ").is_some_and(|(_, text)| !text.is_empty()));
    }

    #[test]
    fn e12_an_answer_comes_back_as_it_was_meant(id in any::<String>(), msg in "[a-z ]{1,40}") {
        let line = json!({"id": id, "action": "reject", "msg": format!("invalid: {msg}")}).to_string();
        let reply = Reply::read(line.as_bytes()).unwrap();
        prop_assert_eq!(reply.id, id);
        prop_assert!(matches!(reply.verdict, Ok(Verdict::Reject(reason)) if reason.prefix == Prefix::Invalid));
    }
}
