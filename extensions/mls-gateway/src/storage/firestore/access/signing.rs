//! Signs what a service account says to Google to get a token: RS256, by the cryptography that the relay has anyway.
//!
//! Deliberately not here: any other algorithm, and the checking of signatures, which nobody needs for this.

use jsonwebtoken::crypto::{CryptoProvider, JwkUtils, JwtSigner, JwtVerifier};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{self, Signer};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer};
use rustls::sign::SigningKey;
use std::sync::Arc;

/// Makes it what the program signs tokens with, unless something else is.
pub(super) fn install() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: signer,
        verifier_factory: verifier,
        jwk_utils: JwkUtils::new_unimplemented(),
    };
    let _ = PROVIDER.install_default();
}

/// An RSA key that signs with SHA-256.
struct RsaSigner(Arc<dyn SigningKey>);

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    if *algorithm != Algorithm::RS256 {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let key = PrivatePkcs1KeyDer::from(key.inner().to_vec());
    let key = any_supported_type(&PrivateKeyDer::Pkcs1(key))
        .map_err(|_| ErrorKind::InvalidRsaKey("not a private key".to_owned()))?;
    Ok(Box::new(RsaSigner(key)))
}

fn verifier(_: &Algorithm, _: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    Err(ErrorKind::InvalidAlgorithm.into())
}

impl Signer<Vec<u8>> for RsaSigner {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, signature::Error> {
        let scheme = self.0.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]);
        let scheme = scheme.ok_or_else(signature::Error::new)?;
        scheme.sign(message).map_err(signature::Error::from_source)
    }
}

impl JwtSigner for RsaSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}
