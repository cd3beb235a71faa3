//! The store of events: whether it can be read, or the relay that has it open is well.
//!
//! Invariant: nothing in it is changed, by a newer program neither, and no relay is kept from starting.
//!
//! Not here: whether every index leads where it should, which is `trellis check`'s.

use super::disk;
use super::report::bytes;
use crate::commands::health::{Page, parse};
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use trellis_relay::config::Config;
use trellis_relay::extension::Findings;
use trellis_relay::parts::{self, PartsError};
use trellis_relay::store::StoreError;
use trellis_relay::store::lmdb::Sight;

/// How long a running relay may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of the relay that works on the store.
pub(super) enum Relay {
    /// It runs.
    Runs,
    /// It does not, and the newest event in its store says so many seconds since 1970.
    Stopped { newest_s: Option<u64> },
    /// This user may not see whether it runs.
    Unknown,
}

impl Relay {
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self, Relay::Stopped { .. })
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self, Relay::Runs)
    }
}

pub(super) fn look(config: &Config, found: &mut Findings) -> Relay {
    let data = &config.data.path;
    let stopped = |newest_s| Relay::Stopped { newest_s };
    let file = data.join("data.mdb").metadata();
    if file.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        found.ok(
            "database",
            "there is none yet; it is made at the first start",
        );
        return stopped(None);
    }
    if !disk::is_ours(data) {
        found.warn(
            "database",
            format!("{} is another user's, so it was not opened", data.display()),
            disk::AS_ITS_USER,
        );
        return of_another(config);
    }
    match parts::look_into_store(config) {
        Ok(seen) => {
            of_store(&seen, config, found);
            stopped(seen.newest_s)
        }
        Err(PartsError::Store {
            source: StoreError::InUse(_),
            ..
        }) => {
            of_running(config, found);
            Relay::Runs
        }
        Err(error) => {
            let error = anyhow::Error::from(error);
            let advice = "docs/runbooks/restore.md says what can be done";
            found.fail("database", format!("{error:#}"), advice);
            stopped(None)
        }
    }
}

/// What can be known of a relay whose files are another user's: by its admin socket, or else by its port.
fn of_another(config: &Config) -> Relay {
    let socket = config.data.admin_socket_path();
    let connected = socket.map(|path| UnixStream::connect(Path::new(&path)));
    match connected {
        Some(Ok(_)) => return Relay::Runs,
        Some(Err(error))
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            ) =>
        {
            return Relay::Stopped { newest_s: None };
        }
        // The socket is its user's alone, or there is none.
        _ => {}
    }
    let answer = Page::of_own_relay(&config.network)
        .ok()
        .and_then(|page| page.ask(PATIENCE).ok());
    let said = answer
        .and_then(|answer| parse(&answer))
        .and_then(|(_, body)| serde_json::from_str::<serde_json::Value>(&body).ok());
    match said {
        Some(said) if said["store"].is_string() => Relay::Runs,
        _ => Relay::Unknown,
    }
}

fn of_store(seen: &Sight, config: &Config, found: &mut Findings) {
    const CHECK: &str = "database";
    let quota_bytes = config.data.map_size.bytes();
    let (events, used) = (seen.events, bytes(seen.used_bytes));
    if seen.used_bytes >= quota_bytes {
        found.fail(
            CHECK,
            format!("it is full: {used} of {}", bytes(quota_bytes)),
            "raise data.map_size, or remove something (docs/runbooks/disk-full.md)",
        );
    } else if seen.schema < seen.known {
        let Sight { schema, known, .. } = seen;
        found.warn(
            CHECK,
            format!("it can be read: {events} events, {used}, of schema version {schema}"),
            format!(
                "the next start migrates it to {known}, and older versions of Trellis refuse it then: make a copy before"
            ),
        );
    } else {
        found.ok(CHECK, format!("it can be read: {events} events, {used}"));
    }
}

fn of_running(config: &Config, found: &mut Findings) {
    const CHECK: &str = "database";
    let running = "a running relay has it open";
    let page = match Page::of_own_relay(&config.network) {
        Ok(page) => page,
        Err(_) => {
            let advice = "network.port is 0, so it cannot be asked: trellis health --url http://127.0.0.1:PORT";
            return found.by_hand(CHECK, running, advice);
        }
    };
    let answer = page.ask(PATIENCE).ok();
    let Some((status, body)) = answer.and_then(|answer| parse(&answer)) else {
        let advice =
            "restart it (docs/runbooks/restart.md), unless another process has the data directory";
        return found.fail(
            CHECK,
            format!("{running}, and {page} does not answer"),
            advice,
        );
    };
    let said: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    match (status, said["store"].as_str()) {
        (_, Some("ok")) => found.ok(CHECK, format!("{running}, and says that it is well")),
        (_, Some(store)) => {
            let advice = "docs/runbooks/disk-full.md, docs/runbooks/restart.md";
            found.fail(
                CHECK,
                format!("{running}, and says that it is {store}"),
                advice,
            );
        }
        (status, None) => {
            let found_there = format!("{running}, and {page} answers {status} as no relay does");
            found.fail(
                CHECK,
                found_there,
                "see what listens there, and what has the data directory open",
            );
        }
    }
    for (extension, health) in said["extensions"].as_object().into_iter().flatten() {
        let check = format!("{extension}: health");
        let reason = health["reason"].as_str().unwrap_or("no reason is given");
        match health["status"].as_str() {
            Some("ok") => found.ok(&check, "the running relay says that it is well"),
            Some("degraded") => found.warn(&check, reason, "the running relay's log says more"),
            _ => found.fail(&check, reason, "the running relay's log says more"),
        }
    }
}
