//! The HTTP routes: tokens, and whether LiveKit is there.
//!
//! Invariant: paths and errors are those of the protocol, at the root; who asks is told by a signature (NIP-98) alone. The
//! routes of NIP-29 are at the relay's own address, all others where clients know the operator.

mod answer;
mod asker;
mod community;
mod dm;
mod group;
mod probes;
mod well_known;

use crate::config::Settings;
use crate::failure::{Code, Failure};
use crate::livekit::LiveKitError;
use crate::proxy;
use crate::{LivekitToken, epoch_routes, webhook};
use std::time::Duration;
use trellis_relay::extension::prelude::*;

/// Mounts the routes.
pub(crate) fn register(settings: &Settings, hooks: &mut Registrar<LivekitToken>) {
    let mount = match &settings.route_host {
        Some(name) => Mount::host(name),
        None => Mount::root(),
    };
    hooks.api(mount, |api| {
        api.about("Calls: tokens for LiveKit, for those who belong.")
            .any_origin()
            .nip98_window(longest_window(settings));
        if let Some(url) = &settings.operator_url {
            api.known_as(url);
        }
        if settings.communities {
            community::declare(api);
        }
        group::declare(api);
        dm::declare(api);
        proxy::declare(settings, api);
        epoch_routes::declare(api);
        webhook::declare(api);
        if settings.route_host.is_some() {
            // Elsewhere these are the relay's own.
            probes::declare(api);
        }
    });
    hooks.api(Mount::root(), |api| {
        api.any_origin().nip98_window(longest_window(settings));
        well_known::declare(api);
    });
}

/// A mount has one window for all; routes with a shorter one look once more.
fn longest_window(settings: &Settings) -> Duration {
    Duration::from_secs(settings.nip98_time_window_s.max(settings.clock_tolerance_s))
}

/// LiveKit could not be asked, or refused: what it says goes to the log and names nobody.
pub(crate) fn unavailable(error: LiveKitError) -> Failure {
    tracing::error!("a token could not be issued: {error}");
    Failure::new(
        Code::LivekitUnavailable,
        "the media server does not answer; try again later",
    )
}

/// Where the relay keeps to the mode that excludes somebody.
fn excluded(reason: &Reason) -> Failure {
    Failure::new(Code::UserBanned, reason.to_string())
}
