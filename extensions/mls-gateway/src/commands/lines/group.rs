//! A line of groups.

use super::{check_id, read, time};
use crate::roster::{Role, Roster};
use crate::storage::Group;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use trellis_relay::event::EventId;
use trellis_relay::extension::Pubkey;

/// One group. Only `group_id` and `created_at` must be there.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(in crate::commands) struct GroupLine {
    pub(in crate::commands) group_id: String,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    avatar_url: Option<String>,
    /// npub or hex.
    #[serde(default)]
    owner_pubkey: Option<Pubkey>,
    /// Whom the group names without a roster, which gives no rights. It is a key of its own because `owner_pubkey` makes
    /// a roster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner_without_roster: Option<Pubkey>,
    #[serde(default)]
    last_epoch: Option<u64>,
    /// Seconds since 1970, as all times here.
    #[serde(default)]
    last_event_ts: Option<u64>,
    #[serde(default)]
    relays: Option<Relays>,
    created_at: u64,
    #[serde(default)]
    updated_at: Option<u64>,
    /// Who belongs to it, the owner or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    members: Option<Vec<MemberLine>>,
    /// Of the last roster event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roster_seq: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roster_event: Option<String>,
}

/// A list, or the text of a column: JSON or words with commas or blanks between them.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(untagged)]
enum Relays {
    List(Vec<String>),
    Text(String),
}

/// A member's key, or key and role.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(untagged)]
enum MemberLine {
    Key(Pubkey),
    Named { pubkey: Pubkey, role: String },
}

impl GroupLine {
    pub(in crate::commands) fn read(line: &[u8]) -> Result<(Group, Option<Roster>), String> {
        let line: GroupLine = read(line)?;
        check_id("group_id", &line.group_id)?;
        time::check("created_at", line.created_at)?;
        for (name, seconds) in [
            ("updated_at", line.updated_at),
            ("last_event_ts", line.last_event_ts),
        ] {
            time::check(name, seconds.unwrap_or(0))?;
        }
        let roster = line.roster()?;
        if roster.is_some() && line.owner_without_roster.is_some() {
            return Err("owner_without_roster beside owner_pubkey or members".to_owned());
        }
        let group = Group {
            group_id: line.group_id,
            display_name: line.display_name,
            avatar_url: line.avatar_url,
            // With a roster both are the roster's.
            owner: line.owner_without_roster.map(|owner| *owner.key()),
            member_count: 0,
            last_epoch: line.last_epoch,
            last_event_s: line.last_event_ts,
            relays: line.relays.map_or_else(Vec::new, Relays::list),
            created_at_s: line.created_at,
            updated_at_s: line.updated_at.unwrap_or(line.created_at),
        };
        Ok((group, roster))
    }

    /// The roster that the line tells of. A group that names its owner has one.
    fn roster(&self) -> Result<Option<Roster>, String> {
        let mut members = BTreeMap::new();
        for member in self.members.iter().flatten() {
            let (key, role) = member.read()?;
            let known = members.entry(key).or_insert(role);
            *known = role.max(*known);
        }
        if let Some(owner) = self.owner_pubkey {
            members.insert(*owner.key(), Role::Owner);
        }
        if self.members.is_none() && members.is_empty() {
            return match (self.roster_seq, &self.roster_event) {
                (None, None) => Ok(None),
                _ => Err("roster_seq and roster_event need members".to_owned()),
            };
        }
        if !members.values().any(|role| *role == Role::Owner) {
            return Err("members without an owner: owner_pubkey must name one".to_owned());
        }
        let event = self.roster_event.as_deref().map(EventId::from_hex);
        let event = event
            .transpose()
            .map_err(|_| "roster_event must be 64 hex digits")?;
        Ok(Some(Roster {
            members,
            seq: self.roster_seq.unwrap_or(0),
            event,
            earlier: Vec::new(),
        }))
    }

    /// The line of a group.
    pub(in crate::commands) fn of(group: Group, roster: Option<&Roster>) -> Self {
        let named = |(key, role): (&_, &Role)| MemberLine::Named {
            pubkey: Pubkey::from(*key),
            role: role.as_str().to_owned(),
        };
        GroupLine {
            group_id: group.group_id,
            display_name: group.display_name,
            avatar_url: group.avatar_url,
            owner_pubkey: group.owner.filter(|_| roster.is_some()).map(Pubkey::from),
            owner_without_roster: group.owner.filter(|_| roster.is_none()).map(Pubkey::from),
            last_epoch: group.last_epoch,
            last_event_ts: group.last_event_s,
            relays: (!group.relays.is_empty()).then_some(Relays::List(group.relays)),
            created_at: group.created_at_s,
            updated_at: Some(group.updated_at_s),
            members: roster.map(|roster| roster.members.iter().map(named).collect()),
            roster_seq: roster.map(|roster| roster.seq),
            roster_event: roster.and_then(|roster| Some(roster.event?.to_hex())),
        }
    }
}

