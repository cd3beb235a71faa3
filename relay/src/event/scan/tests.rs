//! The quick reader against the thorough one.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::event::escape_into;
use crate::wire::{ClientMessage, Published};
use proptest::collection::vec;
use proptest::prelude::*;

/// The seven fields as JSON, in canonical order.
fn fields(tags: &[Vec<String>], content: &str, numbers: (u64, u16)) -> [String; 7] {
    let string = |text: &str| {
        let mut json = Vec::new();
        escape_into(&mut json, text);
        String::from_utf8(json).unwrap()
    };
    let tag = |tag: &Vec<String>| {
        let items: Vec<String> = tag.iter().map(|item| string(item)).collect();
        format!("[{}]", items.join(","))
    };
    let tags: Vec<String> = tags.iter().map(tag).collect();
    [
        format!("\"{}\"", "1a".repeat(32)),
        format!("\"{}\"", "2b".repeat(32)),
        numbers.0.to_string(),
        numbers.1.to_string(),
        format!("[{}]", tags.join(",")),
        string(content),
        format!("\"{}\"", "3c".repeat(64)),
    ]
}

fn object(fields: &[String; 7], order: &[usize]) -> String {
    let members: Vec<String> = order
        .iter()
        .map(|field| format!("{}{}", KEYS[*field], fields[*field]))
        .collect();
    format!("{{{}}}", members.join(","))
}

const CANONICAL: [usize; 7] = [0, 1, 2, 3, 4, 5, 6];

/// Text in which what needs an escape is common.
fn text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(
        "\"\\/\u{8}\t\n\u{c}\r\0\u{1f}\u{7f}é\u{2028}😀"
            .chars()
            .collect::<Vec<_>>(),
    );
    let any = prop_oneof![special, any::<char>(), prop::char::range('a', 'z')];
    vec(any, 0..12).prop_map(String::from_iter)
}

fn tags() -> impl Strategy<Value = Vec<Vec<String>>> {
    vec(vec(text(), 1..4), 0..4)
}

/// Pieces that make a difference where they are put into JSON.
const PIECES: [&str; 34] = [
    "",
    " ",
    "\n",
    "\t",
    "\"",
    "\\",
    "\\\"",
    "\\/",
    "\\u0041",
    "\\u0008",
    "\\u001f",
    "\\u001F",
    "\\u0000",
    "\\ud83d",
    "\\ud83d\\ude00",
    "\\x",
    ",",
    ":",
    "[",
    "]",
    "{",
    "}",
    "0",
    "-",
    ".5",
    "1e3",
    "null",
    "A",
    "[]",
    "[\"\"]",
    "\"x\":1,",
    "\"kind\":1,",
    "\"id\":",
    "\u{7f}",
];

/// JSON with a few places replaced.
fn mutated(json: String, mutations: &[(prop::sample::Index, usize, &str)]) -> Vec<u8> {
    let mut bytes = json.into_bytes();
    for (place, cut, piece) in mutations {
        let from = place.index(bytes.len());
        let to = (from + cut).min(bytes.len());
        bytes.splice(from..to, piece.bytes());
    }
    bytes
}

fn mutations() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, &'static str)>> {
    let piece = prop::sample::select(PIECES.to_vec());
    vec((any::<prop::sample::Index>(), 0..3_usize, piece), 1..3)
}

fn same(quick: &Event, thorough: &Event) -> bool {
    quick.json() == thorough.json()
        && quick.id() == thorough.id()
        && quick.pubkey() == thorough.pubkey()
        && (quick.created_at(), quick.kind()) == (thorough.created_at(), thorough.kind())
        && quick.tags_json() == thorough.tags_json()
        && quick.content_json() == thorough.content_json()
}

