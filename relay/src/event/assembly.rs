//! Builds events back from what a store keeps of them, many in a row.
//!
//! Each event is put together in memory that is used again and checked to be text. Then it is copied: alone, so that
//! whoever keeps it keeps nothing else alive, or a page of them at once, where nobody keeps any.

use super::tags::Tags;
use super::{CONTENT_KEY_BYTES, Event, EventId, PublicKey};
use bytestring::ByteString;
use std::cell::Cell;

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
#[derive(Debug)]
pub(crate) struct Assembler {
    json: Vec<u8>,
}

/// An event whose JSON stands in its assembler, among that of others.
#[derive(Debug)]
pub(crate) struct Draft {
    id: EventId,
    pubkey: PublicKey,
    created_at: u64,
    kind: u16,
    from: usize,
    to: usize,
    /// From the beginning of the event, as in [`Event`].
    tags_at: u32,
    content_at: u32,
}

/// More is given back when a page is done.
const KEEP_BYTES: usize = 512 * 1024;

thread_local! {
    /// Waits for the next assembler of this thread.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Default for Assembler {
    fn default() -> Self {
        let mut json = SPARE.take();
        json.clear();
        Assembler { json }
    }
}

impl Drop for Assembler {
    fn drop(&mut self) {
        if (1..=KEEP_BYTES).contains(&self.json.capacity()) {
            // While a thread ends there is nothing left to be kept.
            let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.json)));
        }
    }
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
        self.json.clear();
        let draft = self.draft(fixed, tags, content)?;
        let json = simdutf8::basic::from_utf8(&self.json).ok()?;
        Some(draft.event(ByteString::from(json)))
    }

    /// As [`Assembler::assemble`], but leaves the event among those drafted before, and what is not UTF-8 to
    /// [`Assembler::finish`].
    pub(crate) fn draft(
        &mut self,
        fixed: &FixedFields<'_>,
        tags: impl FnOnce(&mut Vec<u8>) -> Option<()>,
        content: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    ) -> Option<Draft> {
        let json = &mut self.json;
        let from = json.len();
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
        Some(Draft {
            id: EventId::from_byte_array(*fixed.id),
            pubkey: PublicKey::from_byte_array(*fixed.pubkey),
            created_at: fixed.created_at,
            kind: fixed.kind,
            from,
            to: json.len(),
            tags_at: (tags_at - from) as u32,
            content_at: (content_at - from) as u32,
        })
    }

    /// The tags of a draft; `None` where they are not UTF-8.
    pub(crate) fn tags(&self, draft: &Draft) -> Option<Tags<'_>> {
        let from = draft.from + draft.tags_at as usize;
        let to = draft.from + draft.content_at as usize - CONTENT_KEY_BYTES;
        let json = simdutf8::basic::from_utf8(self.json.get(from..to)?).ok()?;
        Some(Tags::new(json))
    }

    /// Takes back the draft that was made last.
    pub(crate) fn take_back(&mut self, draft: &Draft) {
        self.json.truncate(draft.from);
    }

    /// What all drafts stand in, copied into memory of its own; `None` where one of them is not UTF-8.
    pub(crate) fn finish(&mut self) -> Option<ByteString> {
        // Every event begins and ends with a brace, so where all are text, each is.
        let json = simdutf8::basic::from_utf8(&self.json).ok()?;
        let json = ByteString::from(json);
        self.json.clear();
        Some(json)
    }
}

impl Draft {
    pub(crate) fn json_bytes(&self) -> usize {
        self.to - self.from
    }

    /// The event, given what [`Assembler::finish`] gave: its JSON stays a part of that.
    pub(crate) fn part_of(self, all: &ByteString) -> Option<Event> {
        let json = all.slice_ref(all.get(self.from..self.to)?);
        Some(self.event(json))
    }

    fn event(self, json: ByteString) -> Event {
        Event {
            id: self.id,
            pubkey: self.pubkey,
            created_at: self.created_at,
            kind: self.kind,
            tags_at: self.tags_at,
            content_at: self.content_at,
            json,
        }
    }
}

fn push_hex<const N: usize>(out: &mut Vec<u8>, bytes: &[u8; N]) {
    let at = out.len();
    out.resize(at + 2 * N, b'0');
    // There are two digits for each byte.
    let _ = const_hex::encode_to_slice(bytes, &mut out[at..]);
}

/// Two digits at a time.
fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while number >= 10 {
        at -= 2;
        let pair = (number % 100) as u8;
        number /= 100;
        digits[at] += pair / 10;
        digits[at + 1] += pair % 10;
    }
    if number > 0 || at == digits.len() {
        at -= 1;
        digits[at] += number as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventParts;

    #[test]
    fn v4_numbers_are_written_as_others_write_them() {
        let powers = (0..20).map(|digits| 10u64.pow(digits));
        let around = powers.flat_map(|power| [power - 1, power, power + 1]);
        for number in around.chain([0, 42, 1_700_000_009, u64::MAX]) {
            let mut out = b"x".to_vec();
            push_number(&mut out, number);
            assert_eq!(out, format!("x{number}").as_bytes());
        }
    }

    #[test]
    fn v4_events_of_a_page_are_those_that_were_assembled_one_by_one() {
        let long = format!("\"{}\"", "ab é ".repeat(5_000));
        let mut assembler = Assembler::default();
        let mut kept = Vec::new();
        let (mut page, mut drafts) = (Assembler::default(), Vec::new());
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
            let Some(draft) = page.draft(&fixed, append(tags), |out| {
                out.extend_from_slice(content.as_bytes());
                Some(())
            }) else {
                panic!("nothing was drafted");
            };
            let values = page.tags(&draft).map(|tags| tags.values(b't').count());
            assert_eq!(values, Some(1));
            if n % 7 == 0 {
                page.take_back(&draft);
            } else {
                drafts.push((kept.len(), draft));
            }
            kept.push((parts.assemble(), built));
        }
        let Some(all) = page.finish() else {
            panic!("no text");
        };
        for (n, draft) in drafts {
            let bytes = draft.json_bytes();
            let event = draft.part_of(&all);
            assert_eq!(event.as_ref(), Some(&kept[n].0));
            assert_eq!(event.map(|event| event.json().len()), Some(bytes));
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
