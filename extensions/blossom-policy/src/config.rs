//! `[extensions.blossom_policy]`: the table as operators write it.
//!
//! Invariant: what has passed [`Config::check`] is right: what is out of bounds stops the start with the key, what was found
//! and what is wanted. The sections are in files of their own.

mod block_lists;
mod bounds;
mod encrypted;
mod media;
mod mirror;
mod payment;
mod prefix_check;
mod quota;
mod rates;
mod reports;
mod retention;
mod s3;
#[cfg(test)]
mod tests;
mod upstream;

pub(crate) use block_lists::BlockLists;
pub(crate) use encrypted::Encrypted;
pub(crate) use media::Media;
pub(crate) use mirror::Mirror;
pub(crate) use payment::Payment;
pub(crate) use prefix_check::{OnFailure, PrefixCheck};
pub(crate) use quota::Quota;
pub(crate) use rates::Rates;
pub(crate) use reports::Reports;
pub(crate) use retention::Retention;
pub(crate) use s3::S3;
pub(crate) use upstream::Upstream;

use crate::blob::MimeType;
use crate::sniffing::TELLABLE;
use bounds::{address, within};
use trellis_relay::config::{ByteSize, TimeSpan};
use trellis_relay::extension::prelude::*;

/// What is stored where the operator does not say otherwise.
pub(crate) const MIME_TYPES: [&str; 10] = [
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "video/mp4",
    "video/webm",
    "application/pdf",
];

/// `[extensions.blossom_policy]`. Every key may be absent.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where blobs are: "filesystem", "s3" (`[s3]`) or "upstream" (`[upstream]`). Default: "filesystem".
    pub(crate) backend: Backend,
    /// The directory of the index, of what is on its way in, and with "filesystem" of the blobs. Default: `blobs` in the
    /// relay's data directory.
    pub(crate) path: Option<String>,
    /// A Host name at which the routes are; the relay's own pages are not to be found there. Unset: they are at the root of
    /// every name.
    pub(crate) host: Option<String>,
    /// The URL by which clients know the routes: http or https, without a path. Unset: `https://` and `host`, or the
    /// relay's own address.
    pub(crate) url: Option<String>,
    /// The types that are stored. Default: JPEG, PNG, GIF, WebP, MP3, Ogg, WAV, MP4, WebM, PDF.
    pub(crate) mime_types: Vec<String>,
    /// Longest blob, 1 byte to 1TiB. Default: "100MiB".
    pub(crate) max_upload_bytes: ByteSize,
    /// Blobs on their way in at a time: 1 to 10000. Default: 64.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) max_uploads: usize,
    /// Of these for one address: 1 to 10000. Default: 8.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) max_uploads_per_ip: usize,
    /// How long an upload may stand still: 1s to 1h. Default: "30s".
    pub(crate) upload_idle_timeout: TimeSpan,
    /// How long it may take: 1s to 7d. Default: "1h".
    pub(crate) upload_timeout: TimeSpan,
    /// So many bytes must come each second on the average, once `upload_idle_timeout` is over: up to 1GiB; 0: any number.
    /// Default: "1KiB".
    pub(crate) upload_min_bytes_per_s: ByteSize,
    /// Who may upload: "anyone" or "listed" (those in `uploaders`, and the admins). Default: "anyone".
    pub(crate) upload_by: UploadBy,
    /// With "listed": who may upload.
    pub(crate) uploaders: Pubkeys,
    /// Whether blobs are given only to who signs (BUD-11, `t` is `get`). Default: false.
    pub(crate) require_auth_to_read: bool,
    /// Who may see what a key has uploaded: "owner" (that key, and the admins) or "anyone". Default: "owner".
    pub(crate) list_by: ListBy,
    /// The operator's own people: they may do what `/admin` offers.
    pub(crate) admins: Pubkeys,
    /// Whoever is trusted to report: what they report is taken away at once.
    pub(crate) moderators: Pubkeys,
    /// Services that may do what `/admin` offers, by name.
    pub(crate) service_tokens: ServiceTokens,
    /// What is open: "normal", "read_only" (nothing new is stored) or "export" (nothing new, and everybody may take along
    /// what is theirs). Default: "normal".
    pub(crate) mode: ServingMode,
    /// How much one may store.
    pub(crate) quota: Quota,
    /// Blobs that nobody here can look into.
    pub(crate) encrypted: Encrypted,
    /// How often one may ask.
    pub(crate) rates: Rates,
    /// Lists of hashes that are not stored.
    pub(crate) block_lists: BlockLists,
    /// A service that knows more such hashes, and is told the first digits alone.
    pub(crate) prefix_check: PrefixCheck,
    /// `PUT /mirror`
    pub(crate) mirror: Mirror,
    /// `PUT /media`
    pub(crate) media: Media,
    /// `PUT /report`
    pub(crate) reports: Reports,
    /// How long blobs are kept.
    pub(crate) retention: Retention,
    /// Who is asked whether an upload has to be paid for.
    pub(crate) payment: Payment,
    /// The object store of the backend "s3".
    pub(crate) s3: S3,
    /// The server of the backend "upstream".
    pub(crate) upstream: Upstream,
}

