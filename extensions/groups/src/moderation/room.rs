//! Room for users: memory holds those of all groups.
//!
//! Invariant: nobody takes all of it. The groups of one founder have a share, and what admins do to people who have not asked
//! leaves a part to those who join and found groups themselves ([`Rules::max_users_by_others`]).

use crate::rules::Rules;
use crate::state::{Refusal, State};
use trellis_relay::extension::prelude::*;

/// Whether a group of this founder may have so many users more, where all groups may have `max_users`.
pub(crate) fn must_have_room(
    new_users: u64,
    max_users: u64,
    founder: Option<&PublicKey>,
    state: &State<'_>,
    rules: &Rules,
) -> Result<(), Refusal> {
    if new_users == 0 {
        return Ok(());
    }
    if state.counts()?.users + new_users > max_users {
        let text = "the groups of this relay have as many users as it takes";
        return Err(Reason::restricted(text).into());
    }
    // The operator's people are not bounded.
    let founder = founder.filter(|founder| !rules.is_above_groups(founder));
    let taken = founder.map_or(Ok(0), |founder| state.users_of_founder(founder))?;
    if founder.is_some() && taken + new_users > rules.max_users_per_founder {
        let text = "the groups that one person has founded have as many users as this relay takes";
        return Err(Reason::restricted(text).into());
    }
    Ok(())
}
