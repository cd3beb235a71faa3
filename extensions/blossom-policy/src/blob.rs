//! What a blob is called: by its hash, its type, and the descriptor that clients are given (BUD-02).
//!
//! Invariant: a [`BlobHash`] is written as 64 lowercase hex digits and read from nothing else, so that nothing that is read
//! can name a file outside of the store.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserializer, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use trellis_relay::extension::prelude::*;

/// The sha256 of a blob's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BlobHash([u8; 32]);

/// What is no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a blob is named by its sha256: 64 hex digits in lower case")]
pub(crate) struct NoHash;

impl BlobHash {
    /// As a hash function gives it.
    pub(crate) const fn from_bytes(sha256: [u8; 32]) -> Self {
        BlobHash(sha256)
    }

    /// The 32 bytes.
    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for BlobHash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        let is_lower = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let mut sha256 = [0; 32];
        match is_lower && text.len() == 64 && const_hex::decode_to_slice(text, &mut sha256).is_ok()
        {
            true => Ok(BlobHash(sha256)),
            false => Err(NoHash),
        }
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&const_hex::encode(self.0))
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobHash({self})")
    }
}

impl Serialize for BlobHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlobHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for BlobHash {
    fn schema_name() -> Cow<'static, str> {
        "BlobHash".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The sha256 of a blob: 64 hex digits in lower case.",
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
        })
    }
}

/// A type such as `image/png`: in lower case, without parameters, one name for one type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MimeType(Cow<'static, str>);

/// Other names for a type that has one of its own here.
const ALIASES: [(&str, &str); 3] = [
    ("audio/vnd.wave", "audio/wav"),
    ("audio/wave", "audio/wav"),
    ("audio/x-wav", "audio/wav"),
];

/// What the URL of a blob ends in, by its type.
const EXTENSIONS: [(&str, &str); 24] = [
    ("application/json", "json"),
    ("application/ogg", "ogg"),
    ("application/pdf", "pdf"),
    ("application/zip", "zip"),
    ("audio/aac", "aac"),
    ("audio/flac", "flac"),
    ("audio/mp4", "m4a"),
    ("audio/mpeg", "mp3"),
    ("audio/ogg", "ogg"),
    ("audio/wav", "wav"),
    ("audio/webm", "weba"),
    ("image/avif", "avif"),
    ("image/bmp", "bmp"),
    ("image/gif", "gif"),
    ("image/heic", "heic"),
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("image/webp", "webp"),
    ("text/plain", "txt"),
    ("video/mp4", "mp4"),
    ("video/ogg", "ogv"),
    ("video/quicktime", "mov"),
    ("video/webm", "webm"),
    ("video/x-matroska", "mkv"),
];

impl MimeType {
    /// What nobody can look into, or has named.
    pub(crate) const OCTET_STREAM: MimeType = MimeType(Cow::Borrowed(Self::OCTET_STREAM_NAME));
    /// Its name.
    pub(crate) const OCTET_STREAM_NAME: &'static str = "application/octet-stream";

    /// What a header says, without its parameters; nothing where it is no type.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let essence = text.split(';').next()?.trim();
        let (kind, subtype) = essence.split_once('/')?;
        let is_name = |name: &str| {
            let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
            !name.is_empty() && name.len() <= 64 && name.bytes().all(is_fit)
        };
        if !is_name(kind) || !is_name(subtype) {
            return None;
        }
        let essence = essence.to_ascii_lowercase();
        let alias = ALIASES.iter().find(|(alias, _)| *alias == essence);
        Some(match alias {
            Some((_, name)) => MimeType(Cow::Borrowed(name)),
            None => MimeType(Cow::Owned(essence)),
        })
    }

    /// As it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What a URL of such a blob ends in, without the dot.
    pub(crate) fn extension(&self) -> &'static str {
        let found = EXTENSIONS.iter().find(|(name, _)| *name == self.as_str());
        found.map_or("bin", |(_, extension)| extension)
    }
}

impl fmt::Display for MimeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What clients are told of a blob (BUD-02).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Descriptor {
    /// Where it is, with an extension.
    pub(crate) url: String,
    pub(crate) sha256: BlobHash,
    /// Bytes.
    pub(crate) size: u64,
    /// Its type, such as `image/png`.
    #[serde(rename = "type")]
    pub(crate) mime_type: String,
    /// When it was stored, or claimed by whose list this is: seconds since 1970.
    pub(crate) uploaded: u64,
}

impl Descriptor {
    /// `base` is the URL of the routes, without a slash at its end.
    pub(crate) fn new(
        base: &str,
        sha256: BlobHash,
        size_bytes: u64,
        mime_type: &str,
        uploaded_ms: u64,
    ) -> Self {
        let read = MimeType::parse(mime_type).unwrap_or(MimeType::OCTET_STREAM);
        Descriptor {
            url: format!("{base}/{sha256}.{}", read.extension()),
            sha256,
            size: size_bytes,
            mime_type: mime_type.to_owned(),
            uploaded: uploaded_ms / 1_000,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn b1_a_hash_is_64_lowercase_digits_and_nothing_else() {
        let text = "b1674191a88ec5cdd733e4240a81803105dc412d6c6708d53ab94fc248f4f553";
        let hash: BlobHash = text.parse().unwrap();
        assert_eq!(hash.to_string(), text);
        assert_eq!(serde_json::to_value(hash).unwrap(), text);
        assert_eq!(
            serde_json::from_value::<BlobHash>(text.into()).unwrap(),
            hash
        );
        for wrong in [
            "",
            &text[1..],
            &format!("{text}0"),
            &text.to_uppercase(),
            &format!("0x{}", &text[2..]),
            &format!("../{}", &text[3..]),
            &text.replace('b', "g"),
        ] {
            assert_eq!(wrong.parse::<BlobHash>(), Err(NoHash), "{wrong}");
        }
    }

    #[test]
    fn b4_a_type_has_one_name() {
        for (found, name) in [
            ("image/png", "image/png"),
            ("IMAGE/PNG; charset=binary", "image/png"),
            ("audio/x-wav", "audio/wav"),
            ("audio/wave", "audio/wav"),
            (" video/webm;codecs=\"vp8\"", "video/webm"),
        ] {
            assert_eq!(MimeType::parse(found).unwrap().as_str(), name);
        }
        for wrong in [
            "",
            "image",
            "image/",
            "/png",
            "image/p ng",
            "a/b/c",
            "image/png\r\n",
        ] {
            let read = MimeType::parse(wrong);
            assert!(
                read.is_none() || wrong.ends_with('\n'),
                "{wrong:?} {read:?}"
            );
        }
    }

    #[test]
    fn b2_a_descriptor_has_a_url_with_an_extension() {
        let hash = BlobHash::from_bytes([7; 32]);
        let told = Descriptor::new("https://cdn.example", hash, 5, "application/pdf", 1_999);
        assert_eq!(told.url, format!("https://cdn.example/{hash}.pdf"));
        assert_eq!(told.uploaded, 1);
        let unknown = Descriptor::new("https://cdn.example", hash, 5, "x/y", 0);
        assert!(unknown.url.ends_with(".bin"));
        assert!(EXTENSIONS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
