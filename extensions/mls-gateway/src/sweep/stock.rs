//! Asks owners for more KeyPackages before they run out (447), in the relay's own name and at most once a day each.
//!
//! The request itself, in the store, says when its owner was asked last. Not here: who else may ask (`publishing`).

use crate::MlsGateway;
use crate::kinds::KEY_PACKAGE_REQUEST;
use crate::shorten::Short;
use crate::storage::{Page, StorageError};
use std::collections::{BTreeMap, HashMap};
use trellis_relay::extension::prelude::*;
use trellis_relay::nostr::event::{EventBuilder, Kind, Tag};
use trellis_relay::store::StoreError;

/// An owner is asked once in so many seconds.
pub(super) const ASK_EVERY_S: u64 = 86_400;
const PAGE_OWNERS: usize = 500;

/// Why the stock could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(super) enum StockError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Asks every owner who will have fewer than `keypackage_low_stock` tomorrow: packages that were made together end together,
/// and one who has none left is not in the stock any more.
pub(super) async fn ask_for_more(me: &MlsGateway, now_s: u64) -> Result<(), StockError> {
    let Some(mark) = me.settings.keypackage_low_stock else {
        return Ok(());
    };
    let mark = mark as u64;
    // Where packages live for less than that, everybody would run out tomorrow.
    let ahead_s = ASK_EVERY_S.min(me.settings.keypackage_ttl_s / 2);
    let mut after = None;
    loop {
        let page = Page {
            after: after.as_deref(),
            max: PAGE_OWNERS,
        };
        let today = me.storage.stock(now_s, page).await?;
        // Who has some tomorrow has some today, so these are no more and no others.
        let tomorrow = me.storage.stock(now_s + ahead_s, page).await?;
        let tomorrow: HashMap<_, _> = tomorrow.into_iter().map(|it| (it.owner, it.live)).collect();
        for owner in today.iter().map(|it| it.owner) {
            let live = tomorrow.get(&owner).copied().unwrap_or(0);
            if live < mark {
                ask(me, &owner, mark - live, now_s).await?;
            }
        }
        match today.last() {
            Some(last) if today.len() == PAGE_OWNERS => after = Some(last.owner.to_hex()),
            _ => return Ok(()),
        }
    }
}

/// Publishes a request, unless there is one of the last day.
async fn ask(
    me: &MlsGateway,
    owner: &PublicKey,
    missing: u64,
    now_s: u64,
) -> Result<(), StoreError> {
    let asked = Filter {
        authors: Some(vec![me.host.relay_pubkey()]),
        kinds: Some(vec![KEY_PACKAGE_REQUEST]),
        tags: BTreeMap::from([(b'p', vec![owner.to_hex()])]),
        since: Some(now_s.saturating_sub(ASK_EVERY_S) + 1),
        limit: Some(1),
        ..Filter::default()
    };
    if !me.host.query(asked).await?.is_empty() {
        return Ok(());
    }
    let ttl_s = me.settings.keypackage_request_ttl_s.to_string();
    let tags = [
        ["p", &owner.to_hex()],
        ["min", &missing.to_string()],
        ["ttl", &ttl_s],
    ];
    let tags = tags.into_iter().filter_map(|tag| Tag::parse(tag).ok());
    let request = EventBuilder::new(Kind::from(KEY_PACKAGE_REQUEST), r#"{"reason":"stock_low"}"#);
    let owner = Short::key(owner);
    match me.host.publish(request.tags(tags)).await {
        Ok(_) => tracing::debug!(%owner, missing, "an owner was asked for KeyPackages"),
        Err(reason) => {
            tracing::warn!(%owner, %reason, "an owner could not be asked for KeyPackages")
        }
    }
    Ok(())
}
