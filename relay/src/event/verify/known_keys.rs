//! Keys that were found on the curve before: to find a point by its x coordinate costs a square root, a seventh of all
//! that verifying takes, and most events come from authors who were seen a moment ago.
//!
//! Invariant: a fixed number of places, 97 bytes each, however many keys clients come up with; a new key takes the place
//! of whichever stood there. What is no point is not remembered.

use secp256k1::XOnlyPublicKey;
use std::cell::RefCell;

/// A power of two; 400 KB a thread that verifies.
const PLACES: usize = 4_096;

#[derive(Clone, Copy)]
struct Known {
    bytes: [u8; 32],
    point: XOnlyPublicKey,
}

thread_local! {
    static KNOWN: RefCell<Vec<Option<Known>>> = const { RefCell::new(Vec::new()) };
}

/// The point with this x coordinate, if there is one.
pub(super) fn point(bytes: &[u8; 32]) -> Option<XOnlyPublicKey> {
    KNOWN.with_borrow_mut(|known| {
        if known.is_empty() {
            known.resize(PLACES, None);
        }
        let place = &mut known[place_of(bytes)];
        if let Some(known) = place
            && known.bytes == *bytes
        {
            return Some(known.point);
        }
        let point = XOnlyPublicKey::from_slice(bytes).ok()?;
        *place = Some(Known {
            bytes: *bytes,
            point,
        });
        Some(point)
    })
}

/// Keys are as good as random but for their first bits, which authors choose for looks.
fn place_of(bytes: &[u8; 32]) -> usize {
    let [.., high, low] = *bytes;
    usize::from(u16::from_be_bytes([high, low])) % PLACES
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use nostr::key::Keys;

    fn remembered() -> usize {
        KNOWN.with_borrow(|known| known.iter().flatten().count())
    }

    #[test]
    fn v2_a_known_key_is_the_same_point_and_two_in_one_place_are_told_apart() {
        let mut rivals = std::collections::HashMap::new();
        let (one, other) = loop {
            let key = *Keys::generate().public_key().as_bytes();
            if let Some(rival) = rivals.insert(place_of(&key), key) {
                break (rival, key);
            }
        };
        for key in [one, one, other, one, other, other] {
            let parsed = XOnlyPublicKey::from_slice(&key).unwrap();
            assert_eq!(point(&key), Some(parsed));
        }
    }

    #[test]
    fn v2_what_is_no_point_is_refused_each_time_and_takes_no_place() {
        let beyond_the_field = [0xff; 32];
        assert_eq!(point(&beyond_the_field), None);
        assert_eq!(point(&beyond_the_field), None);
        assert_eq!(remembered(), 0);
    }

    #[test]
    fn v2_places_do_not_grow_with_the_keys() {
        for _ in 0..2 * PLACES {
            point(Keys::generate().public_key().as_bytes());
        }
        assert!(remembered() <= PLACES);
        assert_eq!(KNOWN.with_borrow(Vec::len), PLACES);
    }
}
