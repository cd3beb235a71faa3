//! Who acts on a group, and what they may do.

use crate::group::{Staff, Standing};
use crate::roles::{Right, Rights};
use crate::rules::Rules;
use crate::state::{Refusal, State};
use trellis_relay::extension::prelude::*;

/// The author of an event, as a group sees them.
pub(crate) struct Actor {
    pub(crate) standing: Option<Standing>,
    pub(crate) rights: Rights,
    /// The relay, one of the operator's people, or an event that was judged before.
    pub(crate) is_above_groups: bool,
}

impl Actor {
    pub(crate) fn of(
        pubkey: &PublicKey,
        id: &str,
        state: &State<'_>,
        rules: &Rules,
    ) -> Result<Self, Refusal> {
        let is_above_groups = rules.is_above_groups(pubkey) || rules.is_replay;
        let rights = match is_above_groups {
            true => Rights::all(),
            false => {
                let staff = state.staff(id)?;
                rules
                    .roles
                    .rights_of(staff.get(pubkey).into_iter().flatten())
            }
        };
        Ok(Actor {
            standing: state.standing(id, pubkey)?,
            rights,
            is_above_groups,
        })
    }

    /// Whether a hidden group need not be hidden from them.
    pub(crate) fn knows_of_group(&self) -> bool {
        self.is_above_groups || self.standing == Some(Standing::Member)
    }
}

/// How many can add users and give roles: without one of them a group is lost.
pub(crate) fn keepers(staff: &Staff, rules: &Rules) -> usize {
    let may_put = |roles: &&Vec<String>| rules.roles.rights_of(*roles).has(Right::PutUser);
    staff.values().filter(may_put).count()
}
