//! A token lets one participant in once: what became of each is remembered until no copy of it is good any more.
//!
//! ISSUED -> at the first sight of a participant with it: CONSUMED by that participant's session (sid). Another session with
//! it before the token's end is a replay; after its end LiveKit itself lets only those in again who were in before, so that
//! is a reconnect, unless a copy was seen: then no session but the first is let in by it again.
//!
//! Invariant: tokens are known by a mark, a short hash of their `jti`, never by themselves; a cache that cannot answer is an
//! error, and no token is issued that cannot be remembered.

#[cfg(test)]
mod conformance;
mod memory;
#[cfg(feature = "redis")]
mod redis;

use self::memory::InMemory;
#[cfg(feature = "redis")]
pub(crate) use self::redis::InRedis;

use crate::config::Settings;
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use trellis_relay::extension::prelude::*;

/// The attribute of a participant that holds the mark of their token. Participants cannot change it.
pub(crate) const MARK_ATTRIBUTE: &str = "token_mark";

/// The mark of a token: 32 hex digits that tell nothing of its `jti`.
pub(crate) fn mark_of(jti: &str) -> String {
    short_hash(&[jti])
}

/// 32 hex digits of the SHA-256 of these texts, each with its length before it.
fn short_hash(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    const_hex::encode(&hash.finalize()[..16])
}

/// The cache that the settings ask for.
pub(crate) async fn open(settings: &Settings, host: &Host) -> Result<Arc<dyn TokenCache>, String> {
    #[cfg(feature = "redis")]
    if let Some(url) = &settings.redis_url {
        let cache = self::redis::InRedis::new(url.reveal(), host.clock().clone());
        // The URL may hold a password, and what Redis says of it as well.
        let cache = cache.map_err(|error| format!("redis_url: {error}"))?;
        return Ok(Arc::new(cache));
    }
    let (tokens, clock) = (settings.bounds.tokens, host.clock().clone());
    Ok(Arc::new(InMemory::new(tokens, clock)))
}

/// So long is a token remembered after a copy of it was seen last, in seconds: LiveKit gives every session fresh tokens with
/// the same mark, good for ten minutes, and the copy's is to let nobody in when ours is over.
const BURNED_S: u64 = 900;

/// Where several relays, or one, keep what became of tokens.
#[async_trait]
pub(crate) trait TokenCache: Send + Sync {
    /// Remembers a new token, and lets its owner into its room again who was refused there.
    async fn issue(&self, token: &Issued) -> Result<(), CacheDown>;

    /// Somebody is in a room with the token of this mark, as this session. The same question twice has the same answer.
    async fn arrive(&self, mark: &str, sid: &str, now_s: u64) -> Result<Arrival, CacheDown>;

    /// From here on somebody is not let into a room until a new token is issued.
    async fn refuse(&self, room: &str, identity: &str, until_s: u64) -> Result<(), CacheDown>;

    /// Whether somebody is not let into a room.
    async fn is_refused(&self, room: &str, identity: &str, now_s: u64) -> Result<bool, CacheDown>;

    /// Forgets whom a room refuses: its call is over. What became of tokens stays for as long as they are remembered, with
    /// nothing that says whose they were, so that a copy does not open the room anew.
    async fn forget_room(&self, room: &str) -> Result<(), CacheDown>;
}

/// A token that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issued {
    /// The short hash of its `jti`.
    pub(crate) mark: String,
    pub(crate) room: String,
    /// Who it is for, as LiveKit knows them.
    pub(crate) identity: String,
    /// Its `exp`.
    pub(crate) expires_at_s: u64,
    /// How long it is remembered: longer than it is good.
    pub(crate) forget_at_s: u64,
}

/// What somebody with a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The first with this token.
    First,
    /// The session that came first, seen once more.
    Same,
    /// Another session after the token's end: LiveKit's own reconnect.
    Reconnect,
    /// Another session while the token is good: a copy.
    Replay,
    /// No such token was issued, or it is forgotten.
    Unknown,
}

/// The cache does not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the cache of tokens does not answer: {0}")]
pub(crate) struct CacheDown(pub(crate) String);
