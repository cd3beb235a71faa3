//! The store of events: whether it can be read, or the relay that has it open is well.
//!
//! Invariant: nothing in it is changed, by a newer program neither, and no relay is kept from starting, but in the moment
//! in which the lock is tried.
//!
//! A file that lacks more than a little of its end is told. Where it lacks just that little, or the disk cannot read a page,
//! the system ends this program with SIGBUS, and no line is printed at all.
//!
//! Not here: whether every index leads where it should, which is `trellis check`'s.

use super::ownership::{AS_ITS_USER, is_ours};
use super::report::bytes;
use crate::commands::health::{Page, parse};
use serde_json::Value;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use trellis_relay::config::Config;
use trellis_relay::extension::Findings;
use trellis_relay::parts::{self, PartsError};
use trellis_relay::store::StoreError;
use trellis_relay::store::lmdb::StoreGlance;

pub(super) const CHECK: &str = "database";
const NONE_YET: &str = "there is none yet; it is made at the first start";
/// Where a relay says that its store is not well.
const UNWELL: &str = "docs/runbooks/disk-full.md, docs/runbooks/restart.md";
/// How long a running relay may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of the relay that works on the store.
#[derive(Clone, Copy, Debug)]
pub(super) enum Relay {
    /// It runs.
    Runs,
    /// It does not, and the newest event in its store says so many seconds since 1970.
    Stopped { newest_s: Option<u64> },
    /// This user may not see whether it runs.
    Unknown,
}

impl Relay {
    pub(super) fn is_stopped(self) -> bool {
        matches!(self, Relay::Stopped { .. })
    }

    pub(super) fn is_running(self) -> bool {
        matches!(self, Relay::Runs)
    }
}

pub(super) fn look(config: &Config, found: &mut Findings) -> Relay {
    let data = &config.data.path;
    let stopped = |newest_s| Relay::Stopped { newest_s };
    let file = data.join("data.mdb");
    let is_missing = match file.metadata() {
        // As a first start that was cut off leaves it.
        Ok(metadata) => metadata.len() == 0 && is_ours(&file),
        Err(error) => error.kind() == ErrorKind::NotFound,
    };
    if is_missing {
        found.ok(CHECK, NONE_YET);
        return stopped(None);
    }
    if !is_ours(&file) {
        return of_another(config, found);
    }
    match parts::look_into_store(config) {
        Ok(Some(seen)) => {
            of_store(&seen, config, found);
            stopped(seen.newest_s)
        }
        Ok(None) => {
            found.ok(CHECK, NONE_YET);
            stopped(None)
        }
        Err(PartsError::Store {
            source: StoreError::InUse(_),
            ..
        }) => {
            of_running(config, found);
            Relay::Runs
        }
        // Its lock, or what is between.
        Err(PartsError::Store {
            source: StoreError::Io(error),
            ..
        }) if error.kind() == ErrorKind::PermissionDenied => of_another(config, found),
        Err(error) => {
            let error = anyhow::Error::from(error);
            let advice = "docs/runbooks/restore.md says what can be done";
            found.fail(CHECK, format!("{error:#}"), advice);
            stopped(None)
        }
    }
}

/// What can be known of a relay whose files are another user's: by its admin socket, and by its port.
fn of_another(config: &Config, found: &mut Findings) -> Relay {
    let socket = config.data.admin_socket_path();
    let has_socket = match socket.map(UnixStream::connect) {
        Some(Ok(_)) => Some(true),
        Some(Err(error)) if is_nobody(error.kind()) => Some(false),
        // The socket is its user's alone, or there is none.
        _ => None,
    };
    let page = Page::of_own_relay(&config.network).ok();
    let said = page.as_ref().and_then(|page| page.ask(PATIENCE).ok());
    let said = said
        .and_then(|answer| parse(&answer))
        .and_then(|(_, body)| serde_json::from_str::<Value>(&body).ok())
        .filter(|said| said["store"].is_string());
    let told = format!(
        "what is in {} is another user's, so it was not opened",
        config.data.path.display()
    );
    if let (Some(page), Some(said)) = (&page, &said) {
        let store = said["store"].as_str().unwrap_or_default();
        let told = format!("{told}; the relay at {page} says that its store is {store}");
        match store {
            "ok" => found.warn(CHECK, told, AS_ITS_USER),
            _ => found.fail(CHECK, told, UNWELL),
        }
        of_extensions(said, found);
    } else {
        found.warn(CHECK, told, AS_ITS_USER);
    }
    match (has_socket, said) {
        (Some(true), _) => Relay::Runs,
        (Some(false), None) => Relay::Stopped { newest_s: None },
        // What answers there may be a relay with another directory, or another socket.
        (Some(false) | None, Some(_)) | (None, None) => Relay::Unknown,
    }
}

fn is_nobody(error: ErrorKind) -> bool {
    matches!(error, ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

fn of_store(seen: &StoreGlance, config: &Config, found: &mut Findings) {
    let quota_bytes = config.data.map_size.bytes();
    let (events, used) = (seen.events, bytes(seen.used_bytes));
    if seen.used_bytes >= quota_bytes {
        found.fail(
            CHECK,
            format!("it is full: {used} of {}", bytes(quota_bytes)),
            "raise data.map_size, or remove something (docs/runbooks/disk-full.md)",
        );
    } else if seen.schema < seen.known {
        let StoreGlance { schema, known, .. } = seen;
        let moves = match seen.has_to_move {
            true => ", which moves all records and takes a while",
            false => "",
        };
        found.warn(
            CHECK,
            format!("it can be read: {events} events, {used}, of schema version {schema}"),
            format!(
                "the next start migrates it to {known}{moves}, and older versions of Trellis refuse it then: make a copy before"
            ),
        );
    } else if seen.has_to_move {
        found.warn(
            CHECK,
            format!("it can be read: {events} events, {used}; a start that moved its records was cut off"),
            "the next start goes on with that, and opens when all have moved: see that the disk has room",
        );
    } else {
        found.ok(CHECK, format!("it can be read: {events} events, {used}"));
    }
}

fn of_running(config: &Config, found: &mut Findings) {
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
    let said: Value = serde_json::from_str(&body).unwrap_or_default();
    match (status, said["store"].as_str()) {
        (_, Some("ok")) => found.ok(CHECK, format!("{running}, and says that it is well")),
        (_, Some(store)) => {
            found.fail(
                CHECK,
                format!("{running}, and says that it is {store}"),
                UNWELL,
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
    of_extensions(&said, found);
}

/// What the running relay says of its extensions.
fn of_extensions(said: &Value, found: &mut Findings) {
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
