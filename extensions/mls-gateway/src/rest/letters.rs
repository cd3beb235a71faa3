//! What may be put into a mailbox.
//!
//! Invariant: a letter is base64 and text within bounds, and its box has room for it: a box has a bound in letters and in
//! bytes, and one sender a share of it, so that a stranger cannot fill it alone.

use crate::config::Settings;
use crate::rules::key_package::BASE64;
use crate::storage::{BoxLoad, Letter};
use actix_web::http::StatusCode;
use base64::Engine as _;
use std::time::Duration;
use trellis_relay::extension::prelude::*;

/// A letter may have so many bytes as it is sent, in base64; a Welcome with its ratchet tree.
pub(super) const LETTER_BYTES_MAX: usize = 1 << 20;
/// Tags of a letter, as JSON.
const TAGS_BYTES_MAX: usize = 16 << 10;
/// The part of a box's letters that one sender may take up: one in so many.
const LETTERS_SHARE: u64 = 10;
/// The same of its bytes.
const BYTES_SHARE: u64 = 4;
/// When to ask again whether there is room in a full box.
const FULL_RETRY: Duration = Duration::from_secs(3_600);

/// Refuses what is too long in total, in bytes of base64.
pub(super) fn check_length(parts: &[&str]) -> Result<(), ApiError> {
    let bytes: usize = parts.iter().map(|part| part.len()).sum();
    match bytes <= LETTER_BYTES_MAX {
        true => Ok(()),
        false => Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "the letter is too large: at most {LETTER_BYTES_MAX} bytes of base64 are allowed"
            ),
        )),
    }
}

/// Refuses what is no base64, or nothing.
pub(super) fn check_base64(field: &str, text: &str) -> Result<(), ApiError> {
    let is_good = BASE64.decode(text).is_ok_and(|bytes| !bytes.is_empty());
    match is_good {
        true => Ok(()),
        false => Err(ApiError::bad_request(format!(
            "{field} must be base64 of the standard alphabet, and not empty"
        ))),
    }
}

/// Tags as they are stored.
pub(super) fn tags_json(tags: &[Vec<String>]) -> Result<String, ApiError> {
    let json = serde_json::to_string(tags).map_err(ApiError::internal)?;
    match json.len() <= TAGS_BYTES_MAX {
        true => Ok(json),
        false => Err(ApiError::bad_request(format!(
            "tags may have {TAGS_BYTES_MAX} bytes as JSON"
        ))),
    }
}

/// Refuses a letter for which there is no room (429).
pub(super) fn check_room(
    letter: &Letter,
    load: &BoxLoad,
    settings: &Settings,
) -> Result<(), ApiError> {
    let bytes = bytes_of(letter);
    let (letters_max, bytes_max) = (settings.max_mailbox_letters, settings.max_mailbox_bytes);
    let has_room = load.letters < letters_max
        && load.bytes.saturating_add(bytes) <= bytes_max
        && load.letters_of_sender < letters_max / LETTERS_SHARE
        && load.bytes_of_sender.saturating_add(bytes) <= bytes_max / BYTES_SHARE;
    match has_room {
        true => Ok(()),
        false => Err(ApiError::too_many(FULL_RETRY)),
    }
}

fn bytes_of(letter: &Letter) -> u64 {
    let optional = [&letter.ratchet_tree_b64, &letter.tags_json];
    let optional = optional.into_iter().flatten().map(String::len);
    (letter.content_b64.len() + optional.sum::<usize>()) as u64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Config;
    use std::path::Path;

    fn letter(bytes: usize) -> Letter {
        let key = PublicKey::from_hex(&"1".repeat(64)).unwrap();
        Letter {
            id: "a".to_owned(),
            recipient: key,
            sender: key,
            group_id: None,
            content_b64: "A".repeat(bytes),
            ratchet_tree_b64: None,
            tags_json: None,
            created_at_s: 0,
            expires_at_s: 1,
            picked_up_at_s: None,
            acknowledged_at_s: None,
        }
    }

    #[test]
    fn m24_one_sender_cannot_fill_a_box_and_all_together_not_beyond_its_bound() {
        let settings = Config::default().settle(|_| None, Path::new(".")).unwrap();
        let check = |letter: &Letter, load| check_room(letter, &load, &settings).is_ok();
        let small = letter(4);
        let of_one = |letters, bytes| BoxLoad {
            letters,
            bytes,
            letters_of_sender: letters,
            bytes_of_sender: bytes,
        };
        let of_others = |letters, bytes| BoxLoad {
            letters,
            bytes,
            ..BoxLoad::default()
        };
        assert!(check(&small, BoxLoad::default()));
        assert!(check(&small, of_one(99, 400)));
        assert!(!check(&small, of_one(100, 400)));
        assert!(check(&small, of_one(4, (4 << 20) - 4)));
        assert!(!check(&small, of_one(4, (4 << 20) - 3)));
        assert!(check(&small, of_others(999, 4_000)));
        assert!(!check(&small, of_others(1_000, 4_000)));
        assert!(!check(&small, of_others(20, (16 << 20) - 3)));
    }

    #[test]
    fn m24_contents_are_base64_and_something() {
        for good in ["AA==", "AA", "q83v", "+/+/"] {
            assert!(check_base64("content_b64", good).is_ok(), "{good}");
        }
        for bad in ["", "A", "q83v!", "-_-_", "q83v q83v", "=="] {
            let error = check_base64("content_b64", bad).unwrap_err();
            assert_eq!(error.status(), 400, "{bad}");
        }
    }

    #[test]
    fn m24_a_letter_has_at_most_a_mebibyte() {
        let half = "A".repeat(LETTER_BYTES_MAX / 2);
        assert!(check_length(&[&half, &half]).is_ok());
        let error = check_length(&[&half, &half, "A"]).unwrap_err();
        assert_eq!(error.status(), 413);
    }
}
