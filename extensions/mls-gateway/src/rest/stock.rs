//! KeyPackages that are published as events (443): what is known of them, and taking one out of stock by hand.

use super::asker::Asker;
use super::mailbox::Acknowledgement;
use super::wire::{self, Done};
use crate::MlsGateway;
use crate::config::Consume;
use crate::watch;
use schemars::JsonSchema;
use serde::Serialize;
use trellis_relay::config::Timestamp;
use trellis_relay::extension::prelude::*;

/// Nobody has more in stock: what is beyond is removed when another comes.
const PACKAGES_MAX: usize = 100;

/// What somebody has published.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MlsStockList")]
pub(super) struct StockList {
    /// Oldest first.
    keypackages: Vec<StockItem>,
}

/// A KeyPackage that is published and live.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MlsStockItem")]
struct StockItem {
    /// 64 hex digits.
    owner: String,
    /// What its `kpr` says; the event's id where it says nothing.
    key_reference: String,
    /// What its `cs` says.
    ciphersuite: Option<String>,
    expires_at: Timestamp,
}

/// What is live of an owner.
pub(super) async fn list(
    me: &MlsGateway,
    owner: &PublicKey,
    max: usize,
) -> Result<StockList, ApiError> {
    let now_s = me.host.clock().now_s();
    let packages = me.storage.packages(owner, now_s, max).await?;
    let items = packages.into_iter().map(|package| StockItem {
        owner: wire::hex(&package.owner),
        key_reference: package.reference.unwrap_or_else(|| package.id.to_hex()),
        ciphersuite: package.ciphersuite,
        expires_at: wire::time(package.expires_at_s),
    });
    Ok(StockList {
        keypackages: items.collect(),
    })
}

/// Takes one of the asker's own out of stock and off the relay, where its end is not the only thing that does so.
pub(super) async fn acknowledge(
    me: &MlsGateway,
    asker: &Asker,
    id: &str,
    body: &Acknowledgement,
) -> Result<Done, ApiError> {
    let unknown = || ApiError::not_found("there is no such letter");
    let id = EventId::from_hex(id).map_err(|_| unknown())?;
    let owner = body.recipient(asker)?;
    let now_s = me.host.clock().now_s();
    let packages = me.storage.packages(&owner, now_s, PACKAGES_MAX).await?;
    let is_live = packages.iter().any(|package| package.id == id);
    if me.settings.keypackage_consume == Consume::Off {
        return Err(unknown());
    }
    if !is_live {
        // Who repeats it hears the same, and so does the owner of one that a read has taken.
        return match me.storage.is_used_up(&id, &owner).await? {
            true => body
                .check_signature(&id.to_hex(), &owner)
                .map(|()| Done { ok: true }),
            false => Err(unknown()),
        };
    }
    body.check_signature(&id.to_hex(), &owner)?;
    // First, so that the event cannot come back into stock.
    me.storage.use_up_packages(&[id]).await?;
    me.host.remove(id, Cause::Retention).await?;
    watch::packages_consumed(1);
    Ok(Done { ok: true })
}
