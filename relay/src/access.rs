//! Who may read and who may write, by the lists of `[auth]` and those of the management API (NIP-86).
//!
//! Invariant: pure; the same question always gets the same answer. A blacklist beats every whitelist, and an unknown
//! answer does not exist: whoever is not let in is refused with one [`Denied`]. Not here: NIP-42 itself, and how the
//! operator's lists change while the relay runs (`moderator`).

use crate::config::{Auth, Config, IpRange, Mode, Pubkey};
use crate::event::PublicKey;
use crate::moderation::{KeySet, Moderation};
use crate::reason::{Prefix, Reason};
use hashbrown::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;

/// Why a client may not do what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Denied {
    /// The client has to authenticate first; `auth-required:`.
    #[error("this relay serves authenticated clients only")]
    AuthRequired,
    /// The client's address is not allowed; `restricted:`.
    #[error("your address is not allowed")]
    Address,
    /// None of the keys the client authenticated as is allowed, or one of them is banned; `restricted:`.
    #[error("your public key is not allowed")]
    Session,
    /// The author of the event is not allowed; `blocked:`.
    #[error("the author's public key is not allowed")]
    Author,
}

impl From<Denied> for Reason {
    fn from(denied: Denied) -> Self {
        let prefix = match denied {
            Denied::AuthRequired => Prefix::AuthRequired,
            Denied::Address | Denied::Session => Prefix::Restricted,
            Denied::Author => Prefix::Blocked,
        };
        Reason::new(prefix, denied.to_string())
    }
}

/// True if a client without an authenticated key is refused all reading; NIP-11's `auth_required`.
pub fn reading_needs_auth(auth: &Auth) -> bool {
    auth.required || (auth.enabled && auth.req.pubkey_whitelist.is_some())
}

/// True if an event has to meet a condition of the operator's, of its author, sender, kind, work or time, and not everyone
/// may write anything; NIP-11's `restricted_writes`.
pub fn restricts_writes(config: &Config, moderation: &Moderation, now_s: u64) -> bool {
    let (auth, event) = (&config.auth, &config.auth.event);
    let has_whitelist = event.pubkey_whitelist.is_some()
        || event.event_pubkey_whitelist.is_some()
        || event.ip_whitelist.is_some();
    auth.required
        || (auth.enabled && has_whitelist)
        || !config.pow.is_empty()
        || config.operation.mode_at(now_s) == Mode::ReadOnly
        || !moderation.allowed_pubkeys.is_empty()
        || !moderation.allowed_kinds.is_empty()
}

/// Who may read and who may write.
#[derive(Clone, Debug, Default)]
pub struct AccessPolicy {
    required: bool,
    req: Lists,
    event: Lists,
    authors: Option<HashSet<PublicKey>>,
    banned_authors: HashSet<PublicKey>,
    allow_mentioning: bool,
    moderation: Arc<Moderation>,
}

impl AccessPolicy {
    /// The policy that a configuration and the operator's decisions describe. Whoever is allowed by the latter is so as if
    /// named in every whitelist of keys that there is; where there is none for writing, only those are let in.
    pub fn new(config: &Config, moderation: Arc<Moderation>) -> Self {
        let Auth {
            enabled,
            required,
            req,
            event,
            ..
        } = &config.auth;
        if !enabled {
            return Self {
                required: *required,
                moderation,
                ..Self::default()
            };
        }
        Self {
            required: *required,
            req: Lists::new(
                &req.ip_whitelist,
                &req.ip_blacklist,
                &req.pubkey_whitelist,
                &req.pubkey_blacklist,
            ),
            event: Lists::new(
                &event.ip_whitelist,
                &event.ip_blacklist,
                &event.pubkey_whitelist,
                &event.pubkey_blacklist,
            ),
            authors: event.event_pubkey_whitelist.as_deref().map(keys),
            banned_authors: keys(event.event_pubkey_blacklist.as_deref().unwrap_or_default()),
            allow_mentioning: event.allow_mentioning_whitelisted_pubkeys,
            moderation,
        }
    }

    /// True if nobody is refused anything, so that nothing needs to be asked.
    pub fn is_open(&self) -> bool {
        !self.required
            && self.req.is_open()
            && self.event.is_open()
            && self.authors.is_none()
            && self.banned_authors.is_empty()
            && self.moderation.banned_pubkeys.is_empty()
            && self.moderation.allowed_pubkeys.is_empty()
    }

    /// Whether a client may send REQ, COUNT and NEG-OPEN. `session` holds the keys it authenticated as.
    pub fn may_req(&self, ip: IpAddr, session: &[PublicKey]) -> Result<(), Denied> {
        self.req.refuse_address(ip)?;
        self.refuse_anonymous(session)?;
        self.refuse_banned(&self.req, session)?;
        self.req.refuse_unlisted(session, self.allowed())
    }

