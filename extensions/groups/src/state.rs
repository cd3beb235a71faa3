//! The rows in which the state of all groups is kept, read and written by policy through [`Rows`]: a transaction of the
//! store, or a map in memory.
//!
//! Invariant: rows change with the event that changes them, in its transaction, or not at all; so two events that come at the
//! same time never both pass on the same state. A refused event's rows are dropped.
//!
//! A key is a letter for what the row is, the group's id, a zero byte, and what else is needed.

mod requests;
mod shares;

pub(crate) use requests::{request_key, request_of};

use crate::group::{Display, Group, Invite, Staff, Standing};
use crate::tags;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use trellis_relay::event::{EventId, PublicKey};
use trellis_relay::extension::{CommitError, CommitTx, HookError};
use trellis_relay::reason::Reason;

/// [`Group`] of each group.
pub(crate) const GROUP: u8 = b'g';
/// Its [`Display`].
pub(crate) const DISPLAY: u8 = b'd';
/// Its [`Staff`].
pub(crate) const STAFF: u8 = b's';
/// The [`Standing`] of each user.
pub(crate) const STANDING: u8 = b'm';
/// Its [`Invite`]s.
pub(crate) const INVITES: u8 = b'i';
/// What each user has asked for last; [`requests`].
pub(crate) const LAST_REQUEST: u8 = b'r';
/// Of these, what the relay has not answered yet.
pub(crate) const REQUEST: u8 = b'q';
/// Ids of events that were deleted and must not come back.
pub(crate) const ERASED: u8 = b'x';
/// Those of them that still have to be removed.
pub(crate) const TO_ERASE: u8 = b'k';
/// Its newest events, by the first four bytes of their ids.
const TIMELINE: u8 = b't';
/// Groups of which everything has to be removed.
pub(crate) const TO_CLEAR: u8 = b'c';
/// The ids of all moderation events in the order in which they were stored.
pub(crate) const LOG: u8 = b'l';
/// How many users the groups of a founder have; [`shares`].
pub(crate) const FOUNDED: u8 = b'f';
/// [`Counts`].
pub(crate) const COUNTS: u8 = b'n';
/// A row without a meaning, written to wait for the writes before it.
pub(crate) const BARRIER: u8 = b'b';

/// Where rows are.
pub(crate) trait Rows {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, CommitError>;
    /// `None` deletes the row.
    fn set(&mut self, key: &[u8], value: Option<Vec<u8>>) -> Result<(), CommitError>;
}

impl Rows for CommitTx<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, CommitError> {
        CommitTx::get(self, key)
    }

    fn set(&mut self, key: &[u8], value: Option<Vec<u8>>) -> Result<(), CommitError> {
        match value {
            Some(value) => self.put(key, value),
            None => self.delete(key),
        }
    }
}

impl Rows for BTreeMap<Vec<u8>, Vec<u8>> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, CommitError> {
        Ok(BTreeMap::get(self, key).cloned())
    }

    fn set(&mut self, key: &[u8], value: Option<Vec<u8>>) -> Result<(), CommitError> {
        match value {
            Some(value) => self.insert(key.to_vec(), value),
            None => self.remove(key),
        };
        Ok(())
    }
}

/// Why an event does not change anything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    No(Reason),
    #[error(transparent)]
    Store(#[from] CommitError),
    #[error("a row cannot be read")]
    Unreadable(#[from] serde_json::Error),
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Refusal::No(reason)
    }
}

impl Refusal {
    /// A "no" is an answer, and so is that nobody knows what the group is, which must not count as a fault that other groups
    /// suffer from. Everything else is a failure.
    pub(crate) fn into_reason(self) -> Result<Reason, HookError> {
        match self {
            Refusal::No(reason) => Ok(reason),
            Refusal::Unreadable(_) => Ok(Reason::error(
                "what this relay keeps of the group cannot be read; its operator is told",
            )),
            failure => Err(failure.into()),
        }
    }
}

/// How much there is in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Without those that were deleted.
    pub(crate) groups: u64,
    pub(crate) moderations: u64,
    /// Members and removed users of these groups; who is in two counts twice.
    pub(crate) users: u64,
}

