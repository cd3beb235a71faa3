//! What the information document (NIP-11) says of groups.

use crate::Groups;
use trellis_relay::extension::prelude::*;

/// Registers the hook.
pub(crate) fn register(hooks: &mut Registrar<Groups>) {
    hooks.nip11(|_me, document| {
        let nips = document.get_mut("supported_nips");
        if let Some(nips) = nips.and_then(|nips| nips.as_array_mut()) {
            nips.push(29.into());
        }
        document.insert("nip29".to_owned(), serde_json::json!({"subgroups": true}));
        Ok(())
    });
}
