//! Authors of made-up events: a key that a number names, and its signatures.

use anyhow::Context as _;
use secp256k1::{All, Keypair, Secp256k1};
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

static SECP: LazyLock<Secp256k1<All>> = LazyLock::new(Secp256k1::new);

/// An author who can sign.
#[derive(Clone, Debug)]
pub(super) struct Signer {
    keypair: Keypair,
    pubkey: [u8; 32],
}

impl Signer {
    /// The author with this number in the corpus of this seed. Anybody can work its secret key out.
    pub(super) fn of(seed: u64, number: u64) -> anyhow::Result<Self> {
        let text = format!("trellis bench author {seed} {number}");
        let secret: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        let keypair =
            Keypair::from_seckey_slice(&SECP, &secret).context("a hash that is no key")?;
        let pubkey = keypair.x_only_public_key().0.serialize();
        Ok(Signer { keypair, pubkey })
    }

    /// The public key.
    pub(super) fn pubkey(&self) -> &[u8; 32] {
        &self.pubkey
    }

    /// The signature of an id; the same every time.
    pub(super) fn sign(&self, id: &[u8; 32]) -> [u8; 64] {
        *SECP.sign_schnorr_no_aux_rand(id, &self.keypair).as_ref()
    }
}
