//! Builds events back from what a store keeps of them, many in a row.
//!
//! Each event is put together in memory that is used again, checked to be text, and copied into memory of its own:
//! whoever keeps one event keeps nothing else alive.

use super::{Event, EventId, PublicKey};
use bytestring::ByteString;

/// The fields of an event that have a fixed size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FixedFields<'a> {
    pub(crate) id: &'a [u8; 32],
    pub(crate) pubkey: &'a [u8; 32],
    pub(crate) created_at: u64,
    pub(crate) kind: u16,
    pub(crate) sig: &'a [u8; 64],
}

/// Memory for building events, used again and again.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    json: Vec<u8>,
}

impl Assembler {
    /// Assembles an event. `tags` and `content` append canonical JSON, of which only the encoding is checked; `None`
    /// where they cannot or where it is not UTF-8.
    pub(crate) fn assemble(
        &mut self,
        fixed: &FixedFields<'_>,
        tags: impl FnOnce(&mut Vec<u8>) -> Option<()>,
        content: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    ) -> Option<Event> {
        let json = &mut self.json;
        json.clear();
        json.extend_from_slice(br#"{"id":""#);
        push_hex(json, fixed.id);
        json.extend_from_slice(br#"","pubkey":""#);
        push_hex(json, fixed.pubkey);
        json.extend_from_slice(br#"","created_at":"#);
        push_number(json, fixed.created_at);
        json.extend_from_slice(br#","kind":"#);
        push_number(json, fixed.kind.into());
        json.extend_from_slice(br#","tags":"#);
        let tags_at = json.len();
        tags(json)?;
        json.extend_from_slice(br#","content":"#);
        let content_at = json.len();
        content(json)?;
        json.extend_from_slice(br#","sig":""#);
        push_hex(json, fixed.sig);
        json.extend_from_slice(br#""}"#);
        // Where tags or content ended within a character, the whole would be no text.
        let json = simdutf8::basic::from_utf8(json).ok()?;
        Some(Event {
            id: EventId::from_byte_array(*fixed.id),
            pubkey: PublicKey::from_byte_array(*fixed.pubkey),
            created_at: fixed.created_at,
            kind: fixed.kind,
            tags_at: tags_at as u32,
            content_at: content_at as u32,
            json: ByteString::from(json),
        })
    }
}

fn push_hex<const N: usize>(out: &mut Vec<u8>, bytes: &[u8; N]) {
    let at = out.len();
    out.resize(at + 2 * N, b'0');
    // There are two digits for each byte.
    let _ = const_hex::encode_to_slice(bytes, &mut out[at..]);
}

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventParts;

    #[test]
    fn v4_events_of_a_page_are_those_that_were_assembled_one_by_one() {
        let long = format!("\"{}\"", "ab é ".repeat(5_000));
        let mut assembler = Assembler::default();
        let mut kept = Vec::new();
        for n in 0..300u64 {
            let content = match n % 50 {
                0 => long.as_str(),
                _ => r#""hi""#,
            };
            let tags = r#"[["t","é"],["p","x"]]"#;
            let parts = EventParts {
                id: &[n as u8; 32],
                pubkey: &[0xab; 32],
                created_at: n * n * n * n,
                kind: (n * 218) as u16,
                tags_json: tags,
                content_json: content,
                sig: &[0xcd; 64],
            };
            let fixed = FixedFields {
                id: parts.id,
                pubkey: parts.pubkey,
                created_at: parts.created_at,
                kind: parts.kind,
                sig: parts.sig,
            };
            let append = |text: &'static str| {
                move |out: &mut Vec<u8>| {
                    out.extend_from_slice(text.as_bytes());
                    Some(())
                }
            };
            let content = content.to_owned();
            let built = assembler.assemble(&fixed, append(tags), |out| {
                out.extend_from_slice(content.as_bytes());
                Some(())
            });
            kept.push((parts.assemble(), built));
        }
        for (one, of_page) in kept {
            let Some(of_page) = of_page else {
                panic!("nothing was built");
            };
            assert_eq!(one, of_page);
            assert_eq!(one.tags_json(), of_page.tags_json());
            assert_eq!(one.content_json(), of_page.content_json());
            assert_eq!(one.sig_hex(), of_page.sig_hex());
        }
    }

    #[test]
    fn what_is_no_text_makes_no_event() {
        let fixed = FixedFields {
            id: &[1; 32],
            pubkey: &[2; 32],
            created_at: 3,
            kind: 4,
            sig: &[5; 64],
        };
        let mut assembler = Assembler::default();
        let append = |out: &mut Vec<u8>| {
            out.push(0xff);
            Some(())
        };
        let broken = assembler.assemble(&fixed, |_| Some(()), append);
        assert!(broken.is_none());
        assert!(assembler.assemble(&fixed, |_| None, |_| Some(())).is_none());
    }
}
