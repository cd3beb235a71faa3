//! What is stored.

use crate::roster::Roster;
use trellis_relay::event::{EventId, PublicKey};

/// A group as the registry knows it. It has no secret in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// What messages carry in `h`.
    pub(crate) group_id: String,
    pub(crate) display_name: Option<String>,
    pub(crate) avatar_url: Option<String>,
    /// The owner of the roster, the first of them by key; without a roster whom an import named, who has no rights by that.
    pub(crate) owner: Option<PublicKey>,
    /// Of the roster; 0 without one.
    pub(crate) member_count: u64,
    /// The highest that a message named.
    pub(crate) last_epoch: Option<u64>,
    /// Of the newest message: its `created_at`.
    pub(crate) last_event_s: Option<u64>,
    /// Where else the group is, if anybody said so.
    pub(crate) relays: Vec<String>,
    pub(crate) created_at_s: u64,
    pub(crate) updated_at_s: u64,
}

/// A message of a group that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) group_id: String,
    pub(crate) epoch: Option<u64>,
    pub(crate) created_at_s: u64,
}

/// A roster and how often it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VersionedRoster {
    pub(crate) roster: Roster,
    /// Rises with each write.
    pub(crate) revision: u64,
}

/// What became of a roster that was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutRoster {
    /// It is written, with this revision.
    Written(u64),
    /// Another was written meanwhile: read it and decide again.
    Conflict,
}

/// What is known of a KeyPackage (443).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) id: EventId,
    pub(crate) owner: PublicKey,
    /// `kpr`
    pub(crate) reference: Option<String>,
    /// `cs`
    pub(crate) ciphersuite: Option<String>,
    pub(crate) created_at_s: u64,
    pub(crate) expires_at_s: u64,
}

/// What became of a KeyPackage that was to be taken into stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutPackage {
    /// It is in stock.
    Stored,
    /// This very event was there already.
    Known,
    /// This very event was there and is used up: it never comes into stock again.
    UsedUp,
    /// Another event of the owner has this reference.
    ReferenceTaken,
}

/// How many live KeyPackages an owner has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stock {
    pub(crate) owner: PublicKey,
    pub(crate) live: u64,
}

/// Which mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LetterBox {
    /// KeyPackages that are handed to somebody.
    KeyPackages,
    /// Welcomes.
    Welcomes,
}

/// What lies in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) recipient: PublicKey,
    pub(crate) sender: PublicKey,
    /// Of a Welcome.
    pub(crate) group_id: Option<String>,
    /// The KeyPackage or the Welcome, in base64; empty once it was acknowledged.
    pub(crate) content_b64: String,
    /// Of a Welcome.
    pub(crate) ratchet_tree_b64: Option<String>,
    /// Of a KeyPackage: JSON, a list of lists of strings.
    pub(crate) tags_json: Option<String>,
    pub(crate) created_at_s: u64,
    pub(crate) expires_at_s: u64,
    pub(crate) picked_up_at_s: Option<u64>,
    pub(crate) acknowledged_at_s: Option<u64>,
}

/// How much lies in a mailbox of one recipient. Bytes are those of contents, ratchet trees and tags as they are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BoxLoad {
    pub(crate) letters: u64,
    pub(crate) bytes: u64,
    /// Of these, so many are from one sender.
    pub(crate) letters_of_sender: u64,
    pub(crate) bytes_of_sender: u64,
}

/// An event in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Archived {
    /// Its place in the order of archiving; given by the database, 0 before.
    pub(crate) position: u64,
    pub(crate) id: EventId,
    pub(crate) kind: u16,
    pub(crate) pubkey: PublicKey,
    /// `h`
    pub(crate) group_id: Option<String>,
    /// `p`
    pub(crate) recipient: Option<PublicKey>,
    pub(crate) created_at_s: u64,
    pub(crate) archived_at_s: u64,
    /// The signed event.
    pub(crate) json: String,
}

/// Which archived events. Those fit that are of one of the groups or for one of the recipients; with neither list, all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ArchiveQuery<'a> {
    pub(crate) groups: Option<&'a [String]>,
    pub(crate) recipients: Option<&'a [PublicKey]>,
    /// Their `created_at` is at least so much.
    pub(crate) since_s: Option<u64>,
    /// Only those with a greater position.
    pub(crate) after_position: u64,
    pub(crate) max: usize,
}

/// A piece of a list.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Page<'a> {
    pub(crate) after: Option<&'a str>,
    pub(crate) max: usize,
}

/// How much was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// Not acknowledged in time.
    pub(crate) key_package_letters: u64,
    /// The same of Welcomes.
    pub(crate) welcome_letters: u64,
    /// Letters of both boxes that had been acknowledged.
    pub(crate) acknowledged_letters: u64,
    pub(crate) packages: u64,
    pub(crate) archived: u64,
}
