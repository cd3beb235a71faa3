//! Halves the hex in JSON: ids and keys are most of an event's bytes.
//!
//! A run of lowercase hex becomes 0xFF, its length in bytes, and the bytes. 0xFF occurs nowhere in UTF-8, so the rest is
//! copied as it is.

/// Digits from which a run is worth packing.
const SHORTEST_DIGITS: usize = 32;
const LONGEST_DIGITS: usize = 2 * 255;
const MARK: u8 = 0xff;

/// Appends the packed form of UTF-8 text.
pub(super) fn pack_into(out: &mut Vec<u8>, text: &[u8]) {
    let mut copied = 0;
    let mut from = 0;
    // Every long run covers one of the probes, so most of the text is skipped unread.
    while let Some(&probe) = text.get(from + SHORTEST_DIGITS - 1) {
        let probe_at = from + SHORTEST_DIGITS - 1;
        if !is_digit(probe) {
            from = probe_at + 1;
            continue;
        }
        let before = text[from..probe_at].iter().rev();
        let start = probe_at - before.take_while(|byte| is_digit(**byte)).count();
        let after = text[probe_at + 1..].iter().take(LONGEST_DIGITS);
        let end = probe_at + 1 + after.take_while(|byte| is_digit(**byte)).count();
        let digits = (end - start).min(LONGEST_DIGITS) & !1;
        if digits < SHORTEST_DIGITS {
            from = end;
            continue;
        }
        out.extend_from_slice(&text[copied..start]);
        out.push(MARK);
        out.push((digits / 2) as u8);
        let at = out.len();
        out.resize(at + digits / 2, 0);
        copied = start + digits;
        from = copied;
        // Only digits are given to it, and twice as many as there are bytes.
        let _ = const_hex::decode_to_slice(&text[start..copied], &mut out[at..]);
    }
    out.extend_from_slice(&text[copied..]);
}

/// Appends the text that was packed; `None` where a run is cut short.
pub(super) fn unpack_into(out: &mut Vec<u8>, packed: &[u8]) -> Option<()> {
    let mut rest = packed;
    while let Some(mark) = memchr::memchr(MARK, rest) {
        out.extend_from_slice(&rest[..mark]);
        let bytes = usize::from(*rest.get(mark + 1)?);
        let run = rest.get(mark + 2..mark + 2 + bytes)?;
        let at = out.len();
        out.resize(at + 2 * bytes, 0);
        const_hex::encode_to_slice(run, &mut out[at..]).ok()?;
        rest = &rest[mark + 2 + bytes..];
    }
    out.extend_from_slice(rest);
    Some(())
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn round_trip(text: &str) -> usize {
        let mut packed = Vec::new();
        pack_into(&mut packed, text.as_bytes());
        let mut unpacked = b"before".to_vec();
        unpack_into(&mut unpacked, &packed).unwrap();
        assert_eq!(unpacked, format!("before{text}").as_bytes());
        packed.len()
    }

    #[test]
    fn runs_of_every_length_come_back() {
        for digits in 0..1_200 {
            for (before, after) in [("", ""), ("x", "y"), ("ab-", "-12"), ("é", "é")] {
                let run = "0123456789abcdef".repeat(80);
                let text = format!("{before}{}{after}", &run[..digits]);
                let packed = round_trip(&text);
                assert!(packed <= text.len());
                if digits == 64 {
                    assert_eq!(packed, before.len() + 34 + after.len());
                }
            }
        }
    }

    #[test]
    fn a_cut_run_is_an_error() {
        assert_eq!(unpack_into(&mut Vec::new(), &[MARK]), None);
        assert_eq!(unpack_into(&mut Vec::new(), &[b'a', MARK, 2, 0]), None);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "([0-9a-f]{0,70}|\\PC{0,40}|[A-F0-9]{30,70}){0,8}") {
            round_trip(&text);
        }
    }
}
