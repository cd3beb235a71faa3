//! What the head of a frame says of its length (RFC 6455 section 5.2), so that a frame too long is refused before it is
//! collected.

/// The lengths of a frame that has begun.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) head_bytes: usize,
    pub(super) payload_bytes: u64,
}

impl Claim {
    /// None while the length has not come whole.
    pub(super) fn read(frame: &[u8]) -> Option<Claim> {
        let second = *frame.get(1)?;
        let (length_end, payload_bytes) = match second & 0x7f {
            126 => {
                let length: [u8; 2] = frame.get(2..4)?.try_into().ok()?;
                (4, u16::from_be_bytes(length).into())
            }
            127 => {
                let length: [u8; 8] = frame.get(2..10)?.try_into().ok()?;
                (10, u64::from_be_bytes(length))
            }
            short => (2, short.into()),
        };
        let mask_bytes = if second & 0x80 == 0 { 0 } else { 4 };
        Some(Claim {
            head_bytes: length_end + mask_bytes,
            payload_bytes,
        })
    }

    /// Whether the payload is longer than a message may be.
    pub(super) fn exceeds(&self, max_bytes: usize) -> bool {
        self.payload_bytes > max_bytes as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(head_bytes: usize, payload_bytes: u64) -> Option<Claim> {
        Some(Claim {
            head_bytes,
            payload_bytes,
        })
    }

    #[test]
    fn c17_the_length_that_a_frame_claims_is_known_from_its_head() {
        assert_eq!(Claim::read(&[0x81]), None);
        assert_eq!(Claim::read(&[0x81, 0x85]), claim(6, 5));
        assert_eq!(Claim::read(&[0x81, 5]), claim(2, 5));
        assert_eq!(Claim::read(&[0x81, 0xfe, 1]), None);
        assert_eq!(Claim::read(&[0x81, 0xfe, 1, 0]), claim(8, 256));
        let mut head = [0xff; 10];
        assert_eq!(Claim::read(&head[..9]), None);
        assert_eq!(Claim::read(&head), claim(14, u64::MAX));
        head[2..].copy_from_slice(&65_536_u64.to_be_bytes());
        assert_eq!(Claim::read(&head), claim(14, 65_536));
    }
}
