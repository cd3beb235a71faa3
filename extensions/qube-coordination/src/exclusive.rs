//! Exclusive mode: a relay that takes directives and reports alone.
//!
//! Invariant: what the relay itself publishes passes, and so do requests to vanish, about which no extension is asked.

use crate::QubeCoordination;
use crate::config::Settings;
use trellis_qube_protocol::{KIND_ACK, KIND_SIGNAL};
use trellis_relay::extension::prelude::*;

/// Registers the hook, if the mode is on.
pub(crate) fn register(settings: &Settings, hooks: &mut Registrar<QubeCoordination>) {
    if !settings.exclusive {
        return;
    }
    hooks
        .phase(Phase::Guard)
        .admit(Kinds::all(), |_me, event, viewer| {
            let is_ours = [KIND_SIGNAL, KIND_ACK].contains(&event.kind());
            Ok(match is_ours || viewer.is_relay() {
                true => Admit::Accept,
                false => Reason::blocked(format!(
                    "this relay takes directives (kind {KIND_SIGNAL}) and reports (kind {KIND_ACK}) alone"
                ))
                .into(),
            })
        });
}
