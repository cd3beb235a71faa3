//! What the system lets the relay have: open files, and address space for the store.
//!
//! Invariant: what a shell may have is never shown as what a running relay has.

use super::database::Relay;
use super::report::bytes;
use rustix::process::{Resource, Rlimit, getrlimit};
use std::os::unix::net::UnixStream;
use trellis_relay::config::Config;
use trellis_relay::extension::Findings;

/// Files that are open besides connections: the store, logs, databases and servers of extensions.
const OTHER_FILES: u64 = 512;
/// Address space besides the store's.
const OTHER_SPACE_BYTES: u64 = 1 << 30;
/// Where a person sees those of a process.
const WHERE: &str =
    "see Max open files in /proc/PID/limits of the relay's process, as its user or root";

/// Limits, `None` where there is none.
struct Limits {
    open_files: Rlimit,
    address_space: Rlimit,
    whose: &'static str,
}

pub(super) fn look(config: &Config, relay: Relay, found: &mut Findings) {
    let own = || Limits {
        open_files: getrlimit(Resource::Nofile),
        address_space: getrlimit(Resource::As),
        whose: "of this shell",
    };
    match (of_running(config), relay) {
        (Some(limits), _) => judge(config, &limits, found),
        (None, Relay::Stopped { .. }) => judge(config, &own(), found),
        (None, Relay::Runs | Relay::Unknown) => found.by_hand(
            "open files",
            format!(
                "those of the relay cannot be seen from here; it needs {}",
                needed_files(config)
            ),
            WHERE,
        ),
    }
}

fn judge(config: &Config, limits: &Limits, found: &mut Findings) {
    open_files(config, limits, found);
    address_space(config, limits, found);
}

fn needed_files(config: &Config) -> u64 {
    u64::from(config.network.max_connections) + OTHER_FILES
}

/// The relay raises its soft limit to the hard one when it starts, so the hard one counts.
fn open_files(config: &Config, limits: &Limits, found: &mut Findings) {
    let connections = config.network.max_connections;
    let needed = needed_files(config);
    let Rlimit { current, maximum } = limits.open_files;
    let shown = |limit: Option<u64>| limit.map_or("no limit".to_owned(), |limit| limit.to_string());
    let told = format!(
        "{} hard, {} soft ({}); network.max_connections is {connections}",
        shown(maximum),
        shown(current),
        limits.whose
    );
    match maximum {
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

/// The relay leaves this one as it is, so the soft limit counts.
fn address_space(config: &Config, limits: &Limits, found: &mut Findings) {
    let map = config.data.map_size.bytes();
    if let Some(limit) = limits.address_space.current
        && limit < map.saturating_add(OTHER_SPACE_BYTES)
    {
        found.fail(
            "address space",
            format!(
                "{} allowed ({}); the store takes {} at once",
                bytes(limit),
                limits.whose,
                bytes(map)
            ),
            "lift the limit (ulimit -v unlimited, LimitAS=infinity), or lower data.map_size",
        );
    }
}

/// The limits of the relay that runs, which a service manager may have set otherwise than a shell.
#[cfg(target_os = "linux")]
fn of_running(config: &Config) -> Option<Limits> {
    let socket = UnixStream::connect(config.data.admin_socket_path()?).ok()?;
    let peer = rustix::net::sockopt::socket_peercred(&socket).ok()?;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", peer.pid.as_raw_nonzero()));
    of_text(&limits.ok()?)
}

#[cfg(not(target_os = "linux"))]
fn of_running(_config: &Config) -> Option<Limits> {
    None
}

/// Reads a table of the kernel's.
fn of_text(text: &str) -> Option<Limits> {
    let limit = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let mut numbers = line.split_whitespace().map(|word| word.parse().ok());
        Some(Rlimit {
            current: numbers.next()?,
            maximum: numbers.next()?,
        })
    };
    Some(Limits {
        open_files: limit("Max open files")?,
        address_space: limit("Max address space")?,
        whose: "of the running relay",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d9_limits_of_a_process_are_read_from_the_kernels_table() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max open files            1024                 524288               files     \n\
                    Max address space         unlimited            unlimited            bytes     \n";
        let limits = of_text(text).expect("limits");
        assert_eq!(limits.open_files.current, Some(1_024));
        assert_eq!(limits.open_files.maximum, Some(524_288));
        assert_eq!(limits.address_space.current, None);
        assert!(of_text("Max open files 1 1 files").is_none());
    }
}
