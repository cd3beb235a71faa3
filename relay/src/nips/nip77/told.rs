//! Reads an answer that was made here, for the items it tells of (NIP-77: bounds, modes, varints).
//!
//! Invariant: it reads what the crate `negentropy` writes; what it could not read it would leave out, so a test holds it
//! against the answers' bytes. Not here: whether a peer's message is well formed.

use crate::event::EventId;

/// What stands in an answer.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// All ids that it lists.
    pub(super) ids: Vec<EventId>,
    /// Where its ranges end: `created_at`, seconds since 1970, and an id of which the bytes left out are 0.
    pub(super) bounds: Vec<(u64, [u8; 32])>,
}

/// What stands in it; an answer in another version tells of nothing.
pub(super) fn read(answer: &[u8]) -> Told {
    let mut told = Told::default();
    let mut rest = match answer.split_first() {
        Some((&super::VERSION, ranges)) => ranges,
        _ => return told,
    };
    let mut created_at = 0;
    while let Some(()) = read_range(&mut rest, &mut created_at, &mut told) {}
    debug_assert!(rest.is_empty(), "an answer is made of whole ranges");
    told
}

const SKIP: u64 = 0;
const FINGERPRINT: u64 = 1;
const ID_LIST: u64 = 2;
const FINGERPRINT_BYTES: usize = 16;

fn read_range(rest: &mut &[u8], created_at: &mut u64, told: &mut Told) -> Option<()> {
    // A time is written as the difference from the one before, and 1 more; 0 is the end of time.
    *created_at = match varint(rest)? {
        0 => u64::MAX,
        more => created_at.saturating_add(more - 1),
    };
    let prefix_bytes = varint(rest)? as usize;
    let prefix = take(rest, prefix_bytes)?;
    let mut id = [0; 32];
    id.get_mut(..prefix_bytes)?.copy_from_slice(prefix);
    told.bounds.push((*created_at, id));
    match varint(rest)? {
        SKIP => {}
        FINGERPRINT => drop(take(rest, FINGERPRINT_BYTES)?),
        ID_LIST => {
            for _ in 0..varint(rest)? {
                let id = take(rest, 32)?.try_into().ok()?;
                told.ids.push(EventId::from_byte_array(id));
            }
        }
        _ => return None,
    }
    Some(())
}

/// Seven bits a byte, the highest first; all bytes but the last have the eighth set.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number: u64 = 0;
    loop {
        let byte = *take(rest, 1)?.first()?;
        number = number.checked_shl(7)? | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(bytes)?;
    *rest = left;
    Some(taken)
}
