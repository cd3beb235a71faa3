//! How long things took: all of them kept, so that percentiles are exact.

use super::report::Report;
use std::time::Duration;

/// Durations in microseconds.
#[derive(Debug, Default)]
pub(super) struct Latencies(Vec<u32>);

impl Latencies {
    pub(super) fn add(&mut self, duration: Duration) {
        self.0
            .push(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX));
    }

    pub(super) fn append(&mut self, other: &Latencies) {
        self.0.extend_from_slice(&other.0);
    }

    /// The time within which so many of a hundred were done. Milliseconds.
    pub(super) fn percentile_ms(&self, percent: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        at(&sorted, percent)
    }

    /// The usual percentiles; empty where nothing was measured.
    pub(super) fn report(&self) -> Report {
        let mut report = Report::default();
        if self.0.is_empty() {
            return report;
        }
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        for (name, percent) in [
            ("p50_ms", 50.0),
            ("p90_ms", 90.0),
            ("p99_ms", 99.0),
            ("max_ms", 100.0),
        ] {
            report.number(name, at(&sorted, percent));
        }
        report
    }
}

fn at(sorted: &[u32], percent: f64) -> f64 {
    let rank = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
    let us = sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default();
    f64::from(us) / 1e3
}
