//! Whether an event is what it says: its id and its signature (NIP-01, BIP-340).

mod known_keys;

use super::{Event, EventError};
use secp256k1::schnorr::Signature;
use secp256k1::{Secp256k1, VerifyOnly};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

static SECP: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

impl Event {
    /// Checks the id first, which is cheap, then the signature.
    pub fn verify(&self) -> Result<(), EventError> {
        let id = self.computed_id();
        if id != *self.id.as_bytes() {
            return Err(EventError::WrongId {
                computed: const_hex::encode(id),
            });
        }
        let mut sig = [0u8; 64];
        const_hex::decode_to_slice(self.sig_hex(), &mut sig).map_err(|_| EventError::Signature)?;
        let key = known_keys::point(self.pubkey.as_bytes()).ok_or(EventError::NotACurvePoint)?;
        let sig = Signature::from_slice(&sig).map_err(|_| EventError::Signature)?;
        SECP.verify_schnorr(&sig, &id, &key)
            .map_err(|_| EventError::Signature)
    }

    /// sha256 of `[0,pubkey,created_at,kind,tags,content]`.
    pub fn computed_id(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let [pubkey, created_at, kind] = self.written_head();
        for piece in ["[0,", pubkey, ",", created_at, ",", kind, ","] {
            hash.update(piece);
        }
        hash.update(self.tags_json());
        hash.update(b",");
        hash.update(self.content_json());
        hash.update(b"]");
        hash.finalize().into()
    }
}
