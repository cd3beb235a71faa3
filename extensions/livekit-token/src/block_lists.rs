//! Who wants nothing to do with whom: the public keys on block lists (kind 10006).
//!
//! Invariant: what is not 64 hex digits is no public key (NIP-51 has relays on lists of this kind), lists of mutes (10000)
//! are private and never read, and a list that cannot be read is an error and never an empty one.

use std::collections::HashSet;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

const BLOCK_LIST: u16 = 10_006;

/// What stands between somebody and those who are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocked {
    /// Nothing.
    No,
    /// They blocked somebody who is there, and are told.
    WarnsOf,
    /// Somebody who is there blocked them.
    By,
}

/// Looks whether somebody may be with those who are there.
pub(crate) async fn between(
    host: &Host,
    who: &PublicKey,
    present: &HashSet<PublicKey>,
) -> Result<Blocked, StoreError> {
    // Somebody who joins once more is no stranger to themselves.
    let others: Vec<&PublicKey> = present.iter().filter(|it| *it != who).collect();
    if others.is_empty() {
        return Ok(Blocked::No);
    }
    let authors: Vec<PublicKey> = others.iter().copied().chain([who]).copied().collect();
    let lists = host.query(Filter {
        limit: Some(authors.len()),
        authors: Some(authors),
        kinds: Some(vec![BLOCK_LIST]),
        ..Filter::default()
    });
    let lists = lists.await?;
    let (own, theirs): (Vec<_>, Vec<_>) = lists.iter().partition(|list| list.pubkey() == who);
    let who = who.to_hex();
    if theirs
        .iter()
        .any(|list| blocks(list, |key| key.eq_ignore_ascii_case(&who)))
    {
        return Ok(Blocked::By);
    }
    let is_there = |key: &str| {
        PublicKey::from_hex(&key.to_ascii_lowercase()).is_ok_and(|key| present.contains(&key))
    };
    match own.iter().any(|list| blocks(list, is_there)) {
        true => Ok(Blocked::WarnsOf),
        false => Ok(Blocked::No),
    }
}

fn blocks(list: &Event, is_meant: impl Fn(&str) -> bool) -> bool {
    let mut keys = list.tag_values(b'p');
    keys.any(|key| key.len() == 64 && is_meant(&key))
}
