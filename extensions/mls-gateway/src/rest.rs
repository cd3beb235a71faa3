//! The HTTP routes: mailboxes, groups, and messages that were missed.
//!
//! Invariant: who asks is told by a signature (NIP-98) or a service's token, never by what a request says of itself; a
//! key gets what it may see over a WebSocket and no more. The routes are the same under the prefix and each alias.

mod asker;
mod groups;
mod keypackages;
mod letters;
mod mailbox;
mod membership;
mod messages;
mod rates;
mod signature;
mod stock;
#[cfg(test)]
mod tests;
mod welcomes;
mod wire;

pub(crate) use rates::DepositRates;

use crate::MlsGateway;
use crate::config::Settings;
use crate::storage::StorageError;
use crate::watch::{self, Stage};
use trellis_relay::extension::prelude::*;

/// Bodies may have so many bytes: a letter, and what is around it.
const BODY_BYTES_MAX: usize = letters::LETTER_BYTES_MAX + (64 << 10);

/// Mounts the routes, unless `enable_api` is off.
pub(crate) fn register(settings: &Settings, hooks: &mut Registrar<MlsGateway>) {
    if !settings.enable_api {
        return;
    }
    for (at, prefix) in settings.api_prefixes.iter().enumerate() {
        hooks.api(Mount::prefix(prefix), |api| {
            if at == 0 {
                api.about(
                    "Private groups: mailboxes for KeyPackages and Welcomes, the registry of groups, messages that \
                     were missed. Payloads are opaque to the relay.",
                );
            }
            api.service_tokens(&settings.service_tokens)
                .max_body_bytes(BODY_BYTES_MAX);
            keypackages::declare(api);
            welcomes::declare(api);
            groups::declare(api);
            if settings.enable_message_archive {
                messages::declare(api);
            }
        });
    }
}

/// The database's failure, of which clients hear that it is for now.
impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        // What the driver says may hold an address or a row.
        tracing::error!("a route failed: {error}");
        watch::failed(Stage::Rest, None);
        ApiError::unavailable("the relay could not do this now; try again later")
    }
}