impl Counts {
    /// What a row says.
    pub(crate) fn read(row: &[u8]) -> Self {
        let number = |at: usize| {
            let bytes = row.get(at..at + 8).and_then(|it| it.try_into().ok());
            bytes.map_or(0, u64::from_be_bytes)
        };
        Counts {
            groups: number(0),
            moderations: number(8),
            users: number(16),
        }
    }

    /// What one group adds.
    fn of(group: Option<&Group>) -> Self {
        let living = group.filter(|group| !group.is_deleted);
        living.map_or(Counts::default(), |group| Counts {
            groups: 1,
            moderations: 0,
            users: group.users(),
        })
    }
}

/// The state that an event is judged on.
pub(crate) struct State<'r> {
    rows: &'r mut dyn Rows,
}

impl<'r> State<'r> {
    pub(crate) fn of(rows: &'r mut dyn Rows) -> Self {
        State { rows }
    }

    /// What is asked first of an id that an event names: without a group it has no other rows, and its key may be too long.
    pub(crate) fn group(&self, id: &str) -> Result<Option<Group>, Refusal> {
        if !tags::may_be_id(id) {
            return Ok(None);
        }
        self.read(&key(GROUP, id, &[]))
    }

    /// Counts it and its users, too.
    pub(crate) fn set_group(&mut self, id: &str, group: &Group) -> Result<(), Refusal> {
        let was = self.group(id)?;
        self.count_for_founder(was.as_ref(), group)?;
        let before = Counts::of(was.as_ref());
        let after = Counts::of(Some(group));
        if before != after {
            let counts = self.counts()?;
            self.set_counts(Counts {
                groups: (counts.groups + after.groups).saturating_sub(before.groups),
                users: (counts.users + after.users).saturating_sub(before.users),
                ..counts
            })?;
        }
        self.write(&key(GROUP, id, &[]), group)
    }

    pub(crate) fn display(&self, id: &str) -> Result<Display, Refusal> {
        Ok(self.read(&key(DISPLAY, id, &[]))?.unwrap_or_default())
    }

    pub(crate) fn set_display(&mut self, id: &str, display: &Display) -> Result<(), Refusal> {
        self.write(&key(DISPLAY, id, &[]), display)
    }

    pub(crate) fn staff(&self, id: &str) -> Result<Staff, Refusal> {
        Ok(self.read(&key(STAFF, id, &[]))?.unwrap_or_default())
    }

    pub(crate) fn set_staff(&mut self, id: &str, staff: &Staff) -> Result<(), Refusal> {
        self.write(&key(STAFF, id, &[]), staff)
    }

    pub(crate) fn standing(&self, id: &str, user: &PublicKey) -> Result<Option<Standing>, Refusal> {
        let row = self.rows.get(&key(STANDING, id, user.as_bytes()))?;
        Ok(row.and_then(|row| standing_of(&row)))
    }

    pub(crate) fn set_standing(
        &mut self,
        id: &str,
        user: &PublicKey,
        standing: Option<Standing>,
    ) -> Result<(), Refusal> {
        let row = standing.map(|standing| match standing {
            Standing::Member => vec![b'm'],
            Standing::Removed => vec![b'r'],
        });
        Ok(self.rows.set(&key(STANDING, id, user.as_bytes()), row)?)
    }

    /// Remembers somebody as removed, by an event of this time.
    pub(crate) fn set_removed(
        &mut self,
        id: &str,
        user: &PublicKey,
        at_s: u64,
    ) -> Result<(), Refusal> {
        let row = [&b"r"[..], &at_s.to_be_bytes()].concat();
        Ok(self
            .rows
            .set(&key(STANDING, id, user.as_bytes()), Some(row))?)
    }

    /// The time of the event that has removed somebody, in seconds since 1970; 0 if nobody was.
    pub(crate) fn removed_at_s(&self, id: &str, user: &PublicKey) -> Result<u64, Refusal> {
        let row = self.rows.get(&key(STANDING, id, user.as_bytes()))?;
        let row = row.unwrap_or_default();
        let bytes = row.strip_prefix(b"r").and_then(|it| it.try_into().ok());
        Ok(bytes.map_or(0, u64::from_be_bytes))
    }