/// What either reader makes of a message: the event, or the words that refuse it.
fn outcome(message: Result<ClientMessage<'_>, crate::wire::WireError>) -> Result<Event, String> {
    match message {
        Ok(ClientMessage::Event(Published::Read(event))) => Ok(event),
        Ok(ClientMessage::Event(Published::Unread(json))) => {
            Event::parse_any(json.get().as_bytes()).map_err(|error| error.to_string())
        }
        Ok(other) => Err(other.verb().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn v2_a_canonical_event_is_read_in_one_pass_whatever_the_order_of_its_keys(
        tags in tags(), content in text(), numbers in (0..CREATED_AT_END, any::<u16>()),
        order in Just(CANONICAL.to_vec()).prop_shuffle(),
    ) {
        let fields = fields(&tags, &content, numbers);
        let canonical = object(&fields, &CANONICAL);
        let json = object(&fields, &order);
        let quick = scan(&json).unwrap();
        prop_assert!(same(&quick, &Event::parse_any(json.as_bytes()).unwrap()));
        prop_assert_eq!(&quick.json()[..], canonical.as_bytes());
        prop_assert_eq!(quick.content(), content);
        let read: Vec<Vec<String>> = quick.tags().map(|tag| tag.items().map(String::from).collect()).collect();
        prop_assert_eq!(read, tags);
    }

    #[test]
    fn v2_both_readers_make_the_same_of_a_damaged_event(
        tags in tags(), content in text(), numbers in (any::<u64>(), any::<u16>()),
        order in Just(CANONICAL.to_vec()).prop_shuffle(), mutations in mutations(),
    ) {
        let json = mutated(object(&fields(&tags, &content, numbers), &order), &mutations);
        let thorough = Event::parse_any(&json);
        let quick = Event::parse(&json);
        match (&quick, &thorough) {
            (Ok(quick), Ok(thorough)) => prop_assert!(same(quick, thorough)),
            _ => prop_assert_eq!(&quick, &thorough),
        }
    }

    #[test]
    fn v2_both_readers_make_the_same_of_a_damaged_message(
        tags in tags(), content in text(), numbers in (0..CREATED_AT_END, any::<u16>()), mutations in mutations(),
    ) {
        let event = object(&fields(&tags, &content, numbers), &CANONICAL);
        let message = mutated(format!(r#"["EVENT",{event}]"#), &mutations);
        let quick = outcome(ClientMessage::parse(&message, 64));
        let thorough = outcome(ClientMessage::parse_any(&message, 64));
        prop_assert_eq!(quick, thorough);
    }
}

#[test]
fn v2_what_is_not_canonical_is_left_to_the_thorough_reader() {
    let plain = fields(&[vec!["t".into(), "x".into()]], "y", (1, 1));
    assert!(scan(&object(&plain, &CANONICAL)).is_some());
    for (field, json) in [
        (0, format!("\"{}\"", "1A".repeat(32))),
        (0, format!("\"{}\"", "1a".repeat(31))),
        (2, "01".to_owned()),
        (2, "-0".to_owned()),
        (2, "1.0".to_owned()),
        (2, (1_u64 << 40).to_string()),
        (3, "65536".to_owned()),
        (4, "[[]]".to_owned()),
        (4, r#"[["t",1]]"#.to_owned()),
        (4, r#"[["t"],]"#.to_owned()),
        (4, r#"[ ["t"]]"#.to_owned()),
        (5, r#""\/""#.to_owned()),
        (5, r#""\u0041""#.to_owned()),
        (5, r#""\u000a""#.to_owned()),
        (5, r#""\u001F""#.to_owned()),
        (5, r#""\ud83d\ude00""#.to_owned()),
        (5, "\"\u{1}\"".to_owned()),
        (5, "null".to_owned()),
    ] {
        let mut odd = plain.clone();
        odd[field] = json;
        assert!(scan(&object(&odd, &CANONICAL)).is_none(), "{odd:?}");
    }
    assert!(scan(&object(&plain, &[0, 1, 2, 3, 4, 5])).is_none());
    assert!(scan(&object(&plain, &[0, 1, 2, 3, 4, 5, 5])).is_none());
    assert!(scan(&object(&plain, &[0, 1, 2, 3, 4, 5, 6, 6])).is_none());
    assert!(scan(&format!("{} ", object(&plain, &CANONICAL))).is_none());
}
