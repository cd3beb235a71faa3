//! Rules of the protocol.

#![allow(clippy::unwrap_used)]

use crate::{Digest, NodeId, Pubkey, Version};

#[test]
fn q3_versions_are_strict_and_lose_their_v() {
    let version: Version = "v1.2.3-rc.1".parse().unwrap();
    assert_eq!(version.to_string(), "1.2.3-rc.1");
    assert_eq!(version.tagged(), "v1.2.3-rc.1");
    for wrong in ["", "v", "v1.2", "1.2.3.4", "vv1.2.3", "01.2.3", "latest"] {
        assert!(wrong.parse::<Version>().is_err(), "{wrong}");
    }
}

#[test]
fn q3_hex_is_lowercase_and_keys_may_be_npub() {
    let text = "ab".repeat(32);
    assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
    assert!(text.to_uppercase().parse::<Digest>().is_err());
    assert!("node one".parse::<NodeId>().is_err());
    let npub = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg";
    let hex = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e";
    assert_eq!(npub.parse::<Pubkey>().unwrap().to_string(), hex);
}
