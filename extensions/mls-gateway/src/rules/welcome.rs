//! Kind 444, which travels inside a gift wrap and never by itself.

use trellis_relay::event::Event;
use trellis_relay::reason::Reason;

/// Refuses.
pub(crate) fn read(_event: &Event) -> Result<(), Reason> {
    Err(Reason::blocked("kind 444 must be gift-wrapped"))
}
