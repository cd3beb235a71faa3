//! Counts a request once, by how it ended.

use metrics::counter;

/// Counts when it is dropped.
pub(super) struct Tally {
    extension: &'static str,
    outcome: &'static str,
}

impl Tally {
    /// Whoever drops it now has lost interest.
    pub(super) fn new(extension: &'static str) -> Self {
        Tally {
            extension,
            outcome: "dropped",
        }
    }

    pub(super) fn say(&mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let Tally { extension, outcome } = *self;
        counter!("trellis_outbound_requests_total", "extension" => extension, "outcome" => outcome)
            .increment(1);
    }
}
