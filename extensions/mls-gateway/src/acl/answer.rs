//! What the server answers: `{"members": [...], "admins": [...]}`, or the members' list alone. Keys are hex or npub.

use super::AclError;
use crate::roster::{Role, Roster};
use serde::Deserialize;
use std::collections::BTreeMap;
use trellis_relay::extension::Pubkey;

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Named {
        members: Vec<Pubkey>,
        /// They are members, whether `members` names them or not.
        #[serde(default)]
        admins: Vec<Pubkey>,
    },
    List(Vec<Pubkey>),
}

/// The roster of a group that there is not.
pub(super) fn nobody() -> Roster {
    Roster {
        members: BTreeMap::new(),
        seq: 0,
        event: None,
        earlier: Vec::new(),
    }
}

/// The roster that an answer tells of.
pub(super) fn read(body: &[u8]) -> Result<Roster, AclError> {
    let wanted =
        "something else than {\"members\": [...], \"admins\": [...]} or a list of public keys";
    let answer = serde_json::from_slice(body).map_err(|_| AclError::Answer(wanted))?;
    let (members, admins) = match answer {
        Answer::Named { members, admins } => (members, admins),
        Answer::List(members) => (members, Vec::new()),
    };
    let members = members.iter().map(|key| (*key.key(), Role::Member));
    let admins = admins.iter().map(|key| (*key.key(), Role::Admin));
    Ok(Roster {
        members: members.chain(admins).collect(),
        seq: 0,
        event: None,
        earlier: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;
    use trellis_relay::testing::Author;

    const NPUB: &str = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg";

    #[test]
    fn m35_members_and_admins_are_read_in_either_form() {
        let (alice, bob) = (Author::new(1).pubkey(), Author::new(2).pubkey());
        let read = |value: serde_json::Value| read(value.to_string().as_bytes());
        let list = read(json!([alice.to_hex(), NPUB])).unwrap();
        assert_eq!(list.members.len(), 2);
        assert_eq!(list.members[&alice], Role::Member);
        let named = json!({"members": [alice.to_hex()], "admins": [bob.to_hex()], "more": 1});
        let named = read(named).unwrap();
        assert_eq!(named.members[&alice], Role::Member);
        assert_eq!(named.members[&bob], Role::Admin);
        let both = json!({"members": [alice.to_hex()], "admins": [alice.to_hex()]});
        assert_eq!(read(both).unwrap().members[&alice], Role::Admin);
        assert!(read(json!({"members": []})).unwrap().members.is_empty());
    }

    #[test]
    fn m35_what_is_no_list_of_keys_is_no_empty_group() {
        for wrong in [
            "",
            "{}",
            "null",
            "[1]",
            "{\"members\":null}",
            "[\"alice\"]",
            "<html>",
        ] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
