//! The operators' guide's list of what has to be there before the public is let in, an item a line.
//!
//! Invariant: an item is ok only where all of it was seen. What was not seen but may be so is for a person to confirm, and
//! says where to look.

mod components;
mod pages;

use super::certificate::Certificate;
use super::database::Relay;
use super::patient::Patient;
use super::public_address::Seen;
use trellis_relay::config::Config;
use trellis_relay::extension::{Endpoint, Finding, Findings, Grade};

/// What was seen before.
pub(super) struct Before<'a> {
    /// By all other checks.
    pub(super) found: &'a Findings,
    pub(super) relay: Relay,
    pub(super) address: &'a Seen,
    /// Of what clients are told, by extensions and by the relay's document.
    pub(super) endpoints: &'a [Endpoint],
    /// Of those and of the relay's own address.
    pub(super) certificates: &'a [Certificate],
}

pub(super) async fn look(patient: &Patient, seen: &Before<'_>) -> Findings {
    let config = &patient.loaded.config;
    let (found, address) = (seen.found, seen.address);
    let mut list = Findings::default();
    components::look(patient, seen, &mut list).await;
    components::tls(seen, &mut list);
    components::information(address, &mut list);
    work(config, &mut list);
    as_found(
        "LiveKit records nothing",
        found,
        "livekit_token: recording",
        "look into LiveKit's own configuration",
        &mut list,
    );
    as_found(
        "types of media",
        found,
        "blossom_policy: types",
        "look into the Blossom server's own configuration",
        &mut list,
    );
    rates(config, &mut list);
    monitoring(config, &mut list);
    backups(found, &mut list);
    pages::policy(patient, address, &mut list).await;
    pages::security_contact(patient, address, &mut list).await;
    retention(config, &mut list);
    list
}

/// Files the relay removes itself; its standard error is somebody else's.
fn retention(config: &Config, list: &mut Findings) {
    let log = &config.log;
    let files = match &log.directory {
        Some(directory) => format!(
            "files in {} are kept for {} and {} at most; ",
            directory.display(),
            log.request_retention,
            log.error_retention
        ),
        None => String::new(),
    };
    list.by_hand(
        "retention of logs",
        format!(
            "{files}the log on standard error (log.filter = {:?}) is kept by whoever takes it",
            log.filter
        ),
        "requests 24 hours, errors 7 days at most: MaxRetentionSec of journald, the logging driver, Cloud Logging's bucket \
         (docs/logging.md)",
    );
}

fn work(config: &Config, list: &mut Findings) {
    const ITEM: &str = "proof of work";
    let asked: Vec<String> = config
        .pow
        .iter()
        .map(|(kind, bits)| format!("kind {kind}: {bits} bits"))
        .collect();
    match asked.is_empty() {
        true => list.fail(
            ITEM,
            "no kind needs any",
            "set [pow] for the kinds that have a target",
        ),
        false => list.ok(ITEM, asked.join(", ")),
    }
}

/// What an extension has found of itself.
fn as_found(item: &str, found: &Findings, check: &str, elsewhere: &str, list: &mut Findings) {
    match found.all.iter().find(|finding| finding.check == check) {
        Some(finding) => list.all.push(Finding {
            check: item.to_owned(),
            ..finding.clone()
        }),
        None => list.by_hand(
            item,
            "it is not this relay's, or does not answer",
            elsewhere,
        ),
    }
}

fn rates(config: &Config, list: &mut Findings) {
    const ITEM: &str = "rate limits";
    let limiter = &config.rate_limiter;
    let rules = limiter.event.len()
        + limiter.req.len()
        + limiter.count.len()
        + limiter.neg.len()
        + limiter.bytes.len()
        + limiter.connection.len();
    match (limiter.enabled, rules, limiter.event.len()) {
        (false, ..) => list.fail(ITEM, "rate_limiter.enabled is false", "set it to true"),
        (true, 0, _) => list.fail(
            ITEM,
            "there is no rule",
            "add [[rate_limiter.event]] and others (config/trellis.toml has examples)",
        ),
        (true, _, 0) => list.warn(
            ITEM,
            format!("{rules} rules, none of them for events"),
            "add [[rate_limiter.event]]",
        ),
        (true, ..) => list.ok(ITEM, format!("{rules} rules")),
    }
}

fn monitoring(config: &Config, list: &mut Findings) {
    const ITEM: &str = "monitoring and alerts";
    match config.metrics.enabled {
        false => list.fail(
            ITEM,
            "metrics.enabled is false, so nobody can be warned",
            "set it to true",
        ),
        true => list.by_hand(
            ITEM,
            "metrics are on; whether somebody reads them and is woken no program here can tell",
            "load config/alerts into Prometheus, and fire one alert (docs/deploying/monitoring.md)",
        ),
    }
}

fn backups(found: &Findings, list: &mut Findings) {
    const ITEM: &str = "backups tested";
    let failing = |finding: &&Finding| finding.check == "backup" && finding.grade == Grade::Fail;
    match found.all.iter().find(failing) {
        Some(finding) => list.fail(ITEM, finding.found.clone(), "mend what fails above"),
        None => list.by_hand(
            ITEM,
            "only who has restored one knows",
            "restore the newest into an empty directory and start a relay with it (docs/runbooks/restore.md)",
        ),
    }
}
