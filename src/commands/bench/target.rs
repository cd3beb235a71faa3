//! The relay that is measured: where it is, which process it is, and which core is left for this program.

use super::process::Watched;
use anyhow::{Context as _, ensure};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::time::Duration;
use url::Url;

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
    /// Give up where the relay says nothing for so long. Seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
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
        // A limit that is too low shows when connections fail.
        let _ = setrlimit(Resource::Nofile, most);
        self.pid.map(Watched::new).transpose()
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
    ensure!(core < CpuSet::MAX_CPU, "there is no core {core}");
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).with_context(|| format!("stay on core {core}"))
}

fn ws_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "ws" if url.host_str().is_some() => Ok(url),
        "wss" => Err("measure without TLS, at the relay's own ws:// address".to_owned()),
        _ => Err("a relay's address is as ws://127.0.0.1:8080".to_owned()),
    }
}
