//! What is stored: the one function that decides, for `HEAD /upload`, for what the headers of an upload say, and for what
//! has come in.
//!
//! Invariant: pure, so that the three are the same decision, made of what is known at the time. What is not known yet is
//! not held against anybody, but for the size of an upload, which must be told. What an upload must not
//! overshoot together with others, its quota and its rate, is in `quota` and `rates`.

use crate::blob::MimeType;
use crate::config::{Config, ServingMode, UploadBy};
use crate::refusal::Refusal;
use crate::stripping::{self, StrippingError};
use trellis_relay::extension::prelude::*;

/// How a blob comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// `PUT /upload`, and `HEAD /upload`.
    Upload,
    /// `PUT /media`, and `HEAD /media`.
    Media,
    /// `PUT /mirror`: size and type are not known before the other server has told them.
    Mirror,
}

/// What somebody offers, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer<'o> {
    pub(crate) way: Way,
    pub(crate) by: &'o PublicKey,
    /// By the bans of this server.
    pub(crate) is_banned: bool,
    /// Its hash is on a list of what is not stored.
    pub(crate) is_blocked: bool,
    pub(crate) size_bytes: Option<u64>,
    /// As it was declared, and once it has come in, as it is.
    pub(crate) mime_type: Option<&'o MimeType>,
}

/// What an offer is taken as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Whether it goes to the quota of what nobody here can look into.
    pub(crate) is_encrypted: bool,
    /// It may have so many bytes.
    pub(crate) max_bytes: u64,
}

/// Decides on an offer.
pub(crate) fn judge(config: &Config, offer: &Offer<'_>) -> Result<Terms, Refusal> {
    if config.mode != ServingMode::Normal {
        return Err(Refusal::forbidden(
            "this server stores nothing new at the moment; what it has can be read",
        ));
    }
    if offer.is_banned {
        return Err(Refusal::forbidden("this public key is banned"));
    }
    let is_listed = config.uploaders.contains(offer.by) || config.admins.contains(offer.by);
    if config.upload_by == UploadBy::Listed && !is_listed {
        return Err(Refusal::forbidden(
            "only those whom the operator has listed may store blobs here",
        ));
    }
    let is_encrypted = offer.mime_type == Some(&MimeType::OCTET_STREAM) && config.encrypted.allow;
    match (offer.mime_type, offer.way) {
        (Some(mime_type), Way::Media) if !is_encrypted && !stripping::takes(mime_type.as_str()) => {
            return Err(Refusal::Type(StrippingError::NoPicture.to_string().into()));
        }
        (Some(mime_type), _) if is_allowed(config, mime_type) => {}
        (Some(mime_type), _) => return Err(not_stored(config, mime_type)),
        // Then the bytes say it alone.
        (None, _) => {}
    }
    let of_kind = match is_encrypted {
        true => config.encrypted.max_upload_bytes,
        false => config.max_upload_bytes,
    };
    let max_bytes = match (is_encrypted, offer.way) {
        (_, Way::Media) => of_kind.min(config.media.max_bytes),
        (false, Way::Mirror) => config
            .mirror
            .max_bytes
            .map_or(of_kind, |it| it.min(of_kind)),
        (true, Way::Mirror) | (_, Way::Upload) => of_kind,
    };
    let max_bytes = max_bytes.bytes();
    match (offer.size_bytes, offer.way) {
        (Some(size_bytes), _) if size_bytes > max_bytes => {
            return Err(Refusal::TooLarge { max_bytes });
        }
        (Some(0), _) => return Err(Refusal::bad_request("the blob is empty")),
        (Some(_), _) | (None, Way::Mirror) => {}
        (None, Way::Upload | Way::Media) => return Err(Refusal::NoLength("Content-Length")),
    }
    match offer.is_blocked {
        true => Err(Refusal::Blocked),
        false => Ok(Terms {
            is_encrypted,
            max_bytes,
        }),
    }
}

/// The types that are stored, as the sniffing of bytes wants them.
pub(crate) fn allowed_types(config: &Config) -> Vec<&str> {
    let listed = config.mime_types.iter().map(String::as_str);
    let encrypted = config
        .encrypted
        .allow
        .then_some(MimeType::OCTET_STREAM_NAME);
    listed.chain(encrypted).collect()
}

/// Whether a type may be stored. `application/ogg` leaves open whether there is a picture, which the bytes say.
fn is_allowed(config: &Config, mime_type: &MimeType) -> bool {
    let allowed = allowed_types(config);
    match mime_type.as_str() {
        "application/ogg" => allowed.contains(&"audio/ogg") || allowed.contains(&"video/ogg"),
        name => allowed.contains(&name),
    }
}

fn not_stored(config: &Config, mime_type: &MimeType) -> Refusal {
    let allowed = allowed_types(config).join(", ");
    Refusal::Type(format!("{mime_type} is not stored here; these are: {allowed}").into())
}

#[cfg(test)]
mod tests;
