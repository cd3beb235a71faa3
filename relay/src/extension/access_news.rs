//! What an extension says has changed of who may see what ([`Host::tell_access`](super::Host::tell_access)).

use crate::event::PublicKey;
use crate::kinds::Kinds;

/// Viewers with some keys may see more or less of some kinds than before.
///
/// ```
/// use trellis_relay::extension::{AccessNews, Kinds};
/// # fn tell(host: &trellis_relay::extension::Host, member: trellis_relay::event::PublicKey) {
/// // Somebody has joined a group, which has nothing to do with other groups.
/// let joined = AccessNews::of(&[member], &Kinds::from(445)).gain().tagged(b'h', "group");
/// host.tell_access(joined);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessNews {
    pub(crate) pubkeys: Vec<PublicKey>,
    pub(crate) kinds: Kinds,
    pub(crate) tag: Option<(u8, String)>,
    pub(crate) is_gain: bool,
}

impl AccessNews {
    /// They may see less of these kinds, or it is not known whether less or more.
    pub fn of(pubkeys: &[PublicKey], kinds: &Kinds) -> Self {
        AccessNews {
            pubkeys: pubkeys.to_vec(),
            kinds: kinds.clone(),
            tag: None,
            is_gain: false,
        }
    }

    /// They may see all that they saw, and more: nothing of theirs is closed.
    #[must_use]
    pub fn gain(mut self) -> Self {
        self.is_gain = true;
        self
    }

    /// Of events with this value in a tag of this letter alone, so a filter that names other values only is left alone.
    #[must_use]
    pub fn tagged(mut self, letter: u8, value: impl Into<String>) -> Self {
        self.tag = Some((letter, value.into()));
        self
    }
}
