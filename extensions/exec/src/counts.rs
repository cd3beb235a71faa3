//! What is counted, of all programs together; `docs/extensions/exec.md` holds the table.

use metrics::{Counter, Gauge, Histogram};
use trellis_relay::extension::Host;

#[derive(Clone)]
pub(crate) struct Counts {
    pub(crate) accepted: Counter,
    pub(crate) rejected: Counter,
    pub(crate) shadow_rejected: Counter,
    pub(crate) unanswered: Counter,
    pub(crate) busy: Counter,
    pub(crate) second_tries: Counter,
    pub(crate) stray_lines: Counter,
    pub(crate) answer_seconds: Histogram,
    pub(crate) processes: Gauge,
    pub(crate) failures: Counter,
    pub(crate) reloads: Counter,
    pub(crate) viewers: Gauge,
}

impl Counts {
    pub(crate) fn of(host: &Host) -> Self {
        let metrics = host.metrics();
        Counts {
            accepted: metrics.counter("exec_accepted_total"),
            rejected: metrics.counter("exec_rejected_total"),
            shadow_rejected: metrics.counter("exec_shadow_rejected_total"),
            unanswered: metrics.counter("exec_unanswered_total"),
            busy: metrics.counter("exec_busy_total"),
            second_tries: metrics.counter("exec_second_tries_total"),
            stray_lines: metrics.counter("exec_stray_lines_total"),
            answer_seconds: metrics.histogram("exec_answer_seconds"),
            processes: metrics.gauge("exec_processes"),
            failures: metrics.counter("exec_process_failures_total"),
            reloads: metrics.counter("exec_reloads_total"),
            viewers: metrics.gauge("exec_viewers"),
        }
    }
}
