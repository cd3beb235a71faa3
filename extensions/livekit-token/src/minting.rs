//! Tokens as LiveKit wants them: JSON Web Tokens that let one person into one room.
//!
//! Invariant: a token grants joining, publishing and subscribing and nothing else, so that nobody records, administers or
//! changes what is known of them; it is shown to whom it is for and to nobody else, and printing one shows nothing.

use crate::config::Settings;
use crate::single_use::{MARK_ATTRIBUTE, mark_of};
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// A token, and what is remembered of it.
pub(crate) struct Minted {
    /// The token itself.
    pub(crate) token: String,
    /// What it is known by ([`mark_of`] of its `jti`).
    pub(crate) mark: String,
    pub(crate) expires_at_s: u64,
}

#[derive(Serialize)]
struct Claims<'c> {
    iss: &'c str,
    sub: &'c str,
    jti: &'c str,
    nbf: u64,
    exp: u64,
    video: Video<'c>,
    attributes: BTreeMap<&'static str, &'c str>,
}

/// What LiveKit calls a video grant; what is not in it is not granted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Video<'c> {
    room: &'c str,
    room_join: bool,
    can_publish: bool,
    can_subscribe: bool,
}

/// A new token for one identity and one room, good from now on.
pub(crate) fn mint(
    settings: &Settings,
    room: &str,
    identity: &str,
    now_s: u64,
) -> Result<Minted, jsonwebtoken::errors::Error> {
    let jti = const_hex::encode(rand::random::<[u8; 16]>());
    let mark = mark_of(&jti);
    let expires_at_s = now_s + settings.token_expiry_s;
    let claims = Claims {
        iss: &settings.livekit_api_key,
        sub: identity,
        jti: &jti,
        nbf: now_s,
        exp: expires_at_s,
        video: Video {
            room,
            room_join: true,
            can_publish: true,
            can_subscribe: true,
        },
        attributes: BTreeMap::from([(MARK_ATTRIBUTE, &*mark)]),
    };
    let key = EncodingKey::from_secret(settings.livekit_api_secret.reveal().as_bytes());
    let token = jsonwebtoken::encode(&Header::default(), &claims, &key)?;
    Ok(Minted {
        token,
        mark,
        expires_at_s,
    })
}

impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Minted")
    }
}
