//! Decisions as rows of the store: one letter and the subject as key, a few flags and the reason as value.
//!
//! Invariant: one subject has one row, so that whoever is banned is not allowed as well, and a change is whole or not at
//! all.

use super::settings::Settings;
use crate::config::IpRange;
use crate::event::{EventId, PublicKey};
use crate::store::StoreError;

/// What a decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A person.
    Pubkey(PublicKey),
    /// An event.
    Event(EventId),
    /// A kind.
    Kind(u16),
    /// An address or network.
    Address(IpRange),
}

/// Which way it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Allowed, or found good.
    Allowed,
    /// Banned, disallowed or blocked.
    Denied,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which way it went.
    pub verdict: Verdict,
    /// Why, in the operator's words; may be empty.
    pub reason: String,
    /// Whether stored events of a banned key are still to be removed.
    pub to_purge: bool,
}

/// A row, or with no value its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is about.
    pub key: Vec<u8>,
    /// What was decided.
    pub value: Option<Vec<u8>>,
}

/// What a row says.
pub(super) enum Meaning {
    Standing(Subject, Option<Standing>),
    Settings(Option<Settings>),
}

const PUBKEY: u8 = b'p';
const EVENT: u8 = b'e';
const KIND: u8 = b'k';
const ADDRESS: u8 = b'i';
const SETTINGS: u8 = b's';

const ALLOWED: u8 = 1;
const TO_PURGE: u8 = 2;

impl Subject {
    /// The key of its row.
    pub fn key(&self) -> Vec<u8> {
        let (letter, rest) = match self {
            Subject::Pubkey(key) => (PUBKEY, key.as_bytes().to_vec()),
            Subject::Event(id) => (EVENT, id.as_bytes().to_vec()),
            Subject::Kind(kind) => (KIND, kind.to_be_bytes().to_vec()),
            Subject::Address(range) => (ADDRESS, range.to_string().into_bytes()),
        };
        let mut key = vec![letter];
        key.extend(rest);
        key
    }

    /// What the keys of all rows about pubkeys begin with.
    pub const PUBKEYS: &[u8] = &[PUBKEY];
    /// What the keys of all rows about events begin with.
    pub const EVENTS: &[u8] = &[EVENT];
    /// What the keys of all rows about addresses begin with.
    pub const ADDRESSES: &[u8] = &[ADDRESS];

    /// The subject of a row's key; `None` for a row of settings.
    fn of(key: &[u8]) -> Result<Option<Self>, StoreError> {
        let subject = match key {
            [PUBKEY, key @ ..] => key
                .try_into()
                .ok()
                .map(|key| Subject::Pubkey(PublicKey::from_byte_array(key))),
            [EVENT, id @ ..] => id
                .try_into()
                .ok()
                .map(|id| Subject::Event(EventId::from_byte_array(id))),
            [KIND, kind @ ..] => kind
                .try_into()
                .ok()
                .map(|kind| Subject::Kind(u16::from_be_bytes(kind))),
            [ADDRESS, text @ ..] => std::str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse().ok().map(Subject::Address)),
            [SETTINGS] => return Ok(None),
            _ => None,
        };
        subject.map(Some).ok_or_else(damaged)
    }
}

impl Row {
    /// The decision about a subject; `None` takes it back.
    pub fn of(subject: &Subject, standing: Option<&Standing>) -> Self {
        let value = standing.map(|standing| {
            let mut flags = 0;
            if standing.verdict == Verdict::Allowed {
                flags |= ALLOWED;
            }
            if standing.to_purge {
                flags |= TO_PURGE;
            }
            let mut value = vec![flags];
            value.extend(standing.reason.as_bytes());
            value
        });
        let key = subject.key();
        Row { key, value }
    }

    /// The settings; empty ones are no row.
    pub fn of_settings(settings: &Settings) -> Self {
        let text = serde_json::to_vec(settings).unwrap_or_default();
        Row {
            key: vec![SETTINGS],
            value: (!settings.is_empty()).then_some(text),
        }
    }

    /// The decision about a subject that a row holds.
    pub fn standing(&self) -> Result<Option<(Subject, Standing)>, StoreError> {
        match self.read()? {
            Meaning::Standing(subject, Some(standing)) => Ok(Some((subject, standing))),
            _ => Ok(None),
        }
    }

    pub(super) fn read(&self) -> Result<Meaning, StoreError> {
        let Some(subject) = Subject::of(&self.key)? else {
            let settings = self.value.as_deref().map(serde_json::from_slice);
            let settings = settings.transpose().map_err(|_| damaged())?;
            return Ok(Meaning::Settings(settings));
        };
        let Some(value) = &self.value else {
            return Ok(Meaning::Standing(subject, None));
        };
        let (flags, reason) = value.split_first().ok_or_else(damaged)?;
        let verdict = match flags & ALLOWED {
            0 => Verdict::Denied,
            _ => Verdict::Allowed,
        };
        let standing = Standing {
            verdict,
            reason: String::from_utf8(reason.to_vec()).map_err(|_| damaged())?,
            to_purge: flags & TO_PURGE != 0,
        };
        Ok(Meaning::Standing(subject, Some(standing)))
    }
}

fn damaged() -> StoreError {
    StoreError::Corrupt("a decision of the operator cannot be read".to_owned())
}
