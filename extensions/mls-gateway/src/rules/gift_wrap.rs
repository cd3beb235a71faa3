//! Kind 1059, an envelope for one recipient (NIP-59), which may name the group that it invites to.

use super::tags;
use crate::config::Settings;
use std::borrow::Cow;
use trellis_relay::event::{Event, PublicKey};
use trellis_relay::reason::Reason;

/// What stands on the envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GiftWrap {
    /// `p`
    pub(crate) recipient: PublicKey,
    /// `h`
    pub(crate) group_id: Option<String>,
}

/// Reads it.
pub(crate) fn read(event: &Event, settings: &Settings) -> Result<GiftWrap, Reason> {
    let group_id = tags::optional_group_id(event)?;
    if settings.giftwrap_require_h && group_id.is_none() {
        return Err(Reason::invalid(
            "there is no h tag, this relay wants the group named",
        ));
    }
    Ok(GiftWrap {
        recipient: tags::recipient(event)?,
        group_id: group_id.map(Cow::into_owned),
    })
}
