//! RS256, to sign with: what a service account says to Google to get a token.

use jsonwebtoken::crypto::JwtSigner;
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{self, Signer};
use jsonwebtoken::{Algorithm, EncodingKey};
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer};
use rustls::sign::SigningKey;
use std::sync::Arc;

/// An RSA key that signs with SHA-256.
pub(crate) struct PrivateKey(Arc<dyn SigningKey>);

impl PrivateKey {
    pub(crate) fn new(key: &EncodingKey) -> Result<Self> {
        let key = PrivatePkcs1KeyDer::from(key.inner().to_vec());
        let key = any_supported_type(&PrivateKeyDer::Pkcs1(key))
            .map_err(|_| ErrorKind::InvalidRsaKey("not a private key".to_owned()))?;
        Ok(PrivateKey(key))
    }
}

impl Signer<Vec<u8>> for PrivateKey {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, signature::Error> {
        let scheme = self.0.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]);
        let scheme = scheme.ok_or_else(signature::Error::new)?;
        scheme.sign(message).map_err(signature::Error::from_source)
    }
}

impl JwtSigner for PrivateKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}
