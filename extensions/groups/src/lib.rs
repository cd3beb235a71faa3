//! Groups that the relay runs (NIP-29): it keeps who belongs to which group by the moderation events it accepts, signs
//! what it says of a group, and shows a group's events to those who may see them. `docs/extensions/groups.md` is for operators
//! and for authors of clients.
//!
//! How an event goes: `admission` asks what can be told from the event alone; `judging` decides in the transaction that stores
//! it, on rows (`state`) that change with it; `following` has memory (`directory`) learn of it and fills the `agenda`, from
//! which requests are answered, groups described and events removed. `delivery` guards every way out, from memory.
//!
//! Invariant: the state of groups follows from their moderation events in the order of their commits, and from nothing else.

mod admission;
mod agenda;
mod announcing;
mod answering;
mod asking;
mod commands;
mod config;
mod delivery;
mod directory;
mod erasing;
mod following;
mod group;
mod information;
mod joining;
mod judging;
mod kinds;
mod late;
mod metadata;
mod moderation;
mod posting;
mod previous;
mod rebuilding;
mod roles;
mod rules;
mod settling;
mod state;
mod tags;
#[cfg(test)]
mod tests;
mod watch;

pub use config::Config;

use agenda::Agenda;
use directory::Directory;
use rules::Rules;
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::extension::prelude::*;
use trellis_relay::extension::{GroupFacts, GroupMembership, GroupsUnavailable, RateLimiter};

/// The extension.
pub struct Groups {
    host: Host,
    rules: Arc<Rules>,
    directory: Directory,
    agenda: Agenda,
    new_groups: RateLimiter,
    new_groups_of_address: RateLimiter,
}

impl Extension for Groups {
    const NAME: &'static str = "groups";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    fn services(needs: &mut Needs) {
        needs.provides::<dyn GroupMembership>();
    }

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        let rules = Arc::new(config.settle(host.relay_pubkey())?);
        let directory = Directory::new(rules.clone());
        directory.load(&host).await?;
        let hour = Duration::from_secs(3600);
        trellis_relay::metrics::describe(watch::TABLE);
        Ok(Groups {
            new_groups: host.rate_limiter(rules.max_new_groups_per_hour, hour),
            new_groups_of_address: host
                .rate_limiter(rules.max_new_groups_per_hour_per_address, hour),
            agenda: Agenda::default(),
            directory,
            rules,
            host,
        })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        // What decides who may write and see never fails open.
        hooks.never_open();
        admission::register(hooks);
        asking::register(hooks);
        delivery::register(hooks);
        following::register(hooks);
        information::register(hooks);
        commands::register(hooks);
        hooks.provide(|me| me as Arc<dyn GroupMembership>);
    }

    async fn start(self: Arc<Self>, stop: StopToken) -> Result<(), TaskError> {
        // What was committed before the hooks of this instance were in force, and after `build` had read everything.
        self.directory.load(&self.host).await?;
        tokio::select! {
            result = answering::answer_forever(&self) => result,
            result = announcing::announce_forever(&self) => result,
            result = erasing::erase_forever(&self) => result,
            result = settling::settle_forever(&self) => result,
            () = stop.stopped() => Ok(()),
        }
    }
}

impl GroupMembership for Groups {
    fn group(&self, id: &str) -> Result<Option<GroupFacts>, GroupsUnavailable> {
        self.directory.group(id)
    }

    fn roles(
        &self,
        id: &str,
        pubkey: &PublicKey,
    ) -> Result<Option<Vec<String>>, GroupsUnavailable> {
        self.directory.roles(id, pubkey)
    }
}
