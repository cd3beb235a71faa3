//! `[backup]`: where copies of everything stored go, how often, and how long they are kept.
//!
//! Not here: what a copy is made of, which is [`crate::backup`]'s.

use super::TimeSpan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where copies of everything stored go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Backup {
    /// Where to: "file:///DIRECTORY", "s3://BUCKET/PREFIX" or "gs://BUCKET/PREFIX"; "" makes no backup. A relay with an
    /// empty database is restored from there when it starts. Default "".
    pub url: String,
    /// How often what was stored since goes there, which is the most that a crash can lose with the disk. A time.
    /// Default "5s".
    pub interval: TimeSpan,
    /// How often everything is copied anew, so that restoring is quick and old copies can go. A time. Default "1d".
    pub snapshot_interval: TimeSpan,
    /// How far back a point in time can be restored. A time. Default "30d".
    pub retention: TimeSpan,
}

impl Backup {
    /// Whether there is one.
    pub fn is_on(&self) -> bool {
        !self.url.is_empty()
    }
}

impl Default for Backup {
    fn default() -> Self {
        Self {
            url: String::new(),
            interval: TimeSpan::from_secs(5),
            snapshot_interval: TimeSpan::from_secs(86_400),
            retention: TimeSpan::from_secs(30 * 86_400),
        }
    }
}

/// What a place for copies may look like.
pub(super) const ALLOWED: &str =
    r#""file:///DIRECTORY", "s3://BUCKET/PREFIX" or "gs://BUCKET/PREFIX", or "" for none"#;

/// A place for copies, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'u> {
    /// A directory of this machine.
    Directory(&'u str),
    /// A bucket that speaks S3, and what the names of objects in it begin with.
    S3(&'u str, &'u str),
    /// A bucket of Google Cloud Storage, and what the names of objects in it begin with.
    Google(&'u str, &'u str),
}

impl<'u> Place<'u> {
    /// Reads the value of `backup.url`; `None` where it is none.
    pub fn parse(url: &'u str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        if scheme == "file" {
            return rest.starts_with('/').then_some(Place::Directory(rest));
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let is_plain = |text: &str| {
            let good = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
            text.chars().all(good) && text.split('/').all(|part| part != "." && part != "..")
        };
        let fits = !bucket.is_empty()
            && is_plain(bucket)
            && is_plain(prefix)
            && !prefix.starts_with('/')
            && !prefix.contains("//");
        match scheme {
            "s3" if fits => Some(Place::S3(bucket, prefix)),
            "gs" if fits => Some(Place::Google(bucket, prefix)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d4_a_place_for_copies_is_a_directory_or_a_bucket() {
        let of = Place::parse;
        assert_eq!(
            of("file:///var/backups"),
            Some(Place::Directory("/var/backups"))
        );
        assert_eq!(of("s3://bucket/a/b/"), Some(Place::S3("bucket", "a/b")));
        assert_eq!(of("gs://bucket"), Some(Place::Google("bucket", "")));
        for wrong in [
            "bucket",
            "file://relative",
            "s3://",
            "s3:///a",
            "s3://bucket/a//b",
            "s3://bucket/../b",
            "s3://user:password@host",
            "http://host/bucket",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
