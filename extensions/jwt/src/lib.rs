//! How JSON Web Tokens are signed and checked in this program: HS256 and RS256, by the cryptography that the relay has
//! anyway (ring).
//!
//! Invariant: the `jsonwebtoken` crate has one provider for the whole process, and whoever comes first sets it. So every
//! extension that uses it, or a library that does, calls [`install`] in its `build`, and none sets a provider of its own.
//! Deliberately not here: checking RS256, and keys other than shared secrets and PKCS #1, which nobody needs.

mod hs256;
mod rs256;

use jsonwebtoken::crypto::{CryptoProvider, JwkUtils, JwtSigner, JwtVerifier};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

/// Makes this what the program signs and checks tokens with, unless something else is.
///
/// ```
/// use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
/// trellis_jwt::install();
/// let claims = serde_json::json!({"sub": "alice", "exp": 4_000_000_000_u64});
/// let token = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(b"secret"))?;
/// let read = |secret: &[u8]| {
///     jsonwebtoken::decode::<serde_json::Value>(&token, &DecodingKey::from_secret(secret), &Validation::default())
/// };
/// assert_eq!(read(b"secret")?.claims["sub"], "alice");
/// assert!(read(b"guess").is_err());
/// # Ok::<(), jsonwebtoken::errors::Error>(())
/// ```
pub fn install() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: signer,
        verifier_factory: verifier,
        jwk_utils: JwkUtils::new_unimplemented(),
    };
    let _ = PROVIDER.install_default();
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    match algorithm {
        Algorithm::HS256 => Ok(Box::new(hs256::SharedKey::to_sign(key)?)),
        Algorithm::RS256 => Ok(Box::new(rs256::PrivateKey::new(key)?)),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    match algorithm {
        Algorithm::HS256 => Ok(Box::new(hs256::SharedKey::to_check(key)?)),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}
