//! A space (NIP-53, kind 30312) as its event has it, and whether it asks for a room here.
//!
//! A space belongs to the communities in its `h` tags, or where it has none to the community that is its author. The room in
//! LiveKit is called by the space's address, so that every version of the event means the same room.

use crate::operator::Operator;
use std::collections::HashSet;
use trellis_relay::event::Address;
use trellis_relay::extension::prelude::*;

/// Kind of a space.
pub(crate) const SPACE: u16 = 30312;
/// Communities of one space that are looked at.
const COMMUNITIES_MAX: usize = 8;
/// People that one space may name.
const NAMED_MAX: usize = 1000;
/// LiveKit takes no longer names, unless it is told to.
const NAME_BYTES_MAX: usize = 256;

/// A space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Space {
    address: Address,
    event: EventId,
    created_at_s: u64,
    expires_at_s: Option<u64>,
    is_named: bool,
    status: Status,
    service: Option<String>,
    communities: Vec<PublicKey>,
    /// Who stands in its `p` tags.
    people: HashSet<PublicKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Open,
    /// For those whom it names.
    Private,
    /// Closed, or what no NIP knows.
    Closed,
}

/// Why there is no room for a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It lacks an identifier or a name, or both make too long a name.
    Nameless,
    Closed,
    Expired,
    /// Its `service` is another operator's.
    OtherOperator,
}

impl Space {
    /// Reads a space; none where the event is something else.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let address = event.address().filter(|it| it.kind == SPACE)?;
        let keys = |letter| {
            let values = event.tag_values(letter);
            values.filter_map(|key| PublicKey::from_hex(&key).ok())
        };
        let mut communities: Vec<_> = keys(b'h').take(COMMUNITIES_MAX).collect();
        if event.tag_values(b'h').next().is_none() {
            communities.push(address.pubkey);
        }
        let has = |name| event.first_tag_value(name).is_some_and(|it| !it.is_empty());
        let status = match event.first_tag_value("status").as_deref() {
            Some("open") => Status::Open,
            Some("private") => Status::Private,
            _ => Status::Closed,
        };
        Some(Space {
            event: *event.id(),
            created_at_s: event.created_at(),
            expires_at_s: event.expiration(),
            is_named: has("room") || has("title"),
            status,
            service: event.first_tag_value("service").map(|it| it.into_owned()),
            communities,
            people: keys(b'p').take(NAMED_MAX).collect(),
            address,
        })
    }

    /// Whether it asks for a room of this operator at this time.
    pub(crate) fn judge(&self, operator: &Operator, now_s: u64) -> Result<(), Unfit> {
        let is_nameable = !self.address.d.is_empty() && self.name().len() <= NAME_BYTES_MAX;
        if !is_nameable || !self.is_named {
            return Err(Unfit::Nameless);
        }
        if self.expires_at_s.is_some_and(|at_s| at_s <= now_s) {
            return Err(Unfit::Expired);
        }
        if !self.is_for(operator) {
            return Err(Unfit::OtherOperator);
        }
        match self.status {
            Status::Open | Status::Private => Ok(()),
            Status::Closed => Err(Unfit::Closed),
        }
    }

    /// Whether its `service` names this operator.
    pub(crate) fn is_for(&self, operator: &Operator) -> bool {
        operator.is_named_by(self.service.as_deref())
    }

    /// Whether a member of its community may come in: into a private space only those whom it names, who made it, and the
    /// community itself.
    pub(crate) fn admits(&self, who: &PublicKey) -> bool {
        self.status == Status::Open
            || *who == self.address.pubkey
            || self.communities.contains(who)
            || self.people.contains(who)
    }

    /// How its room is called in LiveKit.
    pub(crate) fn name(&self) -> String {
        name_of(&self.address)
    }

    /// Who made it.
    pub(crate) fn author(&self) -> &PublicKey {
        &self.address.pubkey
    }

    pub(crate) fn event(&self) -> EventId {
        self.event
    }

    pub(crate) fn created_at_s(&self) -> u64 {
        self.created_at_s
    }

    pub(crate) fn expires_at_s(&self) -> Option<u64> {
        self.expires_at_s
    }

    /// The communities that it is for.
    pub(crate) fn communities(&self) -> &[PublicKey] {
        &self.communities
    }
}

/// An address as `a` tags have it.
pub(crate) fn name_of(address: &Address) -> String {
    format!("{}:{}:{}", address.kind, address.pubkey.to_hex(), address.d)
}
