//! Whether LiveKit has signed a body: the `Authorization` header is a JSON Web Token (HS256) that holds its hash.

use super::forged;
use crate::config::Settings;
use crate::failure::Failure;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// LiveKit's clock may be off by so much.
const LEEWAY_S: u64 = 60;

#[derive(Deserialize)]
struct Claims {
    /// The key that LiveKit knows the secret by.
    iss: String,
    exp: u64,
    #[serde(default)]
    nbf: u64,
    /// Of the body, in standard base64.
    sha256: String,
}

/// Refuses what LiveKit has not signed for this body and this time.
pub(super) fn check(
    settings: &Settings,
    token: &str,
    body: &[u8],
    now_s: u64,
) -> Result<(), Failure> {
    let mut validation = Validation::new(Algorithm::HS256);
    // Time is looked at below, by the relay's clock.
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    validation.validate_aud = false;
    let key = DecodingKey::from_secret(settings.webhook_secret.reveal().as_bytes());
    let decoded = jsonwebtoken::decode::<Claims>(token, &key, &validation);
    // What is wrong with it may hold a part of it.
    let claims = decoded.map_err(|_| forged())?.claims;
    let is_for_now = claims.nbf <= now_s + LEEWAY_S && now_s < claims.exp.saturating_add(LEEWAY_S);
    let hash = STANDARD.decode(&claims.sha256).map_err(|_| forged())?;
    let is_for_body = hash[..] == Sha256::digest(body)[..];
    match claims.iss == settings.webhook_key && is_for_now && is_for_body {
        true => Ok(()),
        false => Err(forged()),
    }
}
