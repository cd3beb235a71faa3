//! Keeps the stock in step with what is stored: what was removed leaves it, and of too many the oldest go.

use crate::MlsGateway;
use crate::config::Settings;
use crate::rules::key_package;
use crate::storage::Package;
use crate::watch;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use trellis_relay::event::EventId;
use trellis_relay::extension::prelude::*;

/// So many live packages an owner has at most.
const LIVE_MAX: usize = 15;
/// Questions to the database at a time.
const AT_ONCE: usize = 16;

impl MlsGateway {
    /// Handles a page of what became of KeyPackages.
    pub(super) async fn follow_stock(&self, page: &[Change]) -> Result<(), HookError> {
        let (mut gone, mut consumed) = (Vec::new(), Vec::new());
        let mut new: BTreeMap<PublicKey, usize> = BTreeMap::new();
        let mut came = Vec::new();
        for change in page {
            match change {
                Change::Stored(stored) => {
                    came.push(stored.event.as_ref());
                    *new.entry(*stored.event.pubkey()).or_default() += 1;
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
        at_once(came, |event| self.know_package(event)).await?;
        self.forget_packages(&gone).await?;
        watch::packages_consumed(self.forget_packages(&consumed).await?);
        at_once(new, |(owner, new)| self.trim(owner, new)).await
    }

    /// Takes out of stock; says how many were in it.
    pub(super) async fn forget_packages(&self, ids: &[EventId]) -> Result<usize, HookError> {
        match ids.is_empty() {
            true => Ok(0),
            false => {
                let removed = self.storage.remove_packages(ids);
                Ok(removed.await?)
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
        self.storage.put_package(&package).await?;
        Ok(())
    }

    async fn trim(&self, owner: PublicKey, new: usize) -> Result<(), HookError> {
        if self
            .counts
            .is_few(&owner, new, self.host.clock().monotonic())
        {
            return Ok(());
        }
        let now_s = self.host.clock().now_s();
        let live = self.storage.packages(&owner, now_s, LIVE_MAX + 1);
        let live = live.await?.len();
        self.counts
            .remember(owner, live, self.host.clock().monotonic());
        if live <= LIVE_MAX {
            return Ok(());
        }
        let surplus = self.storage.surplus_packages(&owner, LIVE_MAX, now_s);
        let surplus = surplus.await?;
        for id in &surplus {
            self.host.remove(*id, Cause::Retention).await?;
        }
        self.forget_packages(&surplus).await?;
        Ok(())
    }
}

/// Does the same with each, some at a time: of a database in another place a page would take minutes one after the other.
async fn at_once<T, F>(
    items: impl IntoIterator<Item = T>,
    step: impl Fn(T) -> F,
) -> Result<(), HookError>
where
    F: Future<Output = Result<(), HookError>>,
{
    let steps = stream::iter(items).map(|item| Ok(step(item)));
    steps.try_for_each_concurrent(AT_ONCE, |step| step).await
}

/// How many live packages owners had, so that the database is not asked about each that comes. Bounded by owners; what
/// other instances take in meanwhile is counted once an entry is older than `keypackage_cache_ttl`.
#[derive(Debug)]
pub(crate) struct Counts {
    ttl: Duration,
    by_owner: Mutex<HashMap<PublicKey, Count>>,
}

#[derive(Debug)]
struct Count {
    live: usize,
    counted_at: Duration,
}

/// Owners whose packages are counted in memory.
const OWNERS_MAX: usize = 10_000;

impl Counts {
    pub(crate) fn new(settings: &Settings) -> Self {
        Counts {
            ttl: Duration::from_secs(settings.keypackage_cache_ttl_s),
            by_owner: Mutex::default(),
        }
    }

    /// Whether an owner has no more than are allowed with those that have come now.
    fn is_few(&self, owner: &PublicKey, new: usize, now: Duration) -> bool {
        let mut by_owner = self.by_owner.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = by_owner.get_mut(owner) else {
            return false;
        };
        count.live += new;
        now.saturating_sub(count.counted_at) < self.ttl && count.live <= LIVE_MAX
    }

    fn remember(&self, owner: PublicKey, live: usize, counted_at: Duration) {
        let mut by_owner = self.by_owner.lock().unwrap_or_else(PoisonError::into_inner);
        if by_owner.len() >= OWNERS_MAX {
            by_owner.clear();
        }
        by_owner.insert(owner, Count { live, counted_at });
    }
}
