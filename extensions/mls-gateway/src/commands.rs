//! `trellis mls ...`: import, export, rebuild, groups, stock.

use crate::MlsGateway;
use trellis_relay::extension::prelude::*;

/// Registers the subcommand.
pub(crate) fn register(_hooks: &mut Registrar<MlsGateway>) {}
