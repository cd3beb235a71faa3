//! Whose groups are whose, as everywhere in the gateway: by the directory, and where that cannot tell, nobody's.

use crate::MlsGateway;
use crate::directory::{Known, Unreadable};
use crate::roster::Roster;
use crate::watch::{self, Stage};
use std::sync::Arc;
use trellis_relay::extension::prelude::*;

/// The groups that this key is a member of. None where a server of the operator's says who is in a group, since that does
/// not say which groups there are.
pub(super) async fn groups_of(
    me: &MlsGateway,
    pubkey: &PublicKey,
) -> Result<Vec<String>, ApiError> {
    let groups = me.load_groups_of(pubkey).await?;
    // What was loaded may have changed meanwhile.
    let is_member = |group_id: &&String| match me.directory.get(group_id) {
        Some(Known::Managed(roster)) => roster.has_any(&[*pubkey]),
        Some(Known::Unmanaged) | None => false,
    };
    Ok(groups.iter().filter(is_member).cloned().collect())
}

/// The roster of a group that this key is a member of.
pub(super) async fn roster_for(
    me: &MlsGateway,
    pubkey: &PublicKey,
    group_id: &str,
) -> Result<Option<Arc<Roster>>, ApiError> {
    Ok(match me.know_group(group_id).await? {
        Known::Managed(roster) => roster.has_any(&[*pubkey]).then_some(roster),
        Known::Unmanaged => None,
    })
}

/// Whether this key may read the messages of a group that it names: as a member, or, where there is no roster, because to
/// know its id is the right.
pub(super) async fn may_read(
    me: &MlsGateway,
    pubkey: &PublicKey,
    group_id: &str,
) -> Result<bool, ApiError> {
    Ok(match me.know_group(group_id).await? {
        Known::Managed(roster) => roster.has_any(&[*pubkey]),
        Known::Unmanaged => me.is_open(group_id),
    })
}

impl From<Unreadable> for ApiError {
    fn from(_: Unreadable) -> Self {
        watch::failed(Stage::Rest, None);
        ApiError::unavailable("the relay could not do this now; try again later")
    }
}
