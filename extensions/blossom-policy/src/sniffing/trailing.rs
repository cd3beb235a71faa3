//! Archives that stand behind or in something else, as pictures that are archives to those who know.
//!
//! ZIP is read from its end, so its last record is looked for in the tail; and everywhere where it is written as all programs
//! write it, since rubbish behind it can be of any length. RAR, 7z and CAB are read from wherever their signature stands, so
//! that is looked for in every byte, by [`ArchiveScan`], while the file is hashed.

use super::Forbidden;
use super::numbers::{has, u32_le};

/// The record at the end of a ZIP without its comment.
const END_RECORD_BYTES: usize = 22;
const END_RECORD: &[u8; 4] = b"PK\x05\x06";
const ZIP64_LOCATOR: &[u8; 4] = b"PK\x06\x07";
const CENTRAL_RECORD: &[u8; 4] = b"PK\x01\x02";
/// How something begins, and whether what follows is a part of it.
type Signature = (&'static [u8; 6], fn(&[u8]) -> bool);
/// What is looked for everywhere: eight bytes that no chance brings about, as many as all have.
const SIGNATURES: [Signature; 5] = [
    (b"Rar!\x1a\x07", |next| {
        next.starts_with(&[0]) || next.starts_with(&[1, 0])
    }),
    (b"7z\xbc\xaf\x27\x1c", |next| matches!(next, [0, 0..=4, ..])),
    (b"MSCF\0\0", |next| next.starts_with(&[0, 0])),
    // The end of a ZIP on one disk, and what stands before that where it needs 64 bits.
    (b"PK\x05\x06\0\0", |next| next.starts_with(&[0, 0])),
    (b"PK\x06\x07\0\0", |next| next.starts_with(&[0, 0])),
];
const SIGNATURE_BYTES: usize = 6;
const LOOKED_AT_BYTES: usize = 8;

/// What stands at the end of a file of `size` bytes.
pub(super) fn at_tail(tail: &[u8], size: u64) -> Option<Forbidden> {
    let before = size.saturating_sub(tail.len() as u64);
    let is_zip = tail
        .windows(END_RECORD_BYTES)
        .enumerate()
        .rev()
        .any(|(at, record)| record.starts_with(END_RECORD) && is_zip_end(tail, at, before));
    let is_disk = tail.len() >= 512 && {
        let last = &tail[tail.len() - 512..];
        // Images of disks of macOS and of Hyper-V are known by their last block.
        last.starts_with(b"koly\0\0\0\x04\0\0\x02\0") || last.starts_with(b"conectix\0\0\0\x02")
    };
    (is_zip || is_disk || within(tail).is_some()).then_some(Forbidden::HiddenArchive)
}

/// Whether a list of files stands anywhere before the record, whatever the record says of disks, numbers, length and place:
/// each of them is passed over by some program. Nor does it matter what follows the record: there are programs that take any
/// comment, and any rubbish.
fn is_zip_end(tail: &[u8], at: usize, before: u64) -> bool {
    if at >= 20 && has(tail, at - 20, ZIP64_LOCATOR) {
        return true;
    }
    let is_listed = tail[..at].windows(4).any(|four| four == CENTRAL_RECORD);
    // A list longer than the tail is not seen; its length must be possible at least.
    let list_bytes = u32_le(tail, at + 12).map(u64::from);
    let may_be_long = list_bytes.is_some_and(|it| it > at as u64 && it <= before + at as u64);
    is_listed || may_be_long
}

/// Whether the signature of an archive stands anywhere in these bytes.
pub(super) fn within(bytes: &[u8]) -> Option<Forbidden> {
    let mut scan = ArchiveScan::default();
    scan.feed(bytes);
    scan.found()
}

/// Looks for archives in a file that comes in parts, each of any length.
///
/// It looks at every sixth byte or so: what is none of a signature's letters lets it step over a whole signature.
#[derive(Debug)]
pub(crate) struct ArchiveScan {
    /// How far to step by what stands at the place of a signature's last letter.
    steps: [u8; 256],
    /// The end of the last part.
    carried: Vec<u8>,
    is_found: bool,
}

impl Default for ArchiveScan {
    fn default() -> Self {
        let mut steps = [SIGNATURE_BYTES as u8; 256];
        for (signature, _) in SIGNATURES {
            for (at, letter) in signature[..SIGNATURE_BYTES - 1].iter().enumerate() {
                let step = &mut steps[usize::from(*letter)];
                *step = (*step).min((SIGNATURE_BYTES - 1 - at) as u8);
            }
        }
        ArchiveScan {
            steps,
            carried: Vec::with_capacity(4 * LOOKED_AT_BYTES),
            is_found: false,
        }
    }
}

impl ArchiveScan {
    /// The next part of the file.
    pub(crate) fn feed(&mut self, part: &[u8]) {
        if self.is_found {
            return;
        }
        // What lies across the border of two parts.
        let border = part.len().min(LOOKED_AT_BYTES - 1);
        self.carried.extend_from_slice(&part[..border]);
        self.is_found = self.finds(&self.carried) || self.finds(part);
        if border < part.len() {
            self.carried.clear();
            self.carried
                .extend_from_slice(&part[part.len() - (LOOKED_AT_BYTES - 1)..]);
        }
        let old = self.carried.len().saturating_sub(LOOKED_AT_BYTES - 1);
        self.carried.drain(..old);
    }

    /// What was found so far.
    pub(crate) fn found(&self) -> Option<Forbidden> {
        self.is_found.then_some(Forbidden::HiddenArchive)
    }

    fn finds(&self, bytes: &[u8]) -> bool {
        let mut end = SIGNATURE_BYTES - 1;
        while let Some(letter) = bytes.get(end) {
            let from = end + 1 - SIGNATURE_BYTES;
            let is_one = SIGNATURES.iter().any(|(signature, goes_on)| {
                signature[SIGNATURE_BYTES - 1] == *letter
                    && has(bytes, from, *signature)
                    && goes_on(&bytes[end + 1..])
            });
            if is_one {
                return true;
            }
            end += usize::from(self.steps[usize::from(*letter)]);
        }
        false
    }
}
