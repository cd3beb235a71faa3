//! Keeps the stock in step with what is stored: what was removed leaves it, and of too many the oldest go.

use crate::MlsGateway;
use crate::rules::key_package;
use crate::storage::Package;
use crate::watch;
use std::collections::BTreeSet;
use trellis_relay::event::EventId;
use trellis_relay::extension::prelude::*;

/// So many live packages an owner has at most.
const LIVE_MAX: usize = 15;

impl MlsGateway {
    /// Handles a page of what became of KeyPackages.
    pub(super) async fn follow_stock(&self, page: &[Change]) -> Result<(), HookError> {
        let (mut gone, mut consumed, mut owners) = (Vec::new(), Vec::new(), BTreeSet::new());
        for change in page {
            match change {
                Change::Stored(stored) => {
                    self.know_package(&stored.event).await?;
                    owners.insert(*stored.event.pubkey());
                }
                // Its owner used it up; a read has counted already what it took.
                Change::Removed {
                    id,
                    cause: Cause::Deletion,
                    ..
                } => consumed.push(*id),
                Change::Removed { id, .. } => gone.push(*id),
                // What is unknown leaves the stock when it expires.
                Change::Gap { .. } => {}
            }
        }
        self.forget_packages(&gone).await?;
        watch::packages_consumed(self.forget_packages(&consumed).await?);
        for owner in owners {
            self.trim(&owner).await?;
        }
        Ok(())
    }

    /// Takes out of stock; says how many were in it.
    pub(super) async fn forget_packages(&self, ids: &[EventId]) -> Result<usize, HookError> {
        match ids.is_empty() {
            true => Ok(0),
            false => {
                let removed = self.storage.remove_packages(ids);
                Ok(watch::database("remove_packages", removed).await?)
            }
        }
    }

    /// A package may have come by other ways than from a client: by an import, or before the gateway was switched on.
    async fn know_package(&self, event: &Event) -> Result<(), HookError> {
        let now_s = self.host.clock().now_s();
        let Ok(package) = key_package::read(event, &self.settings, now_s) else {
            return Ok(());
        };
        let package = Package::of(event, package);
        watch::database("put_package", self.storage.put_package(&package)).await?;
        Ok(())
    }

    async fn trim(&self, owner: &PublicKey) -> Result<(), HookError> {
        let now_s = self.host.clock().now_s();
        let surplus = self.storage.surplus_packages(owner, LIVE_MAX, now_s);
        let surplus = watch::database("surplus_packages", surplus).await?;
        for id in &surplus {
            self.host.remove(*id, Cause::Retention).await?;
        }
        self.forget_packages(&surplus).await?;
        Ok(())
    }
}
