//! HS256 (RFC 7518 section 3.2): HMAC with SHA-256, both ways; the comparison takes the same time for every signature.

use jsonwebtoken::crypto::{JwtSigner, JwtVerifier};
use jsonwebtoken::errors::Result;
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use ring::hmac;

/// A secret that both sides know.
pub(crate) struct SharedKey(hmac::Key);

impl SharedKey {
    pub(crate) fn to_sign(key: &EncodingKey) -> Result<Self> {
        Ok(Self::new(key.try_get_hmac_secret()?))
    }

    pub(crate) fn to_check(key: &DecodingKey) -> Result<Self> {
        Ok(Self::new(key.try_get_hmac_secret()?))
    }

    fn new(secret: &[u8]) -> Self {
        SharedKey(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }
}

impl Signer<Vec<u8>> for SharedKey {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl Verifier<Vec<u8>> for SharedKey {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        hmac::verify(&self.0, message, signature).map_err(|_| Error::new())
    }
}

impl JwtSigner for SharedKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for SharedKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}
