//! The NIP-11 document: where blobs are stored, and which.

use crate::BlossomPolicy;
use serde_json::json;
use trellis_relay::extension::prelude::*;

/// Adds `blossom` to the document.
pub(crate) fn register(hooks: &mut Registrar<BlossomPolicy>) {
    hooks.nip11(|me, document| {
        let config = me.config();
        let host = config.host.as_ref().map(|host| format!("https://{host}"));
        let offered = [
            (1, true),
            (2, true),
            (4, config.mirror.enabled),
            (5, config.media.strip),
            (6, true),
            (7, config.payment.url.is_some()),
            (9, config.reports.enabled),
            (11, true),
            (12, true),
        ];
        let buds = offered.iter().filter(|(_, is_offered)| *is_offered);
        let buds: Vec<u8> = buds.map(|(bud, _)| *bud).collect();
        let mut told = json!({
            "buds": buds,
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
