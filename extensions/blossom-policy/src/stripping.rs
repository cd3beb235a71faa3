//! Takes out of pictures what is not the picture: where and when it was taken, by whom, with what, and what stands behind
//! its end (rule B12, `PUT /media`).
//!
//! Invariant: what is known to be needed to show the picture is kept, and nothing else; so what nobody has thought of goes.
//! Pixels and colours are not touched, and a picture that was lying on its side is still shown upright.
//!
//! A JPEG, PNG or GIF that ends before its end is shown everywhere, as far as it goes: it is kept as far as it goes, and given an
//! end. That is for what is missing alone; what stands where something else must be is broken.

mod gif;
mod jpeg;
mod orientation;
mod png;
#[cfg(test)]
mod tests;
mod webp;

use bytes::Bytes;

/// Why a picture is not stripped. Texts are for whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StrippingError {
    /// It is of another type.
    #[error(
        "only JPEG, PNG, GIF and WebP are taken here, whose metadata can be removed; PUT /upload takes files as they are"
    )]
    NoPicture,
    /// It is damaged.
    #[error("the picture is broken, so its metadata cannot be removed")]
    Broken,
}

/// Whether it is a type of pictures that can be stripped.
pub(crate) fn takes(mime_type: &str) -> bool {
    stripper(mime_type).is_some()
}

/// The picture alone. Takes time and memory in the order of its bytes.
pub(crate) fn strip(mime_type: &str, picture: Bytes) -> Result<Bytes, StrippingError> {
    let strip = stripper(mime_type).ok_or(StrippingError::NoPicture)?;
    strip(picture).ok_or(StrippingError::Broken)
}

fn stripper(mime_type: &str) -> Option<fn(Bytes) -> Option<Bytes>> {
    match mime_type {
        "image/jpeg" => Some(jpeg::strip),
        "image/png" => Some(png::strip),
        "image/gif" => Some(gif::strip),
        "image/webp" => Some(webp::strip),
        _ => None,
    }
}
