//! Places of nodes, taken in the transaction that stores a report: memory follows the commits and would let in, until it has,
//! more than there is room for, and a second key under one name.
//!
//! Invariant: what is stored fits the bounds, in whatever order it is read again. Who is listed has a place that nobody else
//! can take. Places are given up when the operator removes the reports that took them.

use crate::admission::Refused;
use crate::fields;
use std::collections::{BTreeMap, BTreeSet};
use trellis_qube_protocol::{
    Ack, Digest, Identity, IdentityRefusal, KIND_ACK, Network, NetworkId, Pubkey,
};
use trellis_relay::extension::CommitError;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

/// Reports that may say that they were signed in one second. A query of the store gives 10,000 events at most, and could not go
/// on within a second that has more.
const OF_A_SECOND_MAX: u64 = 9_000;
/// Places of one key that are looked at when some are given up, more than it can have.
const PLACES_MAX: usize = 10_001;
/// Events of one query.
const PAGE: usize = 10_000;

/// A place of somebody whom the operator has listed, and of somebody else.
const LISTED: u8 = 0;
const STRANGER: u8 = 1;

/// Takes a place for a report, if it needs a new one. Its form and its network have been looked at.
pub(crate) fn claim(
    networks: &BTreeMap<NetworkId, Network>,
    ack: &Ack,
    tx: &mut CommitTx<'_>,
) -> Result<Result<(), Refused>, CommitError> {
    let Some(network) = networks.get(&ack.report.network) else {
        return Ok(Ok(()));
    };
    let second = second_key(ack.created_at);
    let signed = number(tx.get(&second)?);
    if signed >= OF_A_SECOND_MAX {
        let text = "too many reports say that they were signed in this second: sign another";
        return Ok(Err(Refused::too_many(text)));
    }
    tx.put(&second, (signed + 1).to_be_bytes())?;
    Ok(place(network, ack, tx)?.map_err(Refused::from))
}

fn place(
    network: &Network,
    ack: &Ack,
    tx: &mut CommitTx<'_>,
) -> Result<Result<(), IdentityRefusal>, CommitError> {
    let name = &ack.report.node_id;
    let listed = network.nodes.get(name);
    let is_listed_key = listed == Some(&Some(ack.node));
    if network.identity == Identity::Registry && !is_listed_key && listed != Some(&None) {
        // Those who are no longer listed take no place and count for nothing: admission refuses new ones.
        return Ok(Ok(()));
    }
    let hash = Digest::of(name.as_str().as_bytes());
    let first = first_key(network, &hash);
    let is_named = network.identity == Identity::Tofu || listed == Some(&None);
    let owner = match is_named {
        true => tx.get(&first)?,
        false => None,
    };
    let is_taken = owner.as_ref().is_some_and(|key| key != ack.node.as_bytes());
    if network.identity == Identity::Tofu && is_taken {
        return Ok(Err(IdentityRefusal::OtherKey));
    }
    if is_named && owner.is_none() {
        tx.put(&first, *ack.node.as_bytes())?;
    }
    let place = place_key(network, &ack.node, &hash);
    if tx.get(&place)?.is_some() {
        return Ok(Ok(()));
    }
    let of_key = of_key_key(network, &ack.node);
    let count = number(tx.get(&of_key)?);
    if !is_listed_key && count >= network.max_node_ids_per_pubkey as u64 {
        return Ok(Err(IdentityRefusal::TooManyOfKey));
    }
    let is_stranger = !is_listed_key && (listed != Some(&None) || owner.is_some());
    if is_stranger {
        let all = strangers_key(network);
        let strangers = number(tx.get(&all)?);
        if strangers >= network.max_strangers() as u64 {
            return Ok(Err(IdentityRefusal::TooManyNodes));
        }
        tx.put(&all, (strangers + 1).to_be_bytes())?;
    }
    tx.put(&of_key, (count + 1).to_be_bytes())?;
    tx.put(&place, [if is_stranger { STRANGER } else { LISTED }])?;
    Ok(Ok(()))
}

/// Gives up the places of a key for which no report of it is stored any more.
pub(crate) async fn release(
    host: &Host,
    networks: impl Iterator<Item = &Network>,
    author: &PublicKey,
) -> Result<(), StoreError> {
    let filter = Filter {
        authors: Some(vec![*author]),
        kinds: Some(vec![KIND_ACK]),
        limit: Some(PAGE),
        ..Filter::default()
    };
    let events = host.query(filter).await?;
    if events.len() == PAGE {
        return Ok(());
    }
    let kept: BTreeSet<(String, Digest)> = events
        .iter()
        .filter_map(|event| fields::ack(event).ok())
        .map(|ack| (ack.report.network, ack.report.node_id))
        .map(|(network, name)| (network.to_string(), Digest::of(name.as_str().as_bytes())))
        .collect();
    let key = Pubkey::from_bytes(*author.as_bytes());
    for network in networks {
        let prefix = places_of(network, &key);
        let (mut count, mut given_up, mut strangers) = (0_u64, 0_u64, 0_u64);
        for (row, value) in host.kv_scan(&prefix, None, PLACES_MAX).await? {
            count += 1;
            let hash = row.strip_prefix(&*prefix).and_then(|it| it.try_into().ok());
            let hash = Digest::from_bytes(hash.unwrap_or_default());
            if kept.contains(&(network.id.to_string(), hash)) {
                continue;
            }
            given_up += 1;
            strangers += u64::from(value == [STRANGER]);
            let first = first_key(network, &hash);
            if host.kv_get(&first).await?.as_deref() == Some(key.as_bytes().as_slice()) {
                host.kv_put(&first, None).await?;
            }
            host.kv_put(&row, None).await?;
        }
        if given_up == 0 {
            continue;
        }
        let left = count - given_up;
        let row = Some(left.to_be_bytes().to_vec());
        host.kv_put(&of_key_key(network, &key), row).await?;
        // A place that somebody takes between these two is not counted, which is one more than the bound and no more.
        let all = strangers_key(network);
        let left = number(host.kv_get(&all).await?).saturating_sub(strangers);
        host.kv_put(&all, Some(left.to_be_bytes().to_vec())).await?;
    }
    Ok(())
}

fn number(row: Option<Vec<u8>>) -> u64 {
    row.and_then(|row| row.try_into().ok())
        .map_or(0, u64::from_be_bytes)
}

fn second_key(created_at: u64) -> Vec<u8> {
    [b"second/".as_slice(), &created_at.to_be_bytes()].concat()
}

/// The key that reported first under a name.
fn first_key(network: &Network, name: &Digest) -> Vec<u8> {
    let prefix = format!("first/{}/", network.id);
    [prefix.as_bytes(), name.as_bytes()].concat()
}

/// Where the places of a key are.
fn places_of(network: &Network, key: &Pubkey) -> Vec<u8> {
    let prefix = format!("place/{}/", network.id);
    [prefix.as_bytes(), key.as_bytes()].concat()
}

fn place_key(network: &Network, key: &Pubkey, name: &Digest) -> Vec<u8> {
    [places_of(network, key).as_slice(), name.as_bytes()].concat()
}

fn of_key_key(network: &Network, key: &Pubkey) -> Vec<u8> {
    let prefix = format!("places_of/{}/", network.id);
    [prefix.as_bytes(), key.as_bytes()].concat()
}

fn strangers_key(network: &Network) -> Vec<u8> {
    format!("strangers/{}", network.id).into_bytes()
}
