//! How many users the groups of one founder have together: each founder has a share of the room that there is for all.
//!
//! Invariant: a row changes with the group that it counts, in the same transaction; without users there is no row.

use super::{FOUNDED, Refusal, State};
use crate::group::Group;
use trellis_relay::event::PublicKey;

impl State<'_> {
    /// Members and removed users of the groups that somebody has founded.
    pub(crate) fn users_of_founder(&self, founder: &PublicKey) -> Result<u64, Refusal> {
        let row = self.rows.get(&share_key(founder))?.unwrap_or_default();
        Ok(row.try_into().map_or(0, u64::from_be_bytes))
    }

    /// A group takes the place of what it was. One that is gone counts for nobody.
    pub(super) fn count_for_founder(
        &mut self,
        before: Option<&Group>,
        after: &Group,
    ) -> Result<(), Refusal> {
        let founder = before.and_then(|group| group.founder).or(after.founder);
        let (had, has) = (before.map_or(0, Group::users), after.users());
        let Some(founder) = founder.filter(|_| had != has) else {
            return Ok(());
        };
        let users = (self.users_of_founder(&founder)? + has).saturating_sub(had);
        let row = (users > 0).then(|| users.to_be_bytes().to_vec());
        Ok(self.rows.set(&share_key(&founder), row)?)
    }
}

fn share_key(founder: &PublicKey) -> Vec<u8> {
    [&[FOUNDED], &founder.as_bytes()[..]].concat()
}
