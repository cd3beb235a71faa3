//! Kind 446, a direct message encrypted by the Noise protocol.

use super::tags;
use trellis_relay::event::{Event, PublicKey};
use trellis_relay::reason::Reason;

/// The one version there is.
const VERSION: &str = "noise.1";

/// For whom it is.
pub(crate) fn read(event: &Event) -> Result<PublicKey, Reason> {
    match tags::at_most_one(event, "v")? {
        Some(version) if version != VERSION => {
            Err(Reason::invalid(format!("v must be {VERSION} or absent")))
        }
        _ => tags::recipient(event),
    }
}
