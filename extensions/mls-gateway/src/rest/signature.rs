//! The signature with which a recipient confirms that a letter came (BIP-340).

use secp256k1::schnorr::Signature;
use secp256k1::{Secp256k1, VerifyOnly, XOnlyPublicKey};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;
use trellis_relay::event::PublicKey;

static SECP: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

/// Whether this is the key's signature over SHA-256 of `ack:` and the letter's id. `None` if it is no signature at all,
/// which is 128 hex digits.
pub(super) fn confirms(sig_hex: &str, letter_id: &str, recipient: &PublicKey) -> Option<bool> {
    let signature = sig_hex.parse::<Signature>().ok()?;
    let message = Sha256::new_with_prefix("ack:").chain_update(letter_id);
    let key = XOnlyPublicKey::from_slice(recipient.as_bytes());
    let is_right = |key| SECP.verify_schnorr(&signature, &message.finalize(), &key);
    Some(key.is_ok_and(|key| is_right(key).is_ok()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use secp256k1::{Keypair, Message};

    #[test]
    fn m24_an_acknowledgement_is_signed_by_its_recipient_for_its_letter() {
        let secp = Secp256k1::new();
        let pair = Keypair::from_seckey_slice(&secp, &[7; 32]).unwrap();
        let key = PublicKey::from_slice(&pair.x_only_public_key().0.serialize()).unwrap();
        let hash: [u8; 32] = Sha256::digest("ack:abc").into();
        let message = Message::from_digest(hash);
        let sig = secp
            .sign_schnorr_no_aux_rand(message.as_ref(), &pair)
            .to_string();
        assert_eq!(confirms(&sig, "abc", &key), Some(true));
        assert_eq!(confirms(&sig, "abd", &key), Some(false));
        let other = Keypair::from_seckey_slice(&secp, &[8; 32]).unwrap();
        let other = PublicKey::from_slice(&other.x_only_public_key().0.serialize()).unwrap();
        assert_eq!(confirms(&sig, "abc", &other), Some(false));
        assert_eq!(confirms("", "abc", &key), None);
        assert_eq!(confirms(&sig[2..], "abc", &key), None);
    }
}
