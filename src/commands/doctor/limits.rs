//! What the system lets the relay have: open files, and address space for the store.

use rustix::process::{Resource, getrlimit};
use std::os::unix::net::UnixStream;
use trellis_relay::config::Config;
use trellis_relay::extension::Findings;

/// Files that are open besides connections: the store, logs, databases and servers of extensions.
const OTHER_FILES: u64 = 512;

/// Limits, `None` where there is none.
struct OpenFiles {
    soft: Option<u64>,
    hard: Option<u64>,
    whose: &'static str,
}

pub(super) fn look(config: &Config, found: &mut Findings) {
    open_files(config, found);
    address_space(config, found);
}

/// The relay raises its soft limit to the hard one when it starts, so the hard one counts.
fn open_files(config: &Config, found: &mut Findings) {
    let limits = of_running(config).unwrap_or_else(|| {
        let own = getrlimit(Resource::Nofile);
        OpenFiles {
            soft: own.current,
            hard: own.maximum,
            whose: "of this shell",
        }
    });
    let connections = u64::from(config.network.max_connections);
    let needed = connections + OTHER_FILES;
    let shown = |limit: Option<u64>| limit.map_or("no limit".to_owned(), |limit| limit.to_string());
    let told = format!(
        "{} hard, {} soft ({}); network.max_connections is {connections}",
        shown(limits.hard),
        shown(limits.soft),
        limits.whose
    );
    match limits.hard {
        Some(hard) if hard < needed => found.fail(
            "open files",
            told,
            format!(
                "allow {needed} (LimitNOFILE={needed}, --ulimit nofile={needed}, ulimit -Hn), or set network.max_connections \
                 to {} at most",
                hard.saturating_sub(OTHER_FILES)
            ),
        ),
        _ => found.ok("open files", told),
    }
}

/// The limits of the relay that runs, which a service manager may have set otherwise than a shell.
#[cfg(target_os = "linux")]
fn of_running(config: &Config) -> Option<OpenFiles> {
    let socket = UnixStream::connect(config.data.admin_socket_path()?).ok()?;
    let peer = rustix::net::sockopt::socket_peercred(&socket).ok()?;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", peer.pid.as_raw_nonzero()));
    let limits = limits.ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    let mut numbers = line.split_whitespace().map(|word| word.parse().ok());
    Some(OpenFiles {
        soft: numbers.next()?,
        hard: numbers.next()?,
        whose: "of the running relay",
    })
}

#[cfg(not(target_os = "linux"))]
fn of_running(_config: &Config) -> Option<OpenFiles> {
    None
}

fn address_space(config: &Config, found: &mut Findings) {
    let map = config.data.map_size.bytes();
    if let Some(limit) = getrlimit(Resource::As).maximum
        && limit < map.saturating_add(1 << 30)
    {
        found.fail(
            "address space",
            format!(
                "{} allowed; the store takes {} at once",
                super::report::bytes(limit),
                super::report::bytes(map)
            ),
            "lift the limit (ulimit -Hv unlimited, LimitAS=infinity), or lower data.map_size",
        );
    }
}