    /// Whether a client may publish an event. `session` holds the keys it authenticated as, `mentioned` the keys the
    /// event `p`-tags.
    pub fn may_publish<'k>(
        &self,
        ip: IpAddr,
        session: &[PublicKey],
        author: &PublicKey,
        mentioned: impl IntoIterator<Item = &'k PublicKey>,
    ) -> Result<(), Denied> {
        self.event.refuse_address(ip)?;
        self.refuse_anonymous(session)?;
        self.refuse_banned(&self.event, session)?;
        if self.banned_authors.contains(author) || self.moderation.banned_pubkeys.contains(author) {
            return Err(Denied::Author);
        }
        let allowed = self.allowed();
        let is_listed = match (&self.authors, &self.event.keys) {
            (Some(authors), _) => authors.contains(author) || allowed.contains(author),
            (None, None) => allowed.is_empty() || allowed.contains(author),
            (None, Some(_)) => true,
        };
        let listed = match is_listed {
            true => self.event.refuse_unlisted(session, allowed),
            false => Err(Denied::Author),
        };
        match listed {
            Err(_)
                if self.allow_mentioning
                    && mentioned.into_iter().any(|key| self.is_member(key)) =>
            {
                Ok(())
            }
            verdict => verdict,
        }
    }

    /// Whether a client may publish a request to vanish (NIP-62), which is everybody's right: addresses alone are asked.
    pub fn may_vanish(&self, ip: IpAddr) -> Result<(), Denied> {
        self.event.refuse_address(ip)
    }

    /// Whether a client may take its own events along, which whoever has any may: addresses and bans alone are asked, and
    /// not who may read.
    pub fn may_take_along(&self, ip: IpAddr, key: &PublicKey) -> Result<(), Denied> {
        self.req.refuse_address(ip)?;
        self.refuse_banned(&self.req, std::slice::from_ref(key))
    }

    fn is_member(&self, key: &PublicKey) -> bool {
        let on = |list: &Option<HashSet<PublicKey>>| {
            list.as_ref().is_some_and(|list| list.contains(key))
        };
        on(&self.authors) || on(&self.event.keys) || self.allowed().contains(key)
    }

    fn allowed(&self) -> &KeySet<PublicKey> {
        &self.moderation.allowed_pubkeys
    }

    /// One banned key is enough: otherwise a second key would wash it clean.
    fn refuse_banned(&self, lists: &Lists, session: &[PublicKey]) -> Result<(), Denied> {
        let banned = session.iter().any(|key| {
            lists.banned_keys.contains(key) || self.moderation.banned_pubkeys.contains(key)
        });
        if banned { Err(Denied::Session) } else { Ok(()) }
    }

    fn refuse_anonymous(&self, session: &[PublicKey]) -> Result<(), Denied> {
        if self.required && session.is_empty() {
            Err(Denied::AuthRequired)
        } else {
            Ok(())
        }
    }
}

/// The policy in force, made anew when configuration or decisions have changed.
#[derive(Debug, Default)]
pub struct PolicyInForce {
    made: Mutex<Option<Made>>,
}

#[derive(Debug)]
struct Made {
    of: (Arc<Config>, Arc<Moderation>),
    policy: Arc<AccessPolicy>,
}

impl PolicyInForce {
    /// The policy that these describe.
    pub fn get(&self, config: &Arc<Config>, moderation: &Arc<Moderation>) -> Arc<AccessPolicy> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Made { of, policy }) = &*made
            && Arc::ptr_eq(&of.0, config)
            && Arc::ptr_eq(&of.1, moderation)
        {
            return policy.clone();
        }
        let policy = Arc::new(AccessPolicy::new(config, moderation.clone()));
        *made = Some(Made {
            of: (config.clone(), moderation.clone()),
            policy: policy.clone(),
        });
        policy
    }
}

/// The lists that reading and writing have each for themselves.
#[derive(Clone, Debug, Default)]
struct Lists {
    addresses: Option<Vec<IpRange>>,
    banned_addresses: Vec<IpRange>,
    keys: Option<HashSet<PublicKey>>,
    banned_keys: HashSet<PublicKey>,
}

impl Lists {
    fn new(
        addresses: &Option<Vec<IpRange>>,
        banned_addresses: &Option<Vec<IpRange>>,
        allowed: &Option<Vec<Pubkey>>,
        banned: &Option<Vec<Pubkey>>,
    ) -> Self {
        Self {
            addresses: addresses.clone(),
            banned_addresses: banned_addresses.clone().unwrap_or_default(),
            keys: allowed.as_deref().map(keys),
            banned_keys: keys(banned.as_deref().unwrap_or_default()),
        }
    }

    fn is_open(&self) -> bool {
        self.addresses.is_none()
            && self.banned_addresses.is_empty()
            && self.keys.is_none()
            && self.banned_keys.is_empty()
    }

    fn refuse_address(&self, ip: IpAddr) -> Result<(), Denied> {
        let listed = |ranges: &[IpRange]| ranges.iter().any(|range| range.contains(ip));
        let let_in = self.addresses.as_deref().is_none_or(listed);
        if !let_in || listed(&self.banned_addresses) {
            Err(Denied::Address)
        } else {
            Ok(())
        }
    }

    fn refuse_unlisted(
        &self,
        session: &[PublicKey],
        allowed: &KeySet<PublicKey>,
    ) -> Result<(), Denied> {
        match &self.keys {
            Some(_) if session.is_empty() => Err(Denied::AuthRequired),
            Some(keys)
                if !session
                    .iter()
                    .any(|key| keys.contains(key) || allowed.contains(key)) =>
            {
                Err(Denied::Session)
            }
            _ => Ok(()),
        }
    }
}

fn keys(list: &[Pubkey]) -> HashSet<PublicKey> {
    list.iter().map(|pubkey| *pubkey.key()).collect()
}

#[cfg(test)]
mod tests;
