//! Who may ask for what: hooks on REQ, COUNT and NEG-OPEN.

use crate::MlsGateway;
use crate::config::Settings;
use trellis_relay::extension::prelude::*;

/// Registers the hooks.
pub(crate) fn register(_settings: &Settings, _hooks: &mut Registrar<MlsGateway>) {}
