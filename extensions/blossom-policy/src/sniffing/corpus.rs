//! Files of all kinds, and what they are: as programs write them, as specifications allow them, cut short, glued together,
//! and declared as what they are not.

#![allow(clippy::unwrap_used)]

mod forbidden;
mod handmade;
mod polyglots;
mod written;

use super::*;
use crate::config::MIME_TYPES;
use Expected::{Is, NotStored, Refused};
use handmade::Made;

/// What a file of the corpus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// This type, and no other.
    Is(&'static str),
    /// Nothing that can be allowed.
    NotStored,
    /// Refused under every type.
    Refused(Forbidden),
}

fn corpus() -> Vec<Made> {
    let written = written::WRITTEN.iter();
    let mut all: Vec<Made> = written
        .map(|(name, bytes, expected)| ((*name).to_owned(), bytes.to_vec(), *expected))
        .collect();
    all.extend(handmade::all());
    all.extend(forbidden::all());
    all.extend(polyglots::all());
    all
}

/// As a file on the disk is looked at.
fn look(bytes: &[u8]) -> Sniffed {
    let head = &bytes[..bytes.len().min(64 << 10)];
    let tail = &bytes[bytes.len().saturating_sub(66 << 10)..];
    sniff(head, tail, bytes.len() as u64)
}

fn is_as_expected(sniffed: Sniffed, expected: Expected) -> bool {
    match expected {
        Is(media) => sniffed == Sniffed::Media(media),
        NotStored => matches!(sniffed, Sniffed::Unknown | Sniffed::Other(_)),
        Refused(what) => sniffed == Sniffed::Forbidden(what),
    }
}

fn ten(name: &str) -> bool {
    MIME_TYPES.contains(&name)
}

#[test]
fn b4_every_file_of_the_corpus_is_told() {
    let corpus = corpus();
    let mistakes: Vec<_> = corpus
        .iter()
        .map(|(name, bytes, expected)| (name, look(bytes), expected))
        .filter(|(_, sniffed, expected)| !is_as_expected(*sniffed, **expected))
        .collect();
    assert!(mistakes.is_empty(), "{mistakes:#?}");
    let names: std::collections::BTreeSet<_> = corpus.iter().map(|(name, ..)| name).collect();
    assert_eq!(names.len(), corpus.len(), "two files have one name");
    assert!(corpus.len() >= 300, "{}", corpus.len());
}

#[test]
fn b4_each_allowed_type_is_written_by_several() {
    for mime_type in MIME_TYPES {
        let files = written::WRITTEN.iter();
        let writers: std::collections::BTreeSet<_> = files
            .filter(|(.., expected)| *expected == Is(mime_type))
            .map(|(name, ..)| name.split(['.', '_']).next().unwrap())
            .collect();
        assert!(writers.len() >= 2, "{mime_type}: {writers:?}");
    }
}

#[test]
fn b4_what_is_forbidden_is_so_under_every_type() {
    let mut judged = 0;
    for (name, bytes, expected) in corpus() {
        let Refused(what) = expected else { continue };
        for declared in MIME_TYPES {
            judged += 1;
            let answer = agree(Some(declared), look(&bytes), ten);
            assert_eq!(
                answer,
                Err(Disagreement::Forbidden(what)),
                "{name} as {declared}"
            );
        }
        let undeclared = agree(None, look(&bytes), ten);
        assert_eq!(undeclared, Err(Disagreement::Forbidden(what)), "{name}");
        let encrypted = agree_encrypted(look(&bytes), ten);
        assert_eq!(encrypted, Err(Disagreement::Forbidden(what)), "{name}");
    }
    assert!(judged >= 1000, "{judged}");
}

#[test]
fn b4_a_file_is_taken_under_its_own_type_alone() {
    for (name, bytes, expected) in corpus() {
        let sniffed = look(&bytes);
        for declared in MIME_TYPES {
            let taken = agree(Some(declared), sniffed, ten).ok();
            let own = Some(declared).filter(|it| expected == Is(it));
            assert_eq!(taken, own, "{name} as {declared}");
        }
        let own = match expected {
            Is(media) => Some(media).filter(|it| ten(it)),
            NotStored | Refused(_) => None,
        };
        assert_eq!(agree(None, sniffed, ten).ok(), own, "{name}");
        assert_eq!(agree(Some("  "), sniffed, ten).ok(), own, "{name}");
        assert_eq!(agree(Some(OCTET_STREAM), sniffed, ten).ok(), None, "{name}");
    }
}

#[test]
fn b4_what_is_cut_short_is_never_taken_for_something_else() {
    for (name, bytes, expected) in corpus() {
        let lengths = (0..bytes.len().min(1200)).chain((1200..bytes.len()).step_by(977));
        for length in lengths {
            let sniffed = look(&bytes[..length]);
            let is_right = match (sniffed, expected) {
                (Sniffed::Media(media), Is(whole)) => media == whole,
                // Without what is glued to their end they are what they look like.
                (Sniffed::Media(_), Refused(Forbidden::HiddenArchive)) => true,
                (Sniffed::Media(_), _) => false,
                (_, _) => true,
            };
            assert!(is_right, "{name}, {length} bytes: {sniffed:?}");
        }
    }
}

#[test]
fn b4_the_last_bytes_of_a_file_are_not_needed_to_tell_it() {
    for (name, bytes, expected) in written::WRITTEN {
        let Is(mime_type) = expected else { continue };
        for missing in 1..=4 {
            let sniffed = look(&bytes[..bytes.len() - missing]);
            assert_eq!(
                sniffed,
                Sniffed::Media(mime_type),
                "{name} without {missing}"
            );
        }
    }
}