    pub(crate) fn invites(&self, id: &str) -> Result<Vec<Invite>, Refusal> {
        Ok(self.read(&key(INVITES, id, &[]))?.unwrap_or_default())
    }

    pub(crate) fn set_invites(&mut self, id: &str, invites: &[Invite]) -> Result<(), Refusal> {
        match invites.is_empty() {
            true => Ok(self.rows.set(&key(INVITES, id, &[]), None)?),
            false => self.write(&key(INVITES, id, &[]), &invites),
        }
    }

    /// Whether a moderator has deleted an event of this id from the group.
    pub(crate) fn is_erased(&self, id: &str, event: &EventId) -> Result<bool, Refusal> {
        Ok(self.rows.get(&key(ERASED, id, event.as_bytes()))?.is_some())
    }

    /// Keeps an event from coming back, and has it removed.
    pub(crate) fn erase(&mut self, id: &str, event: &EventId) -> Result<(), Refusal> {
        self.rows
            .set(&key(ERASED, id, event.as_bytes()), Some(Vec::new()))?;
        let row = key(TO_ERASE, id, event.as_bytes());
        Ok(self.rows.set(&row, Some(Vec::new()))?)
    }

    /// Has everything of a group removed, its events too.
    pub(crate) fn clear(&mut self, id: &str) -> Result<(), Refusal> {
        for letter in [DISPLAY, STAFF, INVITES, TIMELINE] {
            self.rows.set(&key(letter, id, &[]), None)?;
        }
        Ok(self.rows.set(&key(TO_CLEAR, id, &[]), Some(Vec::new()))?)
    }

    /// The first four bytes of the ids of a group's newest events, oldest first.
    pub(crate) fn timeline(&self, id: &str) -> Result<Vec<u8>, Refusal> {
        let row = self.rows.get(&key(TIMELINE, id, &[]))?;
        Ok(row.unwrap_or_default())
    }

    pub(crate) fn set_timeline(&mut self, id: &str, timeline: Vec<u8>) -> Result<(), Refusal> {
        Ok(self.rows.set(&key(TIMELINE, id, &[]), Some(timeline))?)
    }

    pub(crate) fn counts(&self) -> Result<Counts, Refusal> {
        let row = self.rows.get(&[COUNTS])?.unwrap_or_default();
        Ok(Counts::read(&row))
    }

    fn set_counts(&mut self, counts: Counts) -> Result<(), Refusal> {
        let numbers = [counts.groups, counts.moderations, counts.users];
        let row = numbers.map(u64::to_be_bytes).concat();
        Ok(self.rows.set(&[COUNTS], Some(row))?)
    }

    /// Notes that a moderation event was accepted.
    pub(crate) fn log(&mut self, event: &EventId) -> Result<(), Refusal> {
        let counts = self.counts()?;
        let row = [&[LOG][..], &counts.moderations.to_be_bytes()].concat();
        self.rows.set(&row, Some(event.as_bytes().to_vec()))?;
        self.set_counts(Counts {
            moderations: counts.moderations + 1,
            ..counts
        })
    }

    fn read<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, Refusal> {
        let row = self.rows.get(key)?;
        row.map(|row| serde_json::from_slice(&row))
            .transpose()
            .map_err(Refusal::from)
    }

    fn write(&mut self, key: &[u8], value: &impl Serialize) -> Result<(), Refusal> {
        let row = serde_json::to_vec(value)?;
        Ok(self.rows.set(key, Some(row))?)
    }
}

/// The key of a row.
pub(crate) fn key(letter: u8, id: &str, rest: &[u8]) -> Vec<u8> {
    [&[letter], id.as_bytes(), &[0], rest].concat()
}

/// The group and what follows it, of a key that [`key`] made.
pub(crate) fn parts(key: &[u8]) -> Option<(&str, &[u8])> {
    let zero = key.iter().position(|byte| *byte == 0)?;
    let id = std::str::from_utf8(key.get(1..zero)?).ok()?;
    Some((id, &key[zero + 1..]))
}

/// What the row of a user says.
pub(crate) fn standing_of(row: &[u8]) -> Option<Standing> {
    match row {
        b"m" => Some(Standing::Member),
        [b'r', ..] => Some(Standing::Removed),
        _ => None,
    }
}
