//! CPU and memory of a process and of all it has started, as `/proc` tells.
//!
//! User and system time are told apart in ticks of 10 ms; their sum is taken from the scheduler's account of each thread
//! in nanoseconds, unless threads that have ended make that fall short.

use anyhow::{Context as _, ensure};
use std::collections::HashMap;
use std::fs;

/// A process to watch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched(i32);

/// A reading of all CPU time so far.
#[derive(Debug, Default)]
pub(super) struct CpuTime {
    user_ticks: u64,
    system_ticks: u64,
    /// By thread. Nanoseconds.
    threads: HashMap<i32, u64>,
}

/// CPU time between two readings. Microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CpuSpent {
    pub(super) total_us: f64,
    pub(super) user_us: f64,
    pub(super) system_us: f64,
}

impl std::ops::Add for CpuSpent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        CpuSpent {
            total_us: self.total_us + other.total_us,
            user_us: self.user_us + other.user_us,
            system_us: self.system_us + other.system_us,
        }
    }
}

/// Memory in use. KiB.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    /// All that is resident.
    pub(super) rss_kib: u64,
    /// The part of it that is no file's: a database's pages, mapped, are not in it.
    pub(super) anonymous_kib: u64,
    /// The most that was ever resident.
    pub(super) peak_kib: u64,
}

impl Watched {
    /// The process, which must not have started this program.
    pub(super) fn new(pid: i32) -> anyhow::Result<Self> {
        let watched = Watched(pid);
        watched.cpu()?;
        ensure!(
            !watched.family().contains(&Watched::own().0),
            "the process {pid} is not the relay alone: it has started this program too, whose CPU and memory would be \
             taken for the relay's; name the relay's own process"
        );
        Ok(watched)
    }

    /// This program.
    pub(super) fn own() -> Self {
        Watched(std::process::id().cast_signed())
    }

    pub(super) fn cpu(self) -> anyhow::Result<CpuTime> {
        let mut time = CpuTime::default();
        for pid in self.family() {
            let read = read_cpu(pid, &mut time);
            // One that it has started may end at any moment.
            if pid == self.0 {
                read.with_context(|| format!("the process {pid} is not there (any more)"))?;
            }
        }
        Ok(time)
    }

    pub(super) fn memory(self) -> anyhow::Result<Memory> {
        let mut memory = Memory::default();
        for pid in self.family() {
            let status = fs::read_to_string(format!("/proc/{pid}/status"));
            let status = match status {
                Err(_) if pid != self.0 => continue,
                status => {
                    status.with_context(|| format!("the process {pid} is not there (any more)"))?
                }
            };
            memory.rss_kib += kib(&status, "VmRSS:");
            memory.anonymous_kib += kib(&status, "RssAnon:");
            memory.peak_kib += kib(&status, "VmHWM:");
        }
        Ok(memory)
    }

    /// Itself and its descendants.
    fn family(self) -> Vec<i32> {
        let mut pids = vec![self.0];
        let mut next = 0;
        while let Some(&pid) = pids.get(next) {
            for thread in numbered(&format!("/proc/{pid}/task")) {
                let children = fs::read_to_string(format!("/proc/{pid}/task/{thread}/children"));
                let children = children.unwrap_or_default();
                pids.extend(
                    children
                        .split_whitespace()
                        .filter_map(|child| child.parse::<i32>().ok()),
                );
            }
            next += 1;
        }
        pids
    }
}

impl CpuTime {
    /// What was spent after an earlier reading.
    pub(super) fn since(&self, earlier: &CpuTime) -> CpuSpent {
        let tick_us = 1e6 / rustix::param::clock_ticks_per_second().max(1) as f64;
        let ticks = |now: u64, then: u64| now.saturating_sub(then) as f64 * tick_us;
        let user_us = ticks(self.user_ticks, earlier.user_ticks);
        let system_us = ticks(self.system_ticks, earlier.system_ticks);
        let by_threads: u64 = self
            .threads
            .iter()
            .map(|(thread, ns)| {
                ns.saturating_sub(earlier.threads.get(thread).copied().unwrap_or(0))
            })
            .sum();
        let (in_ticks, in_threads) = (user_us + system_us, by_threads as f64 / 1e3);
        let total_us = match in_threads + 2.0 * tick_us < in_ticks {
            true => in_ticks,
            false => in_threads,
        };
        let user_share = match in_ticks > 0.0 {
            true => user_us / in_ticks,
            false => 1.0,
        };
        CpuSpent {
            total_us,
            user_us: total_us * user_share,
            system_us: total_us * (1.0 - user_share),
        }
    }
}

fn read_cpu(pid: i32, time: &mut CpuTime) -> anyhow::Result<()> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in brackets, may hold anything.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<u64> = after_name
        .split_whitespace()
        .map(|field| field.parse().unwrap_or_default())
        .collect();
    // utime, stime, and those of children that have ended.
    let [user, system, user_of_ended, system_of_ended] = fields
        .get(11..15)
        .and_then(|four| four.try_into().ok())
        .context("fields are missing")?;
    time.user_ticks += user + user_of_ended;
    time.system_ticks += system + system_of_ended;
    for thread in numbered(&format!("/proc/{pid}/task")) {
        let account = fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat"));
        let account = account.unwrap_or_default();
        let ns = account
            .split_whitespace()
            .next()
            .and_then(|ns| ns.parse().ok());
        time.threads.insert(thread, ns.unwrap_or_default());
    }
    Ok(())
}

fn numbered(directory: &str) -> Vec<i32> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v1_work_shows_as_cpu_time() {
        let own = Watched::own();
        let before = own.cpu().expect("this process");
        let mut worked = 0u64;
        while own.cpu().expect("this process").since(&before).total_us < 30_000.0 {
            worked = std::hint::black_box(worked + 1);
        }
        let spent = own.cpu().expect("this process").since(&before);
        let parts = spent.user_us + spent.system_us;
        assert!((parts - spent.total_us).abs() < 1.0, "{spent:?}");
        assert!(own.memory().expect("this process").rss_kib > 100);
        assert!(Watched::new(i32::MAX).is_err());
    }
}
