//! The HTTP routes.

use crate::MlsGateway;
use crate::config::Settings;
use trellis_relay::extension::prelude::*;

/// Registers the hooks.
pub(crate) fn register(_settings: &Settings, _hooks: &mut Registrar<MlsGateway>) {}