#[test]
fn b4_no_damage_makes_a_file_something_that_cannot_be_told() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for (name, bytes, _) in corpus() {
        for _ in 0..40 {
            let mut damaged = bytes.clone();
            for _ in 0..3 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                // Lengths and types are at the beginning.
                let reach = damaged.len().clamp(1, 200) as u64;
                if let Some(byte) = damaged.get_mut(((state >> 33) % reach) as usize) {
                    *byte = (state >> 24) as u8;
                }
            }
            // However the head, the tail and the length go together.
            let cut = (state >> 40) as usize % (damaged.len() + 1);
            for sniffed in [
                look(&damaged),
                sniff(&damaged, &damaged[cut..], u64::MAX),
                sniff(&damaged[..cut], &damaged, 0),
            ] {
                let is_known = match sniffed {
                    Sniffed::Media(media) => TELLABLE.contains(&media),
                    Sniffed::Other(other) => !TELLABLE.contains(&other),
                    Sniffed::Forbidden(_) | Sniffed::Unknown => true,
                };
                assert!(is_known, "{name}: {sniffed:?}");
            }
        }
    }
}

#[test]
fn b4_a_few_letters_are_no_file() {
    for (name, bytes, expected) in corpus() {
        if let Is(_) = expected {
            let sniffed = look(&bytes[..bytes.len().min(8)]);
            assert!(!matches!(sniffed, Sniffed::Media(_)), "{name}: {sniffed:?}");
        }
    }
}

#[test]
fn b5_ciphertext_is_nothing_that_is_known() {
    // A generator of Marsaglia's: the same in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..8_000 {
        let length = [28, 64, 300, 1500][round % 4];
        let mut bytes: Vec<u8> = (0..length / 4)
            .flat_map(|_| (next() as u32).to_le_bytes())
            .collect();
        // Every beginning of two bytes comes in its turn, as those of many formats are.
        let begin = (round as u16).wrapping_mul(0x9e37);
        bytes[..2].copy_from_slice(&begin.to_be_bytes());
        assert_eq!(
            agree_encrypted(look(&bytes), ten),
            Ok(OCTET_STREAM),
            "{bytes:02x?}"
        );
    }
}

#[test]
fn b5_what_is_no_ciphertext_has_its_own_type_whoever_uploads_it_first() {
    let agreed = |sniffed| agree_encrypted(sniffed, ten);
    assert_eq!(agreed(Sniffed::Media("image/jpeg")), Ok("image/jpeg"));
    assert_eq!(agreed(Sniffed::Media("video/quicktime")), Ok(OCTET_STREAM));
    assert_eq!(agreed(Sniffed::Other("image/x-icon")), Ok(OCTET_STREAM));
}

#[test]
fn b4_other_names_and_parameters_mean_the_same_type() {
    let wav = Sniffed::Media("audio/wav");
    for name in [
        "audio/wav",
        "audio/x-wav",
        "audio/wave",
        "AUDIO/WAV",
        "audio/wav; codecs=1",
        " audio/x-wav ;charset=utf-8",
    ] {
        assert_eq!(agree(Some(name), wav, ten), Ok("audio/wav"), "{name}");
    }
    let (sound, picture) = (Sniffed::Media("audio/ogg"), Sniffed::Media("video/ogg"));
    assert_eq!(agree(Some("application/ogg"), sound, ten), Ok("audio/ogg"));
    assert_eq!(
        agree(Some("audio/ogg; codecs=opus"), sound, ten),
        Ok("audio/ogg")
    );
    assert!(agree(Some("application/ogg"), picture, ten).is_err());
    assert!(agree(Some("audio/ogg"), picture, ten).is_err());
    let with_video = |name: &str| ten(name) || name == "video/ogg";
    assert_eq!(
        agree(Some("application/ogg"), picture, with_video),
        Ok("video/ogg")
    );
    assert_eq!(
        agree(Some("video/ogg"), picture, with_video),
        Ok("video/ogg")
    );
    assert!(agree(Some("audio/ogg"), picture, with_video).is_err());
    assert!(agree(Some("application/ogg"), wav, ten).is_err());
}

#[test]
fn b4_a_refusal_says_what_was_found_and_what_was_declared() {
    let said = |declared, sniffed| agree(declared, sniffed, ten).unwrap_err().to_string();
    let png = Sniffed::Media("image/png");
    assert_eq!(
        said(Some("image/jpeg"), png),
        "this is image/png, and was declared as image/jpeg"
    );
    assert_eq!(said(Some("text/html"), png), "text/html is not stored here");
    assert_eq!(
        said(None, Sniffed::Media("video/quicktime")),
        "this is video/quicktime, which is not stored here"
    );
    assert_eq!(
        said(None, Sniffed::Forbidden(Forbidden::Markup)),
        "this is HTML, SVG or XML, which is not stored here"
    );
    // What nobody can tell from its bytes is not stored, whatever is allowed.
    let any = |_: &str| true;
    assert!(agree(Some("image/x-icon"), Sniffed::Other("image/x-icon"), any).is_err());
    assert!(agree(Some("text/plain"), Sniffed::Unknown, any).is_err());
}

#[test]
fn b4_every_default_can_be_told() {
    assert!(TELLABLE.is_sorted());
    assert!(MIME_TYPES.iter().all(|it| TELLABLE.contains(it)));
}
