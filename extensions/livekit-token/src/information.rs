//! What the relay's own document (NIP-11) says of calls: where clients find the components of the operator.
//!
//! Invariant: nothing secret, and what the operator wrote there stands as it is.

use crate::LivekitToken;
use serde_json::{Value, json};
use trellis_relay::extension::prelude::*;

const NAME: &str = "synchrono_city";
/// The version of the protocol that the routes keep to.
const VERSION: &str = "1.0.0";

pub(crate) fn register(hooks: &mut Registrar<LivekitToken>) {
    hooks.nip11(|me, document| {
        if let Some(Value::Array(nips)) = document.get_mut("supported_nips") {
            nips.push(98.into());
        }
        if document.contains_key(NAME) {
            return Ok(());
        }
        let settings = me.settings();
        let mut components = json!({
            "version": VERSION,
            "livekit_url": settings.livekit_client_url,
        });
        if let Some(url) = &settings.operator_url {
            components["sidecar_url"] = json!(url);
        }
        if let Some(url) = &settings.blossom_url {
            components["blossom_url"] = json!(url.as_str().trim_end_matches('/'));
        }
        if let Some(url) = &settings.relay_url {
            components["relay_url"] = json!(url);
        }
        document.insert(NAME.to_owned(), components);
        Ok(())
    });
}
