//! Coordination of a validator fleet: developers sign directives (kind 33321), nodes act when a quorum of them agrees, and
//! report (kind 3333). The relay keeps both, shows what follows from them, and commands nobody.
//!
//! Invariant: what is shown is a pure function of signed events, the configuration and the time; whoever has the same events
//! gets the same.

mod config;
mod holdings;

pub use config::Config;

use config::Settings;
use holdings::Holdings;
use std::sync::Arc;
use trellis_relay::extension::prelude::*;

/// The extension.
pub struct QubeCoordination {
    host: Host,
    settings: Arc<Settings>,
    holdings: Arc<Holdings>,
}

impl Extension for QubeCoordination {
    const NAME: &'static str = "qube_coordination";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        let settings = config.settle()?;
        let holdings = Arc::new(Holdings::new(&settings, host.clock().clone()));
        Ok(QubeCoordination {
            host,
            settings,
            holdings,
        })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        // What decides who may direct a fleet never fails open.
        hooks.never_open();
    }
}
