//! What a file is, by its bytes, and whether that is what its sender says (rule B4).
//!
//! Pure: no I/O, no clock. Invariants: a type is named only where the structure of its format is there, not its first
//! letters alone, as far as the head shows it (where that says that more stands behind it, it is believed); nothing that a
//! system runs, unpacks or renders as a page is ever taken for media, whatever stands before it; and any bytes of any length
//! are judged without a panic, in time that grows with the head and the tail alone.
//!
//! What is deliberately let through: text inside of media (comments, metadata) that would be a page or a script if somebody
//! took the file for one. Blobs are served with the type that was found here, with `nosniff` and in a sandbox, so no browser
//! does.

mod bmff;
#[cfg(test)]
mod corpus;
mod ebml;
mod forbidden;
mod images;
mod markup;
mod mpeg;
mod numbers;
mod ogg;
mod riff;
mod trailing;

pub(crate) use trailing::ArchiveScan;

use std::fmt;

/// The types that are told from their bytes, and so the only ones that an operator can allow.
pub(crate) const TELLABLE: &[&str] = &[
    "application/pdf",
    "audio/aac",
    "audio/aiff",
    "audio/amr",
    "audio/flac",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "image/avif",
    "image/gif",
    "image/heic",
    "image/heif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "video/3gpp",
    "video/mp4",
    "video/ogg",
    "video/quicktime",
    "video/webm",
    "video/x-m4v",
    "video/x-matroska",
    "video/x-msvideo",
];

/// What ciphertext is sent as (rule B5).
pub(crate) const OCTET_STREAM: &str = "application/octet-stream";

/// What the bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sniffed {
    /// One of [`TELLABLE`].
    Media(&'static str),
    /// Something that is refused under every declared type.
    Forbidden(Forbidden),
    /// Something that has a name, and that cannot be allowed: a font, an icon, an old format.
    Other(&'static str),
    /// Nothing that is known: ciphertext, for example.
    Unknown,
}

impl Sniffed {
    /// The same, unless [`ArchiveScan`] has found something in between the head and the tail.
    pub(crate) fn unless_hiding(self, hidden: Option<Forbidden>) -> Self {
        match (self, hidden) {
            (Sniffed::Forbidden(_), _) | (_, None) => self,
            (_, Some(hidden)) => Sniffed::Forbidden(hidden),
        }
    }
}

/// What is refused whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forbidden {
    /// A program for a machine, a virtual one included.
    Executable,
    /// Text that a program runs.
    Script,
    /// HTML, SVG or other XML.
    Markup,
    /// Text of another kind. A script need not say that it is one.
    Text,
    /// An archive, a compressed file or an image of a disk.
    Archive,
    /// An archive that stands in or behind something else.
    HiddenArchive,
    /// An office document of the kind that holds macros.
    Document,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Forbidden::Executable => "an executable",
            Forbidden::Script => "a script",
            Forbidden::Markup => "HTML, SVG or XML",
            Forbidden::Text => "text",
            Forbidden::Archive => "an archive",
            Forbidden::HiddenArchive => "a file with an archive in it",
            Forbidden::Document => "a document that can hold macros",
        })
    }
}

/// Why a file is not taken for its type. The text is for whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Disagreement {
    /// Refused under any type.
    #[error("this is {0}, which is not stored here")]
    Forbidden(Forbidden),
    /// The operator does not take what was declared.
    #[error("{declared} is not stored here")]
    NotAllowed {
        /// As the sender calls it.
        declared: String,
    },
    /// The operator does not take what it is.
    #[error("this is {sniffed}, which is not stored here")]
    SniffedNotAllowed {
        /// By its bytes.
        sniffed: &'static str,
    },
    /// It is nothing that is known, or broken.
    #[error(
        "the bytes are those of no type that is stored here; the file may be cut short or broken"
    )]
    Unknown,
    /// It is allowed, and not what it is said to be.
    #[error("this is {sniffed}, and was declared as {declared}")]
    Differs {
        /// As the sender calls it.
        declared: String,
        /// By its bytes.
        sniffed: &'static str,
    },
}

/// What a file of `size` bytes is, by its first bytes (64 KiB are enough) and its last (66 KiB). Both are the whole file where
/// it is shorter than that.
pub(crate) fn sniff(head: &[u8], tail: &[u8], size: u64) -> Sniffed {
    if let Some(forbidden) = forbidden::at_head(head) {
        return Sniffed::Forbidden(forbidden);
    }
    let is_whole = size <= head.len() as u64;
    if let Some(forbidden) = trailing::at_tail(tail, size).or_else(|| trailing::within(head)) {
        return Sniffed::Forbidden(forbidden);
    }
    if let Some(media) = media(head, is_whole) {
        return Sniffed::Media(media);
    }
    if let Some(forbidden) = markup::text(head) {
        return Sniffed::Forbidden(forbidden);
    }
    named(head)
}

