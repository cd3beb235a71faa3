//! Metrics labelled with the extension that counts.

use metrics::{Counter, Gauge, Histogram};

/// Hands out metrics with the label `extension`. Keep what you get: looking one up costs a hash.
///
/// ```
/// use trellis_relay::extension::prelude::*;
/// fn count_a_join(host: &Host) {
///     host.metrics().counter("groups_joins_total").increment(1);
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ExtensionMetrics {
    extension: &'static str,
}

impl ExtensionMetrics {
    pub(super) fn new(extension: &'static str) -> Self {
        ExtensionMetrics { extension }
    }

    /// Something that only grows; its name ends in `_total`.
    pub fn counter(&self, name: &'static str) -> Counter {
        metrics::counter!(name, "extension" => self.extension)
    }

    /// Something that goes up and down.
    pub fn gauge(&self, name: &'static str) -> Gauge {
        metrics::gauge!(name, "extension" => self.extension)
    }

    /// Something that is distributed; its name ends in a unit, `_seconds` or `_bytes`.
    pub fn histogram(&self, name: &'static str) -> Histogram {
        metrics::histogram!(name, "extension" => self.extension)
    }
}
