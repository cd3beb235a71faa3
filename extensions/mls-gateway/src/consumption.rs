//! The stock of KeyPackages (443): what leaves it, and, with "on_read", what a read takes out of it.
//!
//! Invariant: a package that was reserved for one reader is shown to nobody else but its owner, and goes for good; the last
//! live one of an owner is shown and stays. Not here: how packages come into stock (`publishing`).

mod stock;

use crate::MlsGateway;
use crate::config::Settings;
use crate::kinds::KEY_PACKAGE;
use std::sync::Arc;
use trellis_relay::extension::prelude::*;

/// Registers the hooks.
pub(crate) fn register(_settings: &Settings, hooks: &mut Registrar<MlsGateway>) {
    hooks.stored(
        KEY_PACKAGE,
        StartAt::Beginning,
        async |me: Arc<MlsGateway>, page| me.follow_stock(&page).await,
    );
}
