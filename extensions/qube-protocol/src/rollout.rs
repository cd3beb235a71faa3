//! Which part of a fleet a node belongs to, for one action (rule A7).

use crate::{ActionKey, NodeId};
use sha2::{Digest as _, Sha256};

/// The node's bucket, 0 to 99: the first eight bytes of the SHA-256 of the key's 32 bytes and the node id's text, as a
/// big-endian number, modulo 100. Another action puts the same node elsewhere, so that not always the same ones go first.
pub fn bucket(key: &ActionKey, node: &NodeId) -> u8 {
    let hash = Sha256::new()
        .chain_update(key.as_bytes())
        .chain_update(node.as_str())
        .finalize();
    let number = hash
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    (number % 100) as u8
}
