//! What is signed stays: wishes to delete, expirations, requests to vanish and rules of retention do not remove directives
//! or reports.
//!
//! Invariant: the operator alone can remove one, by name (`trellis delete`, a ban). Replacement is what addressable events
//! are for; what it takes away goes on in the log ([`crate::log`]).

use crate::QubeCoordination;
use trellis_qube_protocol::{KIND_ACK, KIND_SIGNAL};
use trellis_relay::extension::prelude::*;

/// Registers the hook.
pub(crate) fn register(hooks: &mut Registrar<QubeCoordination>) {
    hooks.guard_removal([KIND_SIGNAL, KIND_ACK], |_me, _event, cause| {
        Ok(match cause {
            Cause::Deletion | Cause::Expiry | Cause::Vanish | Cause::Retention => Removal::Keep,
            Cause::Replacement | Cause::Admin => Removal::Allow,
        })
    });
}
