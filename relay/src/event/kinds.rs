//! NIP-01's classes of kinds.

/// What a relay keeps of a kind (NIP-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KindClass {
    /// Every event is kept.
    Regular,
    /// The newest of an author and kind is kept.
    Replaceable,
    /// Nothing is kept; only live subscribers see it.
    Ephemeral,
    /// The newest of an author, kind and `d` tag is kept.
    Addressable,
}

impl KindClass {
    /// The class of a kind. Kinds that NIP-01 gives no class are regular.
    pub const fn of(kind: u16) -> Self {
        match kind {
            0 | 3 | 10_000..=19_999 => KindClass::Replaceable,
            20_000..=29_999 => KindClass::Ephemeral,
            30_000..=39_999 => KindClass::Addressable,
            _ => KindClass::Regular,
        }
    }
}
