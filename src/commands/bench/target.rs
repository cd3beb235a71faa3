//! The relay that is measured: where it is, which process it is, and which core is left for this program.

use super::process::Watched;
use anyhow::{anyhow, ensure};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::time::Duration;
use url::Url;

/// Files that are open besides connections, at most.
const OTHER_FILES: u64 = 50;

#[derive(Debug, Args)]
pub(super) struct Target {
    /// The relay's address, as ws://127.0.0.1:8080.
    #[arg(short, long, value_parser = ws_url)]
    pub(super) url: Url,
    /// The relay's process, to read its CPU and memory; what it starts is counted with it.
    #[arg(short, long)]
    pid: Option<i32>,
    /// Stay on this core, so that the relay can have the others (taskset -c).
    #[arg(long, value_name = "CORE")]
    pin: Option<usize>,
    /// Give up where the relay answers nothing for so long. Seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    patience: u64,
}

impl Target {
    /// Pins this process, gives it the files it may open, and looks for the relay's process.
    pub(super) fn prepare(&self) -> anyhow::Result<Option<Watched>> {
        pin(self.pin)?;
        let files = getrlimit(Resource::Nofile);
        let most = Rlimit {
            current: files.maximum,
            ..files
        };
        // Whether it is enough, `ensure_files_for` says.
        let _ = setrlimit(Resource::Nofile, most);
        self.pid.map(Watched::new).transpose()
    }

    /// Whether so many connections may be open at once.
    pub(super) fn ensure_files_for(&self, connections: usize) -> anyhow::Result<()> {
        let needed = connections as u64 + OTHER_FILES;
        if let Some(limit) = getrlimit(Resource::Nofile).current {
            ensure!(
                needed <= limit,
                "{connections} connections need {needed} open files, and this process may have {limit}: raise the limit \
                 (ulimit -n {needed}), the relay's too"
            );
        }
        Ok(())
    }

    /// How long to wait for an answer.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}

/// Keeps this thread, and those it starts, on one core.
pub(super) fn pin(core: Option<usize>) -> anyhow::Result<()> {
    let Some(core) = core else {
        return Ok(());
    };
    let mut cores = CpuSet::new();
    let is_pinned = core < CpuSet::MAX_CPU && {
        cores.set(core);
        sched_setaffinity(None, &cores).is_ok()
    };
    is_pinned.then_some(()).ok_or_else(|| {
        anyhow!(
            "there is no core {core}; this process may use {}",
            usable_cores()
        )
    })
}

/// As `0-3,6`.
fn usable_cores() -> String {
    let usable = sched_getaffinity(None).unwrap_or_default();
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for core in (0..CpuSet::MAX_CPU).filter(|core| usable.is_set(*core)) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == core => *last = core,
            _ => runs.push((core, core)),
        }
    }
    let runs = runs.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    runs.collect::<Vec<_>>().join(",")
}

fn ws_url(text: &str) -> Result<Url, String> {
    let example = "a relay's address is as ws://127.0.0.1:8080";
    let url = Url::parse(text).map_err(|_| example.to_owned())?;
    match url.scheme() {
        "ws" if url.host_str().is_some() => Ok(url),
        "wss" => Err("measure without TLS, at the relay's own ws:// address".to_owned()),
        _ => Err(example.to_owned()),
    }
}
