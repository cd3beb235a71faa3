//! The CPU time of this thread: what a part costs however busy the machine is, as a relay's CPU time is read too.

use rustix::time::{ClockId, clock_gettime};

/// CPU time that this thread has used so far, user and system. Microseconds.
pub(super) fn thread_cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// Of figures that were taken several times, the one in the middle; 0 of none.
pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
