//! The NIP-11 document: where blobs are stored, and which.

use crate::BlossomPolicy;
use serde_json::json;
use trellis_relay::extension::prelude::*;

/// Adds `blossom` to the document.
pub(crate) fn register(hooks: &mut Registrar<BlossomPolicy>) {
    hooks.nip11(|me, document| {
        let config = me.config();
        let host = config.host.as_ref().map(|host| format!("https://{host}"));
        let mut told = json!({
            "buds": [1, 2, 6, 9, 11, 12],
            "max_upload_bytes": config.max_upload_bytes.bytes(),
            "mime_types": config.mime_types,
            "encrypted": config.encrypted.allow,
        });
        if let Some(url) = config.url.clone().or(host) {
            told["url"] = json!(url.trim_end_matches('/'));
        }
        document.insert("blossom".to_owned(), told);
        Ok(())
    });
}