/// `backend`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Backend {
    /// Files below `path`.
    #[default]
    Filesystem,
    /// An object store.
    S3,
    /// A Blossom server that nobody else reaches.
    Upstream,
}

/// `upload_by`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UploadBy {
    /// Whoever signs.
    #[default]
    Anyone,
    /// `uploaders` and `admins`.
    Listed,
}

/// `list_by`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ListBy {
    /// The key whose blobs they are, and the admins.
    #[default]
    Owner,
    /// Anybody, unsigned.
    Anyone,
}

/// `mode`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ServingMode {
    /// All routes.
    #[default]
    Normal,
    /// Nothing new is stored.
    ReadOnly,
    /// The same, and `GET /export` is open.
    Export,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            backend: Backend::default(),
            path: None,
            host: None,
            url: None,
            mime_types: MIME_TYPES.map(str::to_owned).to_vec(),
            max_upload_bytes: ByteSize::from_mib(100),
            max_uploads: 64,
            max_uploads_per_ip: 8,
            upload_idle_timeout: TimeSpan::from_secs(30),
            upload_timeout: TimeSpan::from_secs(3600),
            upload_min_bytes_per_s: ByteSize::from_kib(1),
            upload_by: UploadBy::default(),
            uploaders: Pubkeys::default(),
            require_auth_to_read: false,
            list_by: ListBy::default(),
            admins: Pubkeys::default(),
            moderators: Pubkeys::default(),
            service_tokens: ServiceTokens::default(),
            mode: ServingMode::default(),
            quota: Quota::default(),
            encrypted: Encrypted::default(),
            rates: Rates::default(),
            block_lists: BlockLists::default(),
            prefix_check: PrefixCheck::default(),
            mirror: Mirror::default(),
            media: Media::default(),
            reports: Reports::default(),
            retention: Retention::default(),
            payment: Payment::default(),
            s3: S3::default(),
            upstream: Upstream::default(),
        }
    }
}

impl Config {
    /// What is wrong first, with the key, what was found and what is wanted.
    pub(crate) fn check(&self) -> Result<(), String> {
        for found in &self.mime_types {
            if MimeType::parse(found).is_none_or(|read| read.as_str() != found) {
                return Err(format!(
                    "mime_types: found {found:?}, wanted types such as \"image/png\", in lower case and without parameters"
                ));
            }
        }
        if let Some(found) = self
            .mime_types
            .iter()
            .find(|it| !TELLABLE.contains(&it.as_str()))
        {
            return Err(format!(
                "mime_types: found {found:?}, which cannot be told from a file's bytes; these can: {}",
                TELLABLE.join(", ")
            ));
        }
        address("url", self.url.as_deref(), &["http", "https"])?;
        within("max_upload_bytes", self.max_upload_bytes, 1..=1 << 40)?;
        within("max_uploads", self.max_uploads, 1..=10_000)?;
        within("max_uploads_per_ip", self.max_uploads_per_ip, 1..=10_000)?;
        within("upload_idle_timeout", self.upload_idle_timeout, 1..=3600)?;
        within("upload_timeout", self.upload_timeout, 1..=7 * 86_400)?;
        within(
            "upload_min_bytes_per_s",
            self.upload_min_bytes_per_s,
            0..=1 << 30,
        )?;
        self.quota.check()?;
        self.encrypted.check()?;
        self.rates.check()?;
        self.block_lists.check()?;
        self.prefix_check.check()?;
        self.mirror.check()?;
        self.media.check()?;
        self.reports.check()?;
        self.retention.check()?;
        self.payment.check()?;
        match self.backend {
            Backend::Filesystem => Ok(()),
            Backend::S3 => self.s3.check(),
            Backend::Upstream => self.upstream.check(),
        }
    }

    /// Whether a running instance can take this over in place of its own: nothing has changed that anything was built from.
    pub(crate) fn can_follow(&self, other: &Config) -> bool {
        let as_before = Config {
            mime_types: other.mime_types.clone(),
            max_upload_bytes: other.max_upload_bytes,
            upload_idle_timeout: other.upload_idle_timeout,
            upload_timeout: other.upload_timeout,
            upload_min_bytes_per_s: other.upload_min_bytes_per_s,
            upload_by: other.upload_by,
            uploaders: other.uploaders.clone(),
            require_auth_to_read: other.require_auth_to_read,
            list_by: other.list_by,
            admins: other.admins.clone(),
            moderators: other.moderators.clone(),
            mode: other.mode,
            retention: other.retention.clone(),
            payment: other.payment.clone(),
            ..self.clone()
        };
        as_before == *other
    }
}
