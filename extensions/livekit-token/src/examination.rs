//! What an operator should know before calls are made (`trellis doctor`): whether LiveKit answers and takes our key, whether it
//! could record, and whether tokens can be remembered.
//!
//! Invariant: no key, secret, room or word of a server's is told.

use crate::config::{Config, Settings};
use crate::livekit::{LiveKit, Recording};
use trellis_relay::extension::prelude::*;

pub(crate) async fn examine(config: Config) -> Findings {
    let mut found = Findings::default();
    trellis_jwt::install();
    let settings = match config.settle(|name| std::env::var(name).ok()) {
        Ok(settings) => settings,
        Err(problem) => {
            found.fail("configuration", problem, "mend [extensions.livekit_token]");
            return found;
        }
    };
    endpoints(&settings, &mut found);
    let secret = settings.livekit_api_secret.reveal();
    let livekit = LiveKit::new(&settings.livekit_url, &settings.livekit_api_key, secret);
    if is_there(&livekit, &settings.livekit_url, &mut found).await {
        recording(&livekit, &mut found).await;
    }
    tokens(&settings, &mut found).await;
    found
}

fn endpoints(settings: &Settings, found: &mut Findings) {
    found.endpoint("LiveKit", &settings.livekit_client_url);
    if let Some(url) = &settings.operator_url {
        found.endpoint("calls", url);
    }
    if let Some(url) = &settings.blossom_url {
        found.endpoint("media", url.as_str());
    }
}

async fn is_there(livekit: &LiveKit, url: &str, found: &mut Findings) -> bool {
    const CHECK: &str = "LiveKit";
    match livekit.takes_key().await {
        Ok(true) => {
            found.ok(CHECK, format!("{url} answers, and takes our key"));
            true
        }
        Ok(false) => {
            let told = format!("{url} answers, and refuses our key, or is no LiveKit");
            let advice = "set livekit_api_key and livekit_api_secret to a pair that stands under keys in LiveKit's own \
                          configuration, and see that both clocks agree";
            found.fail(CHECK, told, advice);
            false
        }
        Err(error) => {
            let advice = "start it, or set livekit_url to where the relay reaches it (docs/runbooks/livekit-down.md)";
            found.fail(CHECK, format!("{url} does not answer: {error}"), advice);
            false
        }
    }
}

async fn recording(livekit: &LiveKit, found: &mut Findings) {
    const CHECK: &str = "recording";
    match livekit.recording().await {
        Ok(Recording::Impossible) => found.ok(CHECK, "LiveKit has no service that records"),
        Ok(Recording::Under(count)) => found.fail(
            CHECK,
            format!("{count} recordings or streams out of rooms are under way"),
            "end them, and the egress service that makes them",
        ),
        Ok(Recording::Possible) => found.by_hand(
            CHECK,
            "nothing is recorded now, but LiveKit has what a service that records needs (Redis)",
            "see that no egress service runs, and that nobody else has LiveKit's key",
        ),
        Err(error) => found.by_hand(
            CHECK,
            error.to_string(),
            "see that no egress service runs beside LiveKit",
        ),
    }
}

#[cfg(feature = "redis")]
async fn tokens(settings: &Settings, found: &mut Findings) {
    use crate::single_use::{InRedis, TokenCache as _};
    use std::sync::Arc;
    use trellis_relay::clock::SystemClock;

    const CHECK: &str = "memory of tokens";
    const NO_ROOM: &str = "-";
    let Some(url) = &settings.redis_url else {
        return;
    };
    let asked = match InRedis::new(url.reveal(), Arc::new(SystemClock)) {
        Ok(cache) => cache.is_refused(NO_ROOM, NO_ROOM, 0).await.map(drop),
        Err(error) => Err(error),
    };
    match asked {
        Ok(()) => found.ok(CHECK, "Redis answers"),
        Err(error) => found.fail(CHECK, error.to_string(), "start it, or mend redis_url"),
    }
}

#[cfg(not(feature = "redis"))]
async fn tokens(_settings: &Settings, _found: &mut Findings) {}
