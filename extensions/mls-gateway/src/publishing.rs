//! Who may publish what: hooks before an event is stored.

use crate::MlsGateway;
use crate::config::Settings;
use trellis_relay::extension::prelude::*;

/// Registers the hooks.
pub(crate) fn register(_settings: &Settings, _hooks: &mut Registrar<MlsGateway>) {}
