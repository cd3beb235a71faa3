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
            "upload_min_bytes_per_s = '2GiB'",
            "upload_min_bytes_per_s: found",
        ),
        ("media = { max_bytes = 0 }", "media.max_bytes: found 0"),
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
        ("backend = 's3'\ns3 = { timeout = '0s' }", "s3.timeout"),
        ("backend = 's3'\ns3 = { timeout = '11m' }", "s3.timeout"),
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

/// Keys that the shipped table shows by example, since they have no default.
const EXAMPLES: [&str; 14] = [
    "path",
    "host",
    "url",
    "quota.total_bytes",
    "prefix_check.url",
    "mirror.max_bytes",
    "retention.days",
    "payment.url",
    "payment.token",
    "s3.endpoint",
    "s3.bucket",
    "s3.access_key_id",
    "s3.secret_access_key",
    "upstream.url",
];

/// The shipped table without its marks of comment.
fn shipped() -> toml::Table {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/trellis.toml");
    let file = std::fs::read_to_string(file).unwrap();
    let (_, table) = file.split_once("\n#[extensions.blossom_policy]\n").unwrap();
    let lines = table.lines().map_while(|line| match line {
        "" => Some(""),
        line => line.strip_prefix('#'),
    });
    let lines = lines.take_while(|line| !line.starts_with('['));
    let settings = lines.filter(|line| !line.starts_with(' '));
    settings.collect::<Vec<_>>().join("\n").parse().unwrap()
}

/// The keys of a table and of the tables in it, `outer.inner`.
fn keys(table: &toml::Table, within: &str) -> Vec<String> {
    let keys = table.iter().flat_map(|(key, value)| match value {
        toml::Value::Table(inner) if !inner.is_empty() => keys(inner, &format!("{within}{key}.")),
        _ => vec![format!("{within}{key}")],
    });
    keys.collect()
}

#[test]
fn b2_the_shipped_table_shows_every_key() {
    let schema = schemars::schema_for!(Config).to_value();
    let properties = |schema: &serde_json::Value| {
        let found = schema["properties"].as_object().cloned();
        found.unwrap_or_default()
    };
    let mut wanted = Vec::new();
    for (key, property) in properties(&schema) {
        let name = property["$ref"].as_str().unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or_default();
        let inner = properties(&schema["$defs"][name]);
        match inner.is_empty() {
            true => wanted.push(key),
            false => wanted.extend(inner.keys().map(|it| format!("{key}.{it}"))),
        }
    }
    let mut shown = keys(&shipped(), "");
    wanted.sort();
    shown.sort();
    assert_eq!(shown, wanted);
}

#[test]
fn b2_the_shipped_table_shows_defaults_and_readable_examples() {
    let mut table = shipped();
    let whole: Config = table.clone().try_into().unwrap();
    assert_eq!(whole.check(), Ok(()));
    assert!(whole.s3.check().is_ok() && whole.upstream.check().is_ok());
    for example in EXAMPLES {
        let removed = match example.split_once('.') {
            None => table.remove(example),
            Some((section, key)) => table[section].as_table_mut().unwrap().remove(key),
        };
        assert!(removed.is_some(), "{example}");
    }
    let shown: Config = table.try_into().unwrap();
    assert_eq!(shown, Config::default());
}
