//! Coordination of a validator fleet: developers sign directives (kind 33321), nodes act when a quorum of them agrees, and
//! report (kind 3333). The relay keeps both, shows what follows from them, and commands nobody.
//!
//! How an event goes: `admission` asks who sends what, `log` keeps what a directive replaces in the transaction that stores
//! it, `keeping` guards both kinds against removal, and `holdings` has memory follow the commits. `routes` show it, `peers`
//! take over the history of other relays.
//!
//! Invariant: what is shown is a pure function of signed events, the configuration and the time; whoever has the same events
//! gets the same.

mod admission;
mod attempts;
mod config;
mod exclusive;
mod fields;
mod holdings;
mod information;
mod keeping;
mod log;
mod networks;
mod peers;
mod routes;
#[cfg(test)]
mod tests;
mod watch;

pub use config::Config;

use attempts::Attempts;
use config::Settings;
use holdings::Holdings;
use peers::Peers;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use trellis_qube_protocol::{Network, NetworkId};
use trellis_relay::extension::RateLimiter;
use trellis_relay::extension::prelude::*;

/// How often time alone is looked at.
const TICK: Duration = Duration::from_secs(1);

/// The extension.
pub struct QubeCoordination {
    host: Host,
    settings: Arc<Settings>,
    networks: BTreeMap<NetworkId, Network>,
    holdings: Arc<Holdings>,
    attempts: Attempts,
    peers: Peers,
    /// Requests to the routes, by address.
    requests: RateLimiter,
}

impl Extension for QubeCoordination {
    const NAME: &'static str = "qube_coordination";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        watch::describe();
        let settings = config.settle()?;
        let networks = networks::of(&settings)?;
        let (known, clock) = (networks.values().cloned().collect(), host.clock().clone());
        let holdings = Holdings::new(known, networks::scope(&settings), clock.clone());
        holdings.load(&host).await?;
        watch::show(&holdings.state());
        Ok(QubeCoordination {
            requests: host.rate_limiter(settings.requests_per_minute, Duration::from_secs(60)),
            attempts: Attempts::new(clock),
            peers: Peers::of(&settings),
            holdings: Arc::new(holdings),
            networks,
            settings,
            host,
        })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        // What decides who may direct a fleet never fails open.
        hooks.never_open();
        exclusive::register(&self.settings, hooks);
        admission::register(hooks);
        log::register(hooks);
        keeping::register(hooks);
        holdings::register(hooks);
        information::register(hooks);
        routes::register(&self.settings, hooks);
    }

    async fn start(self: Arc<Self>, stop: StopToken) -> Result<(), TaskError> {
        // What was committed before the hooks of this instance were in force, and after `build` had read everything.
        self.holdings.load(&self.host).await?;
        tokio::select! {
            () = keep_time(&self) => Ok(()),
            result = peers::visit_forever(&self) => result,
            () = stop.stopped() => Ok(()),
        }
    }

    fn health(&self) -> Health {
        match self.peers.problem() {
            Some(problem) => Health::Degraded(problem),
            None => Health::Ok,
        }
    }
}

async fn keep_time(me: &QubeCoordination) {
    loop {
        tokio::time::sleep(TICK).await;
        if me.holdings.look_at_time() {
            watch::show(&me.holdings.state());
        }
    }
}
