//! Coordination of a validator fleet: developers sign directives (kind 33321), nodes act when a quorum of them agrees, and
//! report (kind 3333). The relay keeps both, shows what follows from them, and commands nobody.
//!
//! How an event goes: `admission` asks who sends what, `log` keeps what a directive replaces in the transaction that stores
//! it and `claims` has a report take its node's place there, `keeping` guards both kinds against removal, and `holdings` has memory follow the commits. `routes` show it, `peers`
//! take over the history of other relays, `dashboard` shows all of it to people, `alerts` tells what needs them, and `mirror`
//! copies it to PostgreSQL.
//!
//! Invariant: what is shown is a pure function of signed events, the configuration and the time; whoever has the same events
//! gets the same.

mod admission;
mod alerts;
mod attempts;
mod claims;
mod commands;
mod config;
mod dashboard;
mod examination;
mod exclusive;
mod fields;
mod holdings;
mod information;
mod keeping;
mod log;
mod metering;
mod mirror;
mod networks;
mod peers;
mod routes;
mod titles;
mod watch;

pub use config::Config;

use alerts::Alerts;
use attempts::Attempts;
use config::Settings;
use dashboard::{Live, Shelf};
use holdings::Holdings;
use mirror::Mirror;
use peers::Peers;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use trellis_qube_protocol::{Network, NetworkId};
use trellis_relay::extension::RateLimiter;
use trellis_relay::extension::prelude::*;

/// How often time alone is looked at.
const TICK: Duration = Duration::from_secs(1);
/// So long after everything was read from nothing it is read once more, for what a request to vanish hid at the time: such
/// requests take a while to be gone through. Then after longer, the last of these again and again. Seconds.
const READ_AGAIN_S: [u64; 3] = [120, 900, 7_200];

/// The extension.
pub struct QubeCoordination {
    host: Host,
    settings: Arc<Settings>,
    networks: BTreeMap<NetworkId, Network>,
    holdings: Arc<Holdings>,
    attempts: Attempts,
    peers: Peers,
    alerts: Alerts,
    live: Live,
    shelf: Shelf,
    mirror: Option<Mirror>,
    /// Requests to the routes, by address.
    requests: RateLimiter,
    /// Directives, by developer: what was replaced is kept for good.
    directives: RateLimiter,
}

impl Extension for QubeCoordination {
    const NAME: &'static str = "qube_coordination";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        trellis_relay::metrics::describe(watch::TABLE);
        trellis_relay::metrics::describe(metering::TABLE);
        let Config { settings, networks } = config;
        networks::warn(&networks);
        let (known, clock) = (networks.values().cloned().collect(), host.clock().clone());
        let holdings = Holdings::new(known, networks::scope(&settings), clock.clone());
        holdings.load(&host).await?;
        watch::show(&holdings.state());
        Ok(QubeCoordination {
            requests: host.rate_limiter(settings.requests_per_minute, Duration::from_secs(60)),
            directives: host.rate_limiter(settings.directives_per_hour, Duration::from_secs(3600)),
            attempts: Attempts::new(clock),
            peers: Peers::of(&settings),
            alerts: Alerts::new(settings.clone()),
            live: Live::new(settings.max_listeners),
            shelf: Shelf::default(),
            mirror: match &settings.mirror.url {
                Some(url) => {
                    Some(Mirror::new(url, &host).map_err(|why| format!("mirror.url: {why}"))?)
                }
                None => None,
            },
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
        commands::register(hooks);
        routes::register(&self.settings, hooks);
        if let Some(path) = &self.settings.dashboard_path {
            dashboard::register(path, hooks);
        }
        if self.mirror.is_some() {
            mirror::register(hooks);
        }
    }

    async fn start(self: Arc<Self>, stop: StopToken) -> Result<(), TaskError> {
        // What was committed before the hooks of this instance were in force, and after `build` had read everything.
        self.holdings.load(&self.host).await?;
        tokio::select! {
            () = keep_time(&self) => Ok(()),
            result = peers::visit_forever(&self) => result,
            result = self.alerts.run(&self, &stop) => result,
            () = mirror::run(&self, &stop) => Ok(()),
            () = stop.stopped() => Ok(()),
        }
    }

    fn health(&self) -> Health {
        let mirrors = || {
            let why = self.mirror.as_ref()?.trouble()?;
            Some(format!("the mirror's database: {why}"))
        };
        match self.peers.problem().or_else(mirrors) {
            Some(problem) => Health::Degraded(problem),
            None => Health::Ok,
        }
    }

    async fn examine(config: Config, _at: Examination) -> Findings {
        examination::examine(config).await
    }

    async fn shutdown(&self) {
        self.live.end();
    }
}

async fn keep_time(me: &QubeCoordination) {
    let mut read_anew_at_s = me.holdings.read_anew_at_s();
    let (mut read_at_s, mut reads) = (read_anew_at_s, 0);
    loop {
        let last_s = me.holdings.read_anew_at_s();
        if last_s != read_anew_at_s {
            (read_anew_at_s, read_at_s, reads) = (last_s, last_s, 0);
        }
        let now_s = me.host.clock().now_s();
        if read_at_s + READ_AGAIN_S[reads] <= now_s {
            (read_at_s, reads) = (now_s, (reads + 1).min(READ_AGAIN_S.len() - 1));
            if let Err(error) = me.holdings.load(&me.host).await {
                tracing::warn!(%error, "directives and reports could not be read again");
            }
        }
        tokio::time::sleep(TICK).await;
        if me.holdings.look_at_time() {
            watch::show(&me.holdings.state());
        }
    }
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
