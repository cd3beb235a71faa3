//! What an operator should know before nodes come (`trellis doctor`): whether the mirror's database can be used.

use crate::config::Config;
use crate::mirror;
use trellis_relay::extension::prelude::*;

pub(crate) async fn examine(config: Config) -> Findings {
    let mut found = Findings::default();
    let settings = &config.settings;
    let networks = config.networks.len();
    found.ok(
        "networks",
        format!("{networks}, with {} peers", settings.peers.len()),
    );
    if let Some(url) = &settings.mirror.url {
        const CHECK: &str = "mirror";
        match mirror::reach(url).await {
            Ok(()) => found.ok(CHECK, "PostgreSQL answers, and does not only read"),
            Err(why) => found.fail(
                CHECK,
                format!("PostgreSQL: {why}"),
                "start it, let the relay in, or mend mirror.url; the relay goes on without it",
            ),
        }
    }
    found
}
