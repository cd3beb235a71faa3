//! Which part of a blob is asked for (RFC 9110, 14.1 and 13.1.5).
//!
//! Invariant: a part lies within the blob and is not empty. Several parts at once are not sent: who asks for them gets the
//! whole, as servers may do.

use actix_web::http::header::{HeaderMap, IF_RANGE, RANGE};
use std::ops::Range;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Whole,
    /// A part, even if it is the whole.
    Part(Range<u64>),
    /// There is no such part.
    Outside,
}

/// What the headers ask for of a blob with this tag and length.
pub(super) fn wanted(headers: &HeaderMap, tag: &str, size_bytes: u64) -> Wanted {
    let Some(asked) = headers.get(RANGE) else {
        return Wanted::Whole;
    };
    // A part of what is there only if that is what is known; a date never tells.
    if headers.get(IF_RANGE).is_some_and(|known| known != tag) {
        return Wanted::Whole;
    }
    let asked = asked.to_str().unwrap_or_default().trim();
    match asked.split_once('=') {
        Some((unit, ranges)) if unit.trim().eq_ignore_ascii_case("bytes") => {
            match ranges.contains(',') {
                true => Wanted::Whole,
                false => one(ranges.trim(), size_bytes),
            }
        }
        // Another unit is nothing that anybody here knows.
        _ => Wanted::Whole,
    }
}

/// `first-last`, `first-` or `-length`.
fn one(range: &str, size_bytes: u64) -> Wanted {
    let Some((first, last)) = range.split_once('-') else {
        return Wanted::Outside;
    };
    let part = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size_bytes),
        (Some(first), None) if last.is_empty() => first..size_bytes,
        (None, Some(length)) if first.is_empty() => size_bytes.saturating_sub(length)..size_bytes,
        _ => return Wanted::Outside,
    };
    match part.is_empty() {
        true => Wanted::Outside,
        false => Wanted::Part(part),
    }
}

/// Digits; what is beyond all numbers is the highest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    fn asked(headers: &[(HeaderName, &'static str)], size_bytes: u64) -> Wanted {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name.clone(), HeaderValue::from_static(value));
        }
        wanted(&map, "\"tag\"", size_bytes)
    }

    #[test]
    fn b1_ranges_are_read_as_the_standard_has_them() {
        for (text, found) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=0-99", Wanted::Part(0..100)),
            ("bytes=10-19", Wanted::Part(10..20)),
            ("Bytes = 10-19", Wanted::Part(10..20)),
            ("bytes=90-1000", Wanted::Part(90..100)),
            ("bytes=99-", Wanted::Part(99..100)),
            ("bytes=-1", Wanted::Part(99..100)),
            ("bytes=-1000", Wanted::Part(0..100)),
            ("bytes=0-99999999999999999999999", Wanted::Part(0..100)),
            ("bytes=100-", Wanted::Outside),
            ("bytes=100-200", Wanted::Outside),
            ("bytes=99999999999999999999999-", Wanted::Outside),
            ("bytes=-0", Wanted::Outside),
            ("bytes=5-4", Wanted::Outside),
            ("bytes=a-b", Wanted::Outside),
            ("bytes=+1-2", Wanted::Outside),
            ("bytes=-", Wanted::Outside),
            ("bytes=", Wanted::Outside),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("0-1", Wanted::Whole),
        ] {
            assert_eq!(asked(&[(RANGE, text)], 100), found, "{text}");
        }
        assert_eq!(asked(&[], 100), Wanted::Whole);
        assert_eq!(asked(&[(RANGE, "bytes=0-")], 0), Wanted::Outside);
    }

    #[test]
    fn b1_a_part_is_sent_only_of_what_is_known() {
        let range = (RANGE, "bytes=1-2");
        for (known, found) in [
            ("\"tag\"", Wanted::Part(1..3)),
            ("W/\"tag\"", Wanted::Whole),
            ("\"other\"", Wanted::Whole),
            ("Wed, 11 Nov 2026 11:11:11 GMT", Wanted::Whole),
        ] {
            assert_eq!(asked(&[range.clone(), (IF_RANGE, known)], 100), found);
        }
    }

    proptest! {
        #[test]
        fn b1_no_range_leads_outside_of_a_blob(text in "(bytes=)?[0-9,-]{0,12}", size in 0..1000_u64) {
            if let Wanted::Part(part) = one(&text, size) {
                prop_assert!(part.start < part.end && part.end <= size);
            }
        }
    }
}
