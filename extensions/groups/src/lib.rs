//! Groups that the relay runs (NIP-29): it keeps who belongs to which group by the moderation events it accepts, signs
//! what it says of a group, and shows a group's events to those who may see them.

mod config;

pub use config::Config;

use trellis_relay::extension::prelude::*;

/// The extension.
pub struct Groups {}

impl Extension for Groups {
    const NAME: &'static str = "groups";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(_config: Config, _host: Host) -> Result<Self, BuildError> {
        Ok(Groups {})
    }

    fn register(&self, _hooks: &mut Registrar<Self>) {}
}
