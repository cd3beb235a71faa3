//! What is stored beside the events: `invite/CODE` with how often it can be redeemed yet, and `member/PUBKEY` with the id
//! of the join request.

use crate::USES_MAX;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashSet;
use trellis_relay::extension::CommitError;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

const INVITE: &[u8] = b"invite/";
const MEMBER: &[u8] = b"member/";
/// Longer codes are none of ours, and would not fit into a key.
const CODE_BYTES_MAX: usize = 64;
/// Rows read at a time.
const PAGE: usize = 1_000;

/// An invite that is open.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Invite {
    /// What the join request names.
    pub(crate) code: String,
    /// How many people can redeem it yet.
    pub(crate) uses: u32,
}

/// Redeems the invite that a join request names: why not, or nothing. The rows are written with the request or not at all.
pub(crate) fn redeem(
    request: &Event,
    tx: &mut CommitTx<'_>,
) -> Result<Option<Reason>, CommitError> {
    let member = member_key(request.pubkey());
    if tx.get(&member)?.is_some() {
        return Ok(Some(Reason::blocked("you are a member already")));
    }
    let code = request.first_tag_value("code").unwrap_or_default();
    let left = match code.len() <= CODE_BYTES_MAX {
        true => tx
            .get(&invite_key(&code))?
            .and_then(|uses| read_uses(&uses)),
        false => None,
    };
    let text = "this invite is unknown or used up; ask for another";
    match left {
        None | Some(0) => return Ok(Some(Reason::restricted(text))),
        Some(1) => tx.delete(&invite_key(&code))?,
        Some(uses) => tx.put(&invite_key(&code), (uses - 1).to_be_bytes())?,
    }
    tx.put(&member, *request.id().as_bytes())?;
    Ok(None)
}

impl Invite {
    pub(crate) async fn save(&self, host: &Host) -> Result<(), StoreError> {
        let uses = self.uses.min(USES_MAX).to_be_bytes().to_vec();
        host.kv_put(&invite_key(&self.code), Some(uses)).await
    }

    /// At most `max` invites whose codes come after `after`.
    pub(crate) async fn list(
        host: &Host,
        after: Option<&[u8]>,
        max: usize,
    ) -> Result<Vec<Invite>, StoreError> {
        let after = after.map(|code| [INVITE, code].concat());
        let rows = host.kv_scan(INVITE, after.as_deref(), max).await?;
        let invites = rows.iter().filter_map(|(key, uses)| {
            let code = String::from_utf8_lossy(key.strip_prefix(INVITE)?);
            let (code, uses) = (code.into_owned(), read_uses(uses)?);
            Some(Invite { code, uses })
        });
        Ok(invites.collect())
    }

    /// Whether there was one.
    pub(crate) async fn withdraw(host: &Host, code: &str) -> Result<bool, StoreError> {
        let key = invite_key(code);
        let was_there = code.len() <= CODE_BYTES_MAX && host.kv_get(&key).await?.is_some();
        if was_there {
            host.kv_put(&key, None).await?;
        }
        Ok(was_there)
    }
}

/// Whether somebody is a member by this join request.
pub(crate) async fn has_joined_by(
    host: &Host,
    pubkey: &PublicKey,
    request: &EventId,
) -> Result<bool, StoreError> {
    let row = host.kv_get(&member_key(pubkey)).await?;
    Ok(row.is_some_and(|joined_by| joined_by == request.as_bytes()))
}

/// Forgets somebody whose join request is gone, unless they have joined again by another; whether they are no member now.
pub(crate) async fn forget_member(
    host: &Host,
    pubkey: &PublicKey,
    request: &EventId,
) -> Result<bool, StoreError> {
    let key = member_key(pubkey);
    match host.kv_get(&key).await? {
        Some(joined_by) if joined_by != request.as_bytes() => return Ok(false),
        Some(_) => host.kv_put(&key, None).await?,
        None => {}
    }
    Ok(true)
}

pub(crate) async fn all_members(host: &Host) -> Result<HashSet<PublicKey>, StoreError> {
    let mut members = HashSet::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let rows = host.kv_scan(MEMBER, after.as_deref(), PAGE).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(members);
        };
        after = Some(last.clone());
        members.extend(rows.iter().filter_map(|(key, _)| {
            let pubkey = key.strip_prefix(MEMBER)?.try_into().ok()?;
            Some(PublicKey::from_byte_array(pubkey))
        }));
    }
}

fn invite_key(code: &str) -> Vec<u8> {
    [INVITE, code.as_bytes()].concat()
}

fn member_key(pubkey: &PublicKey) -> Vec<u8> {
    [MEMBER, pubkey.as_bytes()].concat()
}

fn read_uses(row: &[u8]) -> Option<u32> {
    row.try_into().map(u32::from_be_bytes).ok()
}
