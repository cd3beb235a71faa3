//! The store of events: whether it opens, or the relay that has it open is well.
//!
//! Not here: whether every index leads where it should, which is `trellis check`'s.

use super::disk;
use super::report::bytes;
use crate::commands::health::{Page, parse};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use trellis_relay::config::Config;
use trellis_relay::extension::Findings;
use trellis_relay::filter::Filter;
use trellis_relay::parts::{self, PartsError};
use trellis_relay::store::lmdb::LmdbStore;
use trellis_relay::store::{Budget, Order, Scan, Store as _, StoreError};

/// How long a running relay may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of the relay that works on the store.
pub(super) enum Relay {
    /// It runs.
    Runs,
    /// It does not, and the newest event in its store says so many seconds since 1970.
    Stopped { newest_s: Option<u64> },
}

impl Relay {
    pub(super) fn is_running(&self) -> bool {
        matches!(self, Relay::Runs)
    }
}

pub(super) fn look(config: &Config, found: &mut Findings) -> Relay {
    let data = &config.data.path;
    let stopped = |newest_s| Relay::Stopped { newest_s };
    if !data.join("data.mdb").is_file() {
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
        return match is_served(config) {
            true => Relay::Runs,
            false => stopped(None),
        };
    }
    match parts::open_store(config) {
        Ok(store) => {
            of_store(&store, found);
            stopped(newest_s(&store))
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

/// Whether somebody listens at the admin socket.
fn is_served(config: &Config) -> bool {
    let path = config.data.admin_socket_path();
    path.is_some_and(|path| UnixStream::connect(Path::new(&path)).is_ok())
}

fn of_store(store: &LmdbStore, found: &mut Findings) {
    match store.stats() {
        Ok(stats) if stats.full => found.fail(
            "database",
            format!(
                "it is full: {} of {}",
                bytes(stats.used_bytes),
                bytes(stats.quota_bytes)
            ),
            "raise data.map_size, or remove something (docs/runbooks/disk-full.md)",
        ),
        Ok(stats) => found.ok(
            "database",
            format!(
                "it opens: {} events, {}",
                stats.events,
                bytes(stats.used_bytes)
            ),
        ),
        Err(error) => found.fail(
            "database",
            error.to_string(),
            "docs/runbooks/restore.md says what can be done",
        ),
    }
}

/// `created_at` of the newest event.
fn newest_s(store: &LmdbStore) -> Option<u64> {
    let filter = Filter::default();
    let page = store.scan(&Scan {
        filter: &filter,
        order: Order::NewestFirst,
        resume: None,
        max_row: u64::MAX,
        now: 0,
        budget: Budget {
            events: 1,
            entries: 100,
            bytes: usize::MAX,
            time: PATIENCE,
        },
    });
    let events = page.ok()?.events;
    events.first().map(|stored| stored.event.created_at())
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
