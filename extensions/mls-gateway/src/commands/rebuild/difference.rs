//! What is different between two rosters, in words. Pure.

use crate::roster::{Role, Roster};
use std::collections::BTreeSet;
use trellis_relay::event::PublicKey;

/// One line for each member that differs, and one for the sequence.
pub(super) fn difference(before: Option<&Roster>, after: &Roster) -> Vec<String> {
    let role = |key: &PublicKey| before.and_then(|roster| roster.members.get(key).copied());
    let keys: BTreeSet<&PublicKey> = before
        .into_iter()
        .flat_map(|roster| roster.members.keys())
        .chain(after.members.keys())
        .collect();
    let mut lines: Vec<String> = keys
        .into_iter()
        .filter_map(|key| line(key, role(key), after.members.get(key).copied()))
        .collect();
    let (seq, event) = before.map_or((0, None), |roster| (roster.seq, roster.event));
    if (seq, event) != (after.seq, after.event) {
        lines.push(format!("seq {seq} -> {}", after.seq));
    }
    lines
}

fn line(key: &PublicKey, before: Option<Role>, after: Option<Role>) -> Option<String> {
    let key = key.to_hex();
    match (before, after) {
        (None, Some(role)) => Some(format!("+ {key} {}", role.as_str())),
        (Some(role), None) => Some(format!("- {key} {}", role.as_str())),
        (Some(before), Some(after)) if before != after => {
            Some(format!("~ {key} {} -> {}", before.as_str(), after.as_str()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use trellis_relay::testing::Author;

    #[test]
    fn m32_differences_name_who_comes_who_goes_and_who_changes() {
        let [a, b, c] = [1, 2, 3].map(|number| Author::new(number).pubkey());
        let roster = |members: &[(PublicKey, Role)], seq| Roster {
            members: members.iter().copied().collect::<BTreeMap<_, _>>(),
            seq,
            event: None,
            earlier: Vec::new(),
        };
        let before = roster(&[(a, Role::Owner), (b, Role::Member)], 3);
        assert!(difference(Some(&before), &before).is_empty());
        let after = roster(&[(a, Role::Admin), (c, Role::Member)], 4);
        let mut lines = difference(Some(&before), &after);
        let seq = lines.pop();
        assert_eq!(seq.as_deref(), Some("seq 3 -> 4"));
        lines.sort_unstable();
        let wanted = [
            format!("+ {} member", c.to_hex()),
            format!("- {} member", b.to_hex()),
            format!("~ {} owner -> admin", a.to_hex()),
        ];
        assert_eq!(lines, wanted);
        assert_eq!(difference(None, &after).len(), 3);
    }
}
