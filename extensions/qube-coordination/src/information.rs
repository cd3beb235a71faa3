//! What the relay's own document (NIP-11) says of the fleet: which networks there are, and where to ask about them.
//!
//! Invariant: nothing secret, and what the operator wrote there stands as it is.

use crate::QubeCoordination;
use serde_json::json;
use trellis_qube_protocol::{KIND_ACK, KIND_SIGNAL};
use trellis_relay::extension::prelude::*;

const NAME: &str = "qube_coordination";

/// Registers the hook.
pub(crate) fn register(hooks: &mut Registrar<QubeCoordination>) {
    hooks.nip11(|me, document| {
        if document.contains_key(NAME) {
            return Ok(());
        }
        let networks: Vec<_> = me
            .networks
            .values()
            .map(|network| {
                json!({
                    "id": network.id,
                    "quorum": network.quorum,
                    "developers": network.developers,
                })
            })
            .collect();
        let about = json!({
            "api": me.settings.api_prefix,
            "dashboard": me.settings.dashboard_path,
            "kinds": [KIND_SIGNAL, KIND_ACK],
            "vote_scope": crate::networks::scope(&me.settings),
            "networks": networks,
        });
        document.insert(NAME.to_owned(), about);
        Ok(())
    });
}
