//! V9: what a reconciliation (NIP-77) says on the wire, in hex, between two sets that differ in little.
#![allow(clippy::unwrap_used)]

use trellis_relay::event::EventId;
use trellis_relay::nips::nip77::ItemList;
use trellis_relay::store::Position;

const ITEMS: usize = 100_000;
const DIFFERENT: usize = 1_000;
/// What `trellis sync` uses.
const FRAME_BYTES: usize = 48 * 1024;

#[test]
fn v9_recent_differences_take_few_bytes() {
    let traffic_bytes = reconcile(|n| n >= ITEMS - DIFFERENT);
    assert!(traffic_bytes < 100_000, "{traffic_bytes}");
}

#[test]
fn v9_scattered_differences_take_bytes_by_their_number() {
    let traffic_bytes = reconcile(|n| n % (ITEMS / DIFFERENT) == 0);
    assert!(traffic_bytes < 3_500_000, "{traffic_bytes}");
}

/// Hex digits of all messages until the side that lacks something knows it.
fn reconcile(lacks: impl Fn(usize) -> bool) -> usize {
    let theirs = ItemList::new((0..ITEMS).map(position).collect());
    let ours = (0..ITEMS).filter(|&n| !lacks(n)).map(position).collect();
    let ours = ItemList::new(ours);
    let mut needed = Vec::new();
    let mut message = ours.first_message(FRAME_BYTES).unwrap();
    let mut traffic_bytes = 0;
    loop {
        let answer = theirs.answer(&message, FRAME_BYTES).unwrap();
        traffic_bytes += 2 * (message.len() + answer.len());
        let learned = ours.learn(&answer, FRAME_BYTES).unwrap();
        assert_eq!(learned.have, []);
        needed.extend(learned.need);
        match learned.next {
            Some(next) => message = next,
            None => break,
        }
    }
    needed.sort_unstable();
    let mut expected: Vec<EventId> = (0..ITEMS)
        .filter(|&n| lacks(n))
        .map(|n| position(n).id)
        .collect();
    expected.sort_unstable();
    assert_eq!(needed, expected);
    traffic_bytes
}

/// Ids look like hashes.
fn position(n: usize) -> Position {
    let mut word = n as u64;
    let mut mixed = || {
        word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = word;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) ^ (n as u64).rotate_left(32)
    };
    let words = [mixed(), mixed(), mixed(), mixed()].map(u64::to_be_bytes);
    Position {
        created_at: 1_700_000_000 + n as u64 / 5,
        id: EventId::from_byte_array(words.as_flattened().try_into().unwrap()),
    }
}
