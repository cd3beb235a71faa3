//! Whether the bytes of a peer are a whole message of the protocol: nothing cut off, nothing left over.
//!
//! Invariant: pure; one pass; no bytes make it panic or allocate. Only the form is looked at: whether ranges and ids fit
//! a set is the protocol's to find out.

use super::VERSION;

/// What is wrong with the form of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It has no first byte of this version.
    #[error("it does not begin with the version {VERSION:02x}")]
    Version,
    /// It ends within a range.
    #[error("it is cut off")]
    CutOff,
    /// A variable-length number takes more than 64 bits.
    #[error("a number in it is too large")]
    TooLarge,
    /// The id of a bound has more than 32 bytes.
    #[error("a bound has more than 32 bytes of an id")]
    LongId,
    /// There are the modes 0, 1 and 2.
    #[error("a range has the mode {0}, which there is not")]
    Mode(u64),
    /// A range ends before it begins.
    #[error("its ranges do not ascend")]
    Descends,
}

const ID_BYTES: usize = 32;
const FINGERPRINT_BYTES: usize = 16;
/// The time of a bound that is later than all.
const INFINITY: u64 = u64::MAX;

/// Reads a whole message of version 1, its version byte included, range by range.
pub fn check(message: &[u8]) -> Result<(), Flaw> {
    let Some((&VERSION, ranges)) = message.split_first() else {
        return Err(Flaw::Version);
    };
    let mut rest = Rest(ranges);
    let mut last = (0, [0; ID_BYTES]);
    while !rest.0.is_empty() {
        let bound = rest.bound(last.0)?;
        if bound < last {
            return Err(Flaw::Descends);
        }
        last = bound;
        rest.payload()?;
    }
    Ok(())
}

/// What has not been read yet.
struct Rest<'m>(&'m [u8]);

impl<'m> Rest<'m> {
    fn bytes(&mut self, count: usize) -> Result<&'m [u8], Flaw> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Flaw::CutOff)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Seven bits a byte, the highest first; all bytes but the last have the high bit.
    fn number(&mut self) -> Result<u64, Flaw> {
        let mut number: u64 = 0;
        loop {
            let (byte, rest) = self.0.split_first().ok_or(Flaw::CutOff)?;
            self.0 = rest;
            if number >> (u64::BITS - 7) != 0 {
                return Err(Flaw::TooLarge);
            }
            number = number << 7 | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
    }

    /// The end of a range. Times are differences to the one before, plus one; 0 is infinity.
    fn bound(&mut self, last_time: u64) -> Result<(u64, [u8; ID_BYTES]), Flaw> {
        let time = match self.number()? {
            0 => INFINITY,
            later => last_time.saturating_add(later - 1),
        };
        let length = usize::try_from(self.number()?).map_err(|_| Flaw::LongId)?;
        let mut id = [0; ID_BYTES];
        let start = id.get_mut(..length).ok_or(Flaw::LongId)?;
        start.copy_from_slice(self.bytes(length)?);
        Ok((time, id))
    }

    /// What is said of a range.
    fn payload(&mut self) -> Result<(), Flaw> {
        let length = match self.number()? {
            0 => 0,
            1 => FINGERPRINT_BYTES,
            2 => usize::try_from(self.number()?)
                .ok()
                .and_then(|ids| ids.checked_mul(ID_BYTES))
                .ok_or(Flaw::CutOff)?,
            mode => return Err(Flaw::Mode(mode)),
        };
        self.bytes(length).map(drop)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(mut number: u64, out: &mut Vec<u8>) {
        let mut digits = vec![(number & 0x7f) as u8];
        while number > 0x7f {
            number >>= 7;
            digits.push((number & 0x7f) as u8 | 0x80);
        }
        out.extend(digits.into_iter().rev());
    }

    /// A message with these ranges, and where each ends. Each is a step in time, bytes of an id, a mode and a count.
    fn message(ranges: &[(u64, usize, u64, usize)]) -> (Vec<u8>, Vec<usize>) {
        let (mut out, mut ends) = (vec![VERSION], vec![1]);
        for (step, id_bytes, mode, ids) in ranges {
            number(step + 2, &mut out);
            number(*id_bytes as u64, &mut out);
            out.extend(vec![0xab; *id_bytes]);
            number(*mode, &mut out);
            match mode {
                0 => {}
                1 => out.extend([0xff; FINGERPRINT_BYTES]),
                _ => {
                    number(*ids as u64, &mut out);
                    out.extend(vec![0xff; ids * ID_BYTES]);
                }
            }
            ends.push(out.len());
        }
        (out, ends)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn c10_a_message_that_is_cut_off_within_a_range_is_refused(
            ranges in prop::collection::vec((0_u64..1 << 40, 0_usize..=32, 0_u64..3, 0_usize..130), 0..6),
        ) {
            let (message, ends) = message(&ranges);
            for length in 1..=message.len() {
                let expected = match ends.contains(&length) {
                    true => Ok(()),
                    false => Err(Flaw::CutOff),
                };
                prop_assert_eq!(check(&message[..length]), expected, "{}", length);
            }
        }

        #[test]
        fn c10_any_bytes_are_checked_without_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            small in prop::collection::vec(0_u8..4, 0..300),
        ) {
            for bytes in [bytes, small] {
                let _ = check(&bytes);
                let _ = check(&[&[VERSION], &bytes[..]].concat());
            }
        }
    }

    #[test]
    fn c10_flaws_of_messages_are_named() {
        let long_number = [&[VERSION], &[0x81; 9][..], &[0x80, 0]].concat();
        let list_of_most = [&[VERSION, 0, 0, 2, 0x81], &[0xff; 8][..], &[0x7f]].concat();
        for (message, flaw) in [
            (&[][..], Flaw::Version),
            (&[0x62], Flaw::Version),
            (&[VERSION, 0xff], Flaw::CutOff),
            (&[VERSION, 0], Flaw::CutOff),
            (&[VERSION, 0, 0], Flaw::CutOff),
            (&[VERSION, 1, 0x80, 0], Flaw::CutOff),
            (&[VERSION, 0, 0, 2], Flaw::CutOff),
            (&[VERSION, 0, 0, 2, 0, 0xff], Flaw::CutOff),
            (&list_of_most, Flaw::CutOff),
            (&long_number, Flaw::TooLarge),
            (&[VERSION, 0, 33], Flaw::LongId),
            (&[VERSION, 0, 0, 3], Flaw::Mode(3)),
            (&[VERSION, 5, 1, 9, 0, 1, 1, 8, 0], Flaw::Descends),
        ] {
            assert_eq!(check(message), Err(flaw), "{message:02x?}");
        }
        assert_eq!(check(&[VERSION, 5, 1, 8, 0, 1, 1, 9, 0, 0, 0, 0]), Ok(()));
    }
}