impl MemberLine {
    fn read(&self) -> Result<(trellis_relay::event::PublicKey, Role), String> {
        match self {
            MemberLine::Key(pubkey) => Ok((*pubkey.key(), Role::Member)),
            MemberLine::Named { pubkey, role } => match Role::parse(role) {
                Some(role) => Ok((*pubkey.key(), role)),
                None => Err(format!(
                    "role: found {role:?}, wanted member, admin or owner"
                )),
            },
        }
    }
}

impl Relays {
    fn list(self) -> Vec<String> {
        let text = match self {
            Relays::List(list) => return list,
            Relays::Text(text) => text,
        };
        serde_json::from_str(&text).unwrap_or_else(|_| {
            let words = text.split([',', ' ']).filter(|word| !word.is_empty());
            words.map(str::to_owned).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;
    use trellis_relay::testing::Author;

    fn read(line: serde_json::Value) -> Result<(Group, Option<Roster>), String> {
        GroupLine::read(line.to_string().as_bytes())
    }

    #[test]
    fn m32_a_row_of_the_old_table_is_read() {
        let owner = Author::new(1).pubkey();
        let row = json!({
            "group_id": "grp_abc", "display_name": "Team", "avatar_url": null, "owner_pubkey": owner.to_hex(),
            "last_epoch": 7, "last_event_ts": 1_700_000_000, "relays": "[\"wss://a\",\"wss://b\"]",
            "created_at": 1_600_000_000, "updated_at": 1_650_000_000,
        });
        let (group, roster) = read(row).unwrap();
        assert_eq!(group.relays, ["wss://a", "wss://b"]);
        assert_eq!(
            (group.last_epoch, group.created_at_s),
            (Some(7), 1_600_000_000)
        );
        assert_eq!(roster, Some(Roster::of_owner(owner)));
        let (group, roster) =
            read(json!({"group_id": "g", "created_at": 5, "relays": "wss://a, wss://b"})).unwrap();
        assert_eq!((group.updated_at_s, roster), (5, None));
        assert_eq!(group.relays, ["wss://a", "wss://b"]);
    }

    #[test]
    fn m32_a_line_that_was_written_reads_the_same() {
        let (owner, member) = (Author::new(1).pubkey(), Author::new(2).pubkey());
        let event = *Author::new(3).note("a roster event").id();
        let roster = Roster {
            members: BTreeMap::from([(owner, Role::Owner), (member, Role::Admin)]),
            seq: 9,
            event: Some(event),
            earlier: Vec::new(),
        };
        let group = Group {
            group_id: "g".to_owned(),
            display_name: Some("ünïcödé\n".to_owned()),
            last_epoch: Some(u64::MAX),
            owner: Some(owner),
            member_count: 2,
            relays: vec!["wss://a".to_owned()],
            created_at_s: 1,
            updated_at_s: 2,
            ..Group::default()
        };
        let line = serde_json::to_vec(&GroupLine::of(group.clone(), Some(&roster))).unwrap();
        let (read, read_roster) = GroupLine::read(&line).unwrap();
        assert_eq!(read_roster, Some(roster));
        let without_roster = Group {
            owner: None,
            member_count: 0,
            ..group
        };
        assert_eq!(read, without_roster);
    }

    #[test]
    fn m32_an_owner_without_a_roster_is_written_and_read_and_makes_none() {
        let group = Group {
            group_id: "g".to_owned(),
            owner: Some(Author::new(1).pubkey()),
            created_at_s: 1,
            updated_at_s: 2,
            ..Group::default()
        };
        let line = serde_json::to_vec(&GroupLine::of(group.clone(), None)).unwrap();
        assert_eq!(GroupLine::read(&line), Ok((group, None)));
    }

    #[test]
    fn m32_what_is_wrong_with_a_group_is_told() {
        let key = Author::new(1).pubkey().to_hex();
        for (line, said) in [
            (json!({"created_at": 1}), "group_id"),
            (json!({"group_id": "", "created_at": 1}), "0 bytes"),
            (json!({"group_id": "g"}), "created_at"),
            (
                json!({"group_id": "g", "created_at": 1_700_000_000_000_u64}),
                "milliseconds",
            ),
            (
                json!({"group_id": "g", "created_at": 1, "owner": key}),
                "unknown field",
            ),
            (
                json!({"group_id": "g", "created_at": 1, "owner_pubkey": "alice"}),
                "public key",
            ),
            (
                json!({"group_id": "g", "created_at": 1, "members": [key]}),
                "without an owner",
            ),
            (
                json!({"group_id": "g", "created_at": 1, "members": [{"pubkey": key, "role": "boss"}]}),
                "boss",
            ),
            (
                json!({"group_id": "g", "created_at": 1, "roster_seq": 3}),
                "need members",
            ),
            (
                json!({"group_id": "g", "created_at": 1, "owner_without_roster": key, "members": [{"pubkey": key, "role": "owner"}]}),
                "beside",
            ),
            (json!([]), "invalid"),
        ] {
            let wrong = read(line.clone()).unwrap_err();
            assert!(wrong.contains(said), "{line}: {wrong}");
        }
    }
}
