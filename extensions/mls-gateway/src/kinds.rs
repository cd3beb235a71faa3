//! The kinds of events that the gateway has to do with.

use trellis_relay::extension::Kinds;

/// A device's KeyPackage, with which others add it to a group.
pub(crate) const KEY_PACKAGE: u16 = 443;
/// An MLS Welcome; it travels inside a gift wrap and never by itself.
pub(crate) const WELCOME: u16 = 444;
/// An MLS message of a group.
pub(crate) const GROUP_MESSAGE: u16 = 445;
/// A direct message encrypted by the Noise protocol.
pub(crate) const NOISE_MESSAGE: u16 = 446;
/// Asks somebody for more KeyPackages.
pub(crate) const KEY_PACKAGE_REQUEST: u16 = 447;
/// Says who belongs to a group.
pub(crate) const ROSTER: u16 = 450;
/// An envelope for one recipient (NIP-59).
pub(crate) const GIFT_WRAP: u16 = 1059;
/// A KeyPackage that replaces the author's earlier one with the same `d` (Marmot).
pub(crate) const ADDRESSABLE_KEY_PACKAGE: u16 = 30443;

/// Kinds of which the archive keeps a copy for members who were offline.
pub(crate) fn archived() -> Kinds {
    [GROUP_MESSAGE, NOISE_MESSAGE, GIFT_WRAP].into()
}

/// A request to delete events (NIP-09).
pub(crate) const DELETION: u16 = 5;
/// A request to vanish (NIP-62).
pub(crate) const VANISHING: u16 = 62;

/// All of them.
pub(crate) fn all() -> Kinds {
    all_but_messages() | GROUP_MESSAGE.into()
}

/// All but messages of groups, which are by far the most.
pub(crate) fn all_but_messages() -> Kinds {
    [
        KEY_PACKAGE,
        WELCOME,
        NOISE_MESSAGE,
        KEY_PACKAGE_REQUEST,
        ROSTER,
        GIFT_WRAP,
        ADDRESSABLE_KEY_PACKAGE,
    ]
    .into()
}