/// Which of [`TELLABLE`] the head is of.
fn media(head: &[u8], is_whole: bool) -> Option<&'static str> {
    images::sniff(head, is_whole)
        .or_else(|| riff::sniff(head, is_whole))
        .or_else(|| bmff::sniff(head))
        .or_else(|| ebml::sniff(head))
        .or_else(|| ogg::sniff(head, is_whole))
        .or_else(|| is_pdf(head).then_some("application/pdf"))
        .or_else(|| mpeg::sniff(head, is_whole))
}

/// `%PDF-` and a version at the very beginning, since readers that look further are how a PDF hides in something else; then
/// an object.
fn is_pdf(head: &[u8]) -> bool {
    let version = head.strip_prefix(b"%PDF-");
    version.is_some_and(|it| {
        matches!(
            it,
            [b'0'..=b'9', b'.', b'0'..=b'9', b'\r' | b'\n' | b' ', ..]
        )
    }) && head.windows(4).any(|four| four == b" obj")
}

/// A name for what is refused anyway, so that the answer can say more than that it is unknown. The signatures behind it are
/// too weak for more.
fn named(head: &[u8]) -> Sniffed {
    use infer::MatcherType::{Audio, Font, Image, Video};
    match infer::get(head) {
        Some(kind)
            if matches!(kind.matcher_type(), Audio | Font | Image | Video)
                && !TELLABLE.contains(&kind.mime_type()) =>
        {
            Sniffed::Other(kind.mime_type())
        }
        _ => Sniffed::Unknown,
    }
}

/// The type that a file has where what is declared and what the bytes say are one, and the operator takes it. Nothing
/// declared counts as what the bytes say.
pub(crate) fn agree(
    declared: Option<&str>,
    sniffed: Sniffed,
    is_allowed: impl Fn(&str) -> bool,
) -> Result<&'static str, Disagreement> {
    let declared = declared.map(essence).filter(|it| !it.is_empty());
    let media = match sniffed {
        Sniffed::Forbidden(what) => return Err(Disagreement::Forbidden(what)),
        Sniffed::Media(media) | Sniffed::Other(media) => Some(media),
        Sniffed::Unknown => None,
    };
    let declared = declared.map(|it| counts_as(it, media));
    if let Some(declared) = declared.as_ref().filter(|it| !is_allowed(it)) {
        return Err(Disagreement::NotAllowed {
            declared: declared.clone(),
        });
    }
    let Some(media) = media else {
        return Err(Disagreement::Unknown);
    };
    if let Some(declared) = declared.filter(|it| it != media) {
        return Err(Disagreement::Differs {
            declared,
            sniffed: media,
        });
    }
    match matches!(sniffed, Sniffed::Media(_)) && is_allowed(media) {
        true => Ok(media),
        false => Err(Disagreement::SniffedNotAllowed { sniffed: media }),
    }
}

/// Ciphertext looks like nothing. What looks like something that is never stored is refused; what is of a type that the
/// operator takes has that type, since a blob has one for everybody who uploads it, whoever was first; everything else is
/// taken, since nobody can know (rule B5).
pub(crate) fn agree_encrypted(
    sniffed: Sniffed,
    is_allowed: impl Fn(&str) -> bool,
) -> Result<&'static str, Disagreement> {
    match sniffed {
        Sniffed::Forbidden(what) => Err(Disagreement::Forbidden(what)),
        Sniffed::Media(media) if is_allowed(media) => Ok(media),
        Sniffed::Media(_) | Sniffed::Other(_) | Sniffed::Unknown => Ok(OCTET_STREAM),
    }
}

/// A type without its parameters, in lower case; cut where no type is so long.
pub(crate) fn essence(declared: &str) -> String {
    let essence = declared.split(';').next().unwrap_or_default().trim();
    essence.chars().take(100).collect::<String>().to_lowercase()
}

/// Other names of the same types. `application/ogg` leaves open whether there is a picture: then the bytes say it.
fn counts_as(essence: String, sniffed: Option<&'static str>) -> String {
    match (essence.as_str(), sniffed) {
        ("audio/x-wav" | "audio/wave" | "audio/vnd.wave", _) => "audio/wav".to_owned(),
        ("application/ogg", Some("video/ogg")) => "video/ogg".to_owned(),
        ("application/ogg", _) => "audio/ogg".to_owned(),
        _ => essence,
    }
}
