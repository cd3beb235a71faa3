//! Events that come in the body of a request: whose they are, when they are from, and the work they show.
//!
//! Invariant: an event that passes is signed by whom it has to be signed by, is of now, and shows the proof of work that the
//! relay wants of its kind wherever it comes from. Cheap checks come first, the signature last.

use crate::LivekitToken;
use crate::failure::{Code, Failure, Whose};
use serde_json::json;
use serde_json::value::RawValue;
use trellis_relay::extension::prelude::*;

/// Reads an event of one of these kinds that `author` has signed.
pub(crate) fn read(
    me: &LivekitToken,
    event: &RawValue,
    kinds: &[u16],
    author: Option<&PublicKey>,
) -> Result<Event, Failure> {
    let event = Event::parse(event.get().as_bytes()).map_err(|error| {
        let text = format!("the event in the body cannot be read: {error}");
        Failure::new(Code::InvalidRequest, text)
    })?;
    if !kinds.contains(&event.kind()) {
        let text = format!(
            "the event in the body has kind {}, wanted {kinds:?}",
            event.kind()
        );
        return Err(Failure::new(Code::InvalidRequest, text));
    }
    if author.is_some_and(|author| author != event.pubkey()) {
        return Err(Failure::new(
            Code::InvalidSignature(Whose::Event),
            "the event in the body is by another key than it must be",
        ));
    }
    check_time(me, &event)?;
    check_work(&event, me.host.pow_bits(event.kind()))?;
    event.verify().map_err(|error| {
        let text = format!("the event in the body is not valid: {error}");
        Failure::new(Code::InvalidSignature(Whose::Event), text)
    })?;
    Ok(event)
}

/// An event must not look further ahead than this, in seconds.
const EXPIRES_IN_MAX_S: u64 = 3600;

fn check_time(me: &LivekitToken, event: &Event) -> Result<(), Failure> {
    let (now_s, tolerance_s) = (me.host.clock().now_s(), me.settings().clock_tolerance_s);
    let off_s = event.created_at().abs_diff(now_s);
    if off_s > tolerance_s {
        let text = format!(
            "the event in the body is {off_s} s off; at most {tolerance_s} s are allowed: check the clock"
        );
        return Err(Failure::new(Code::TimestampOutOfRange(Whose::Event), text));
    }
    match event.expiration() {
        Some(at_s) if at_s <= now_s => Err(Failure::new(
            Code::EventExpired,
            "the event in the body has expired (NIP-40)",
        )),
        Some(at_s) if at_s > now_s + tolerance_s + EXPIRES_IN_MAX_S => Err(Failure::new(
            Code::TimestampOutOfRange(Whose::Event),
            "the event in the body must expire within an hour",
        )),
        _ => Ok(()),
    }
}

/// NIP-13: the id shows the work, and the event says that it was wanted.
fn check_work(event: &Event, required: u16) -> Result<(), Failure> {
    if required == 0 {
        return Ok(());
    }
    let shown = leading_zero_bits(event.id().as_bytes());
    let nonce = event.tags().find(|tag| tag.name() == "nonce");
    let committed = nonce.and_then(|tag| tag.get(2)?.parse::<u32>().ok());
    // What a search for fewer bits found by luck counts for no more than was looked for.
    let provided = shown.min(committed.unwrap_or_default());
    if provided >= u32::from(required) {
        return Ok(());
    }
    let text = format!(
        "kind {} needs {required} leading zero bits and a nonce tag that commits to them; the event in the body shows \
         {provided}",
        event.kind()
    );
    let details = json!({"provided": provided, "required": required});
    Err(Failure::new(Code::PowInsufficient, text).with_details(details))
}

fn leading_zero_bits(id: &[u8; 32]) -> u32 {
    let zero_bytes = id.iter().take_while(|byte| **byte == 0).count();
    let rest = id.get(zero_bytes).map_or(0, |byte| byte.leading_zeros());
    zero_bytes as u32 * 8 + rest
}

/// The event that this one answers or belongs to: the `e` tag that is marked as root, or the only one (NIP-10).
pub(crate) fn root_of(event: &Event) -> Option<EventId> {
    let tags: Vec<_> = event
        .tags()
        .filter(|tag| tag.letter() == Some(b'e'))
        .collect();
    let marked = tags
        .iter()
        .find(|tag| tag.get(3).is_some_and(|marker| marker == "root"));
    let root = match (marked, &*tags) {
        (Some(marked), _) => marked,
        (None, [only]) => only,
        (None, _) => return None,
    };
    EventId::from_hex(&root.value()?).ok()
}

/// The only person whom an event is for.
pub(crate) fn addressee_of(event: &Event) -> Option<PublicKey> {
    let mut people = event.tag_values(b'p');
    let (first, second) = (people.next()?, people.next());
    match second {
        None => PublicKey::from_hex(&first).ok(),
        Some(_) => None,
    }
}
