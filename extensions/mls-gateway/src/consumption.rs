//! The stock of KeyPackages (443): what leaves it, and, with "on_read", what a read takes out of it.
//!
//! Invariant: a package that was reserved for one reader is shown to nobody else but its owner, and goes for good once it was used; the last
//! live one of an owner is shown and stays. Not here: how packages come into stock (`publishing`).

mod given;
mod reservations;
mod stock;

pub(crate) use given::Given;
pub(crate) use reservations::Reservations;
pub(crate) use stock::Counts;

use crate::MlsGateway;
use crate::config::{Consume, Settings};
use crate::kinds::KEY_PACKAGE;
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::extension::prelude::*;

/// How long a request may wait for the database.
const PATIENCE: Duration = Duration::from_secs(5);
/// What became of KeyPackages waits so long for what becomes of others.
const STOCK_GATHER: Duration = Duration::from_millis(250);

/// Registers the hooks.
pub(crate) fn register(settings: &Settings, hooks: &mut Registrar<MlsGateway>) {
    hooks.gather(STOCK_GATHER).stored(
        KEY_PACKAGE,
        StartAt::Beginning,
        async |me: Arc<MlsGateway>, page| me.follow_stock(&page).await,
    );
    if settings.keypackage_consume != Consume::OnRead {
        return;
    }
    hooks
        .request_async(
            KEY_PACKAGE,
            PATIENCE,
            async |me: Arc<MlsGateway>, request| me.reserve_for(&request).await,
        )
        .request(KEY_PACKAGE, |me, viewer, verb, filter| {
            me.show_reserved(viewer, verb, filter);
            Ok(Access::Allow)
        });
}
