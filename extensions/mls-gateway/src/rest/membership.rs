//! Whose groups are whose, as the database has it at this moment: what another instance wrote counts at once, and where the
//! database does not answer nobody is a member.

use crate::MlsGateway;
use crate::config::UnmanagedGroups;
use trellis_relay::extension::prelude::*;

/// The groups with a roster that this key is in.
pub(super) async fn groups_of(
    me: &MlsGateway,
    pubkey: &PublicKey,
) -> Result<Vec<String>, ApiError> {
    Ok(me.storage.groups_of(pubkey).await?)
}

/// Whether this key is a member of a group with a roster.
pub(super) async fn is_member(
    me: &MlsGateway,
    pubkey: &PublicKey,
    group_id: &str,
) -> Result<bool, ApiError> {
    let rosters = me.storage.rosters(&[group_id.to_owned()]).await?;
    Ok(rosters
        .iter()
        .any(|(_, found)| found.roster.has_any(&[*pubkey])))
}

/// Whether this key may read the messages of a group that it names: as a member, or, where there is no roster, because to
/// know an id of 64 hex digits is the right (`unmanaged_groups`).
pub(super) async fn may_read(
    me: &MlsGateway,
    pubkey: &PublicKey,
    group_id: &str,
) -> Result<bool, ApiError> {
    let rosters = me.storage.rosters(&[group_id.to_owned()]).await?;
    Ok(match rosters.first() {
        Some((_, found)) => found.roster.has_any(&[*pubkey]),
        None => {
            let are_open = me.settings.unmanaged_groups != UnmanagedGroups::Deny;
            are_open && is_capability(group_id)
        }
    })
}

/// An id that nobody guesses.
fn is_capability(group_id: &str) -> bool {
    group_id.len() == 64 && group_id.bytes().all(|byte| byte.is_ascii_hexdigit())
}
