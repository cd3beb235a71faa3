//! The table as operators write it.

#![allow(clippy::unwrap_used)]

use super::*;

fn read(table: &str) -> Result<Config, String> {
    let config: Config = toml::from_str(table).map_err(|error| error.to_string())?;
    config.check()?;
    Ok(config)
}

#[test]
fn b4_defaults_are_those_of_the_guide() {
    let config = read("").unwrap();
    assert_eq!(config.mime_types, MIME_TYPES);
    assert_eq!(config.rates.uploads_per_minute, 20);
    assert!(!config.encrypted.allow && !config.require_auth_to_read);
    assert!(config.mirror.https_only);
    assert_eq!(config.prefix_check.prefix_digits, 5);
}

#[test]
fn b2_what_is_wrong_is_told_with_its_key() {
    for (table, words) in [
        (
            "mime_types = ['Image/PNG']",
            "mime_types: found \"Image/PNG\"",
        ),
        ("mime_types = ['png']", "mime_types: found \"png\""),
        ("url = 'ftp://x.example'", "url: found"),
        ("url = 'https://x.example/path'", "wanted no path"),
        (
            "max_upload_bytes = 0",
            "max_upload_bytes: found 0, wanted 1 to",
        ),
        ("max_uploads = 0", "max_uploads: found 0, wanted 1 to 10000"),
        ("upload_timeout = '0s'", "upload_timeout: found"),
        (
            "rates = { uploads_per_minute = 0 }",
            "rates.uploads_per_minute",
        ),
        ("retention = { days = 0 }", "retention.days: found 0"),
        (
            "prefix_check = { prefix_digits = 64 }",
            "prefix_check.prefix_digits",
        ),
        ("backend = 's3'", "s3.bucket: found nothing"),
        ("backend = 's3'\ns3 = { bucket = 'b' }", "s3.access_key_id"),
        ("backend = 'upstream'", "upstream.url: found nothing"),
        ("quota = { blobs_per_pubkey = 0 }", "quota.blobs_per_pubkey"),
        ("uplod_by = 'anyone'", "unknown field"),
    ] {
        let problem = read(table).unwrap_err();
        assert!(problem.contains(words), "{table}: {problem}");
    }
    assert!(read("max_upload_bytes = '3GiB'").is_ok());
}

#[test]
fn b14_policy_is_followed_in_place_and_what_was_built_is_not() {
    let old = read("").unwrap();
    for table in [
        "mode = 'export'",
        "max_upload_bytes = 7",
        "upload_by = 'listed'",
    ] {
        assert!(read(table).unwrap().can_follow(&old), "{table}");
    }
    for table in [
        "path = 'x'",
        "rates = { uploads_per_minute = 1 }",
        "host = 'm.example'",
    ] {
        assert!(!read(table).unwrap().can_follow(&old), "{table}");
    }
}
