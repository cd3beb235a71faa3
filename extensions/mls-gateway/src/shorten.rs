//! Keys and groups as logs may show them: enough to tell two of them apart, too little to find anybody or to ask for
//! anything.

use std::fmt;
use trellis_relay::event::{EventId, PublicKey};

const SHOWN_CHARS: usize = 8;

/// The beginning of a name, for the log.
pub(crate) struct Short(String);

impl Short {
    /// The first hex digits of a key.
    pub(crate) fn key(pubkey: &PublicKey) -> Self {
        Short::of(&pubkey.to_hex())
    }

    /// The first hex digits of an event's id.
    pub(crate) fn event(id: &EventId) -> Self {
        Short::of(&id.to_hex())
    }

    /// The beginning of a group's id. Whoever knows the id of a group without a roster may read it, so of an id that is
    /// not much longer than what is shown a part stays hidden as well.
    pub(crate) fn group(group_id: &str) -> Self {
        Short::of(group_id)
    }

    fn of(text: &str) -> Self {
        let chars = text.chars().count();
        let shown = SHOWN_CHARS.min(chars / 2);
        // What a client has chosen must not look like another line of the log.
        let shown = text.chars().take(shown);
        Short(
            shown
                .map(|c| if c.is_control() { '?' } else { c })
                .collect(),
        )
    }
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_relay::testing::Author;

    #[test]
    fn m34_names_are_shortened() {
        let pubkey = Author::new(1).pubkey();
        let short = Short::key(&pubkey).to_string();
        assert_eq!(short, format!("{}..", &pubkey.to_hex()[..8]));
        for (group, short) in [
            ("grp_abc123", "grp_a.."),
            ("ab", "a.."),
            ("", ".."),
            ("ünïcödé is löng", "ünïcödé.."),
            ("a\nb and more of it", "a?b and .."),
        ] {
            assert_eq!(Short::group(group).to_string(), short);
        }
    }
}
