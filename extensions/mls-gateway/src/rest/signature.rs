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
mod tests {
    use super::*;
    use trellis_relay::testing::Author;

    #[test]
    fn m24_an_acknowledgement_is_signed_by_its_recipient_for_its_letter() {
        let (recipient, other) = (Author::new(1), Author::new(2));
        let sign = |author: &Author, text| author.keys().sign_schnorr(Sha256::digest(text));
        let sig = sign(&recipient, "ack:abc").to_string();
        let key = recipient.pubkey();
        assert_eq!(confirms(&sig, "abc", &key), Some(true));
        assert_eq!(confirms(&sig, "abd", &key), Some(false));
        assert_eq!(confirms(&sig, "abc", &other.pubkey()), Some(false));
        let of_other = sign(&other, "ack:abc").to_string();
        assert_eq!(confirms(&of_other, "abc", &key), Some(false));
        assert_eq!(confirms("", "abc", &key), None);
        assert_eq!(confirms(&sig[2..], "abc", &key), None);
    }
}
