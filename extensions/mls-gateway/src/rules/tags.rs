//! Reading tags strictly: how often they may stand there, and what they may say.

use std::borrow::Cow;
use trellis_relay::event::{Event, PublicKey, Tag};
use trellis_relay::reason::Reason;

/// The longest id of a group, in bytes.
const GROUP_ID_BYTES_MAX: usize = 256;

/// A tag that may stand there once, while the tags are gone through.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Single<'e> {
    first: Option<Tag<'e>>,
    has_more: bool,
}

impl<'e> Single<'e> {
    /// The tag stands there.
    pub(super) fn meet(&mut self, tag: Tag<'e>) {
        self.has_more |= self.first.is_some();
        self.first = self.first.or(Some(tag));
    }

    /// The value, if the tag stands there.
    pub(super) fn at_most_one(self, name: &str) -> Result<Option<Cow<'e, str>>, Reason> {
        if self.has_more {
            return Err(Reason::invalid(format!(
                "there is more than one {name} tag, at most one is allowed"
            )));
        }
        Ok(self.first.map(|tag| tag.value().unwrap_or_default()))
    }

    fn exactly_one(self, name: &str) -> Result<Cow<'e, str>, Reason> {
        self.at_most_one(name)?.ok_or_else(|| {
            Reason::invalid(format!("there is no {name} tag, exactly one is needed"))
        })
    }
}

fn find<'e>(event: &'e Event, name: &str) -> Single<'e> {
    let mut single = Single::default();
    let named = event.tags().filter(|tag| tag.name() == name);
    named.for_each(|tag| single.meet(tag));
    single
}

/// The value of a tag that may stand there once at most.
pub(super) fn at_most_one<'e>(
    event: &'e Event,
    name: &str,
) -> Result<Option<Cow<'e, str>>, Reason> {
    find(event, name).at_most_one(name)
}

/// The value of a tag that must stand there once.
pub(super) fn exactly_one<'e>(event: &'e Event, name: &str) -> Result<Cow<'e, str>, Reason> {
    find(event, name).exactly_one(name)
}

/// The one recipient.
pub(super) fn recipient(event: &Event) -> Result<PublicKey, Reason> {
    public_key("p", &exactly_one(event, "p")?)
}

/// A key as tags hold it: 64 hex digits in lower case.
pub(super) fn public_key(name: &str, value: &str) -> Result<PublicKey, Reason> {
    let key = is_capability(value).then(|| PublicKey::from_hex(value).ok());
    key.flatten()
        .ok_or_else(|| Reason::invalid(format!("{name} must be 64 hex digits in lower case")))
}

/// The one group.
pub(super) fn group_id(event: &Event) -> Result<Cow<'_, str>, Reason> {
    group_id_in(find(event, "h"))
}

/// The same where the tags were gone through.
pub(super) fn group_id_in(h: Single<'_>) -> Result<Cow<'_, str>, Reason> {
    sensible_group_id(h.exactly_one("h")?)
}

/// The one group, if any is named.
pub(super) fn optional_group_id(event: &Event) -> Result<Option<Cow<'_, str>>, Reason> {
    at_most_one(event, "h")?.map(sensible_group_id).transpose()
}

/// Whether a group can have this id.
pub(crate) fn is_group_id(text: &str) -> bool {
    (1..=GROUP_ID_BYTES_MAX).contains(&text.len())
}

fn sensible_group_id(value: Cow<'_, str>) -> Result<Cow<'_, str>, Reason> {
    if value.is_empty() {
        return Err(Reason::invalid("h must name a group"));
    }
    if value.len() > GROUP_ID_BYTES_MAX {
        return Err(Reason::invalid(format!(
            "h has {} bytes, at most {GROUP_ID_BYTES_MAX} are allowed",
            value.len()
        )));
    }
    Ok(value)
}

/// A whole number, written in digits alone.
pub(super) fn number(name: &str, value: &str) -> Result<u64, Reason> {
    read_number(value).ok_or_else(|| {
        Reason::invalid(format!(
            "{name} must be a whole number that fits into 64 bits"
        ))
    })
}

/// The same where something else may stand there.
pub(super) fn read_number(value: &str) -> Option<u64> {
    // `parse` alone would take a plus sign.
    let is_digits = value.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| value.parse().ok()).flatten()
}

/// Whether a text is 64 hex digits in lower case: as the id of a group it cannot be guessed, so to know it is a right.
pub(crate) fn is_capability(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
