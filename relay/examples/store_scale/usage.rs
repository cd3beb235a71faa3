//! What this process has used so far.

use std::time::Duration;

pub(crate) struct Usage {
    pub(crate) total: Duration,
    pub(crate) system: Duration,
    pub(crate) written_bytes: u64,
}

impl Usage {
    pub(crate) fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let after_name = stat.rsplit(") ").next().unwrap();
        let ticks: Vec<u64> = after_name
            .split(' ')
            .map(|field| field.trim().parse().unwrap_or(0))
            .collect();
        let total = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let total = Duration::new(total.tv_sec as u64, total.tv_nsec as u32);
        let system = Duration::from_millis(10 * ticks[12]);
        let io = std::fs::read_to_string("/proc/self/io").unwrap();
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        Usage {
            total,
            system,
            written_bytes: written.unwrap().parse().unwrap(),
        }
    }
}
