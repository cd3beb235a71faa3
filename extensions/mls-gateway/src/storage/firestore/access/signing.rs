//! Signs what a service account says to Google to get a token: RS256, by the cryptography that the relay has anyway.
//!
//! Deliberately not here: any other algorithm, and the checking of signatures, which nobody needs for this.

use gcloud_sdk::error::Error as _;
use jsonwebtoken::crypto::{CryptoProvider, JwkUtils, JwtSigner, JwtVerifier};
use jsonwebtoken::errors::{Error, ErrorKind, Result};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use rustls::SignatureScheme;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{Signer, SigningKey};

/// Makes it what the program signs tokens with, unless something else is.
pub(super) fn install() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: signer,
        verifier_factory: verifier,
        jwk_utils: JwkUtils::new_unimplemented(),
    };
    let _ = PROVIDER.install_default();
}
