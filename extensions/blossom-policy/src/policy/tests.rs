//! The decision, case by case.

#![allow(clippy::unwrap_used)]

use super::*;
use trellis_relay::config::ByteSize;
use trellis_relay::testing::Author;

fn config(table: &str) -> Config {
    let config: Config = toml::from_str(table).unwrap();
    config.check().unwrap();
    config
}

/// The status that an offer of this type and size gets, 200 where it is taken.
fn status(config: &Config, way: Way, mime_type: Option<&str>, size_bytes: Option<u64>) -> u16 {
    let by = Author::new(1).pubkey();
    let mime_type = mime_type.map(|text| MimeType::parse(text).unwrap());
    let offer = Offer {
        way,
        by: &by,
        is_banned: false,
        is_blocked: false,
        size_bytes,
        mime_type: mime_type.as_ref(),
    };
    judge(config, &offer).map_or_else(|refusal| refusal.status().as_u16(), |_| 200)
}

#[test]
fn b4_the_ten_types_of_the_guide_are_stored_and_no_other() {
    let config = config("");
    for name in crate::config::MIME_TYPES {
        assert_eq!(
            status(&config, Way::Upload, Some(name), Some(1)),
            200,
            "{name}"
        );
    }
    for name in ["audio/x-wav", "audio/wave", "application/ogg"] {
        assert_eq!(
            status(&config, Way::Upload, Some(name), Some(1)),
            200,
            "{name}"
        );
    }
    for name in [
        "application/octet-stream",
        "application/zip",
        "application/x-msdownload",
        "image/svg+xml",
        "image/bmp",
        "text/html",
        "text/plain",
        "video/ogg",
        "video/x-matroska",
    ] {
        assert_eq!(
            status(&config, Way::Upload, Some(name), Some(1)),
            415,
            "{name}"
        );
    }
}

#[test]
fn b5_ciphertext_is_stored_only_where_the_operator_says_so() {
    let octets = Some("application/octet-stream");
    let closed = config("");
    assert_eq!(status(&closed, Way::Upload, octets, Some(1)), 415);
    let open = config("encrypted = { allow = true, max_upload_bytes = 10 }");
    assert_eq!(status(&open, Way::Upload, octets, Some(10)), 200);
    assert_eq!(status(&open, Way::Upload, octets, Some(11)), 413);
    let by = Author::new(1).pubkey();
    let terms = |mime_type: &MimeType| {
        let offer = Offer {
            way: Way::Upload,
            by: &by,
            is_banned: false,
            is_blocked: false,
            size_bytes: Some(1),
            mime_type: Some(mime_type),
        };
        judge(&open, &offer).unwrap().is_encrypted
    };
    assert!(terms(&MimeType::OCTET_STREAM));
    assert!(!terms(&MimeType::parse("image/png").unwrap()));
}

#[test]
fn b2_the_size_must_be_told_and_be_within_bounds() {
    let mut config = config("max_upload_bytes = 100");
    let png = Some("image/png");
    assert_eq!(status(&config, Way::Upload, png, Some(100)), 200);
    assert_eq!(status(&config, Way::Upload, png, Some(101)), 413);
    assert_eq!(status(&config, Way::Upload, png, Some(0)), 400);
    assert_eq!(status(&config, Way::Upload, png, None), 411);
    // Without a type the bytes say it.
    assert_eq!(status(&config, Way::Upload, None, Some(1)), 200);
    // Another server will tell.
    assert_eq!(status(&config, Way::Mirror, None, None), 200);
    config.mirror.max_bytes = Some(ByteSize::from_bytes(50));
    assert_eq!(status(&config, Way::Mirror, png, Some(51)), 413);
    assert_eq!(status(&config, Way::Upload, png, Some(51)), 200);
}

#[test]
fn b2_who_may_not_store_is_told_so_before_anything_else() {
    let (listed, stranger) = (Author::new(1).pubkey(), Author::new(2).pubkey());
    let table = format!("upload_by = 'listed'\nuploaders = ['{}']", listed.to_hex());
    let mut config = config(&table);
    let judged = |config: &Config, by: &PublicKey, is_banned: bool, is_blocked: bool| {
        let png = MimeType::parse("image/png").unwrap();
        let offer = Offer {
            way: Way::Upload,
            by,
            is_banned,
            is_blocked,
            size_bytes: Some(1),
            mime_type: Some(&png),
        };
        judge(config, &offer).map_or_else(|refusal| refusal.status().as_u16(), |_| 200)
    };
    assert_eq!(judged(&config, &listed, false, false), 200);
    assert_eq!(judged(&config, &stranger, false, false), 403);
    assert_eq!(judged(&config, &listed, true, false), 403);
    assert_eq!(judged(&config, &listed, false, true), 403);
    config.mode = ServingMode::ReadOnly;
    assert_eq!(judged(&config, &listed, false, false), 403);
}

#[test]
fn b12_pictures_that_are_worked_on_in_memory_have_a_limit_of_their_own() {
    let config = config(
        "max_upload_bytes = 100\nmedia = { max_bytes = 10 }\nencrypted = { allow = true, max_upload_bytes = 50 }",
    );
    for (mime_type, of_upload) in [("image/png", 100), ("application/octet-stream", 50)] {
        let told = |way, bytes| status(&config, way, Some(mime_type), Some(bytes));
        assert_eq!((told(Way::Media, 10), told(Way::Media, 11)), (200, 413));
        let uploads = (
            told(Way::Upload, of_upload),
            told(Way::Upload, of_upload + 1),
        );
        assert_eq!(uploads, (200, 413));
    }
}
