//! A community as far as rooms need it: its definition, and who is on its lists.

use super::definition::{Access, Definition};
use crate::operator::Operator;
use std::collections::HashSet;
use trellis_relay::event::Address;
use trellis_relay::extension::prelude::*;

/// A community whose lists have been read.
#[derive(Debug)]
pub(super) struct Community {
    key: PublicKey,
    operators: Vec<String>,
    members: Members,
}

/// Whom it admits beside itself.
#[derive(Debug)]
enum Members {
    Nobody,
    Everybody,
    Listed(HashSet<PublicKey>),
}

/// Why somebody may have nothing to do with the rooms of a community.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// This operator does not serve it.
    NotServed,
    /// Nothing is known of it.
    Unknown,
    /// It names another operator, or none.
    OtherOperator,
    /// Who asks is no member.
    Stranger,
}

impl Community {
    /// `definition` is of its kind, `lists` are those that it names, as far as they are there. At most so many members count.
    pub(super) fn of<'e>(
        definition: &Event,
        lists: impl IntoIterator<Item = &'e Event>,
        members_max: usize,
    ) -> Self {
        let Definition { operators, access } = Definition::of(definition);
        let members = match access {
            Access::Nobody => Members::Nobody,
            Access::Everybody => Members::Everybody,
            Access::Listed(_) => {
                let listed = lists.into_iter().flat_map(|list| {
                    let keys = list.tag_values(b'p').collect::<Vec<_>>();
                    keys.into_iter()
                        .filter_map(|key| PublicKey::from_hex(&key).ok())
                });
                let mut members = HashSet::new();
                for member in listed {
                    if members.len() >= members_max {
                        tracing::warn!(
                            members_max,
                            "a community has more members than are kept: bounds.community_members"
                        );
                        break;
                    }
                    members.insert(member);
                }
                Members::Listed(members)
            }
        };
        Community {
            key: *definition.pubkey(),
            operators,
            members,
        }
    }

    /// How many keys it holds.
    pub(super) fn weight(&self) -> usize {
        match &self.members {
            Members::Listed(members) => 1 + members.len(),
            Members::Nobody | Members::Everybody => 1,
        }
    }

    /// Whether somebody belongs to it, and it to this operator.
    pub(super) fn judge(&self, operator: &Operator, who: &PublicKey) -> Result<(), Refusal> {
        if !operator.is_named_by(self.operators.iter().map(String::as_str)) {
            return Err(Refusal::OtherOperator);
        }
        let belongs = *who == self.key
            || match &self.members {
                Members::Nobody => false,
                Members::Everybody => true,
                Members::Listed(members) => members.contains(who),
            };
        match belongs {
            true => Ok(()),
            false => Err(Refusal::Stranger),
        }
    }
}

/// The lists that a definition names for rooms.
pub(super) fn lists_of(definition: &Event) -> Vec<Address> {
    match Definition::of(definition).access {
        Access::Listed(lists) => lists,
        Access::Nobody | Access::Everybody => Vec::new(),
    }
}
