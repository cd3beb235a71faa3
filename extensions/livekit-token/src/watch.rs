//! What is counted, for operators: the names, labels and meanings of this extension's metrics.
//!
//! Invariant: no label holds a key, an address, a room or a group, so the number of series is bounded by this file.
//! `docs/metrics.md` holds the table, and a test compares them. Histograms have the core's buckets of seconds.

use crate::failure::Failure;
use crate::livekit::LiveKitError;
use metrics::{counter, histogram};
use std::time::Instant;
use trellis_relay::metrics::{Described, Kind};

/// Every metric of the extension, by name.
#[rustfmt::skip]
pub(crate) const TABLE: &[Described] = &[
    Described::new(Kind::Counter, COMMITS, &["result"], "MLS commits: `accepted`, `conflict` (another was first), `refused`."),
    Described::new(Kind::Counter, ISSUED, &["route", "result"], "Requests for tokens by route (`community`, `group`, `dm`, `well_known`) and what came of them: `issued`, or the code of the error in lower case."),
    Described::new(Kind::Histogram, LIVEKIT, &["operation", "result"], "Time of one call to LiveKit's API; the result is `ok`, `not_found`, `refused` or `unreachable`."),
    Described::new(Kind::Counter, PROXIED, &["action", "result"], "Requests to `/proxy`: `upload`, `download`, or `unknown` where that was not read, and `done` or the code of the error in lower case."),
    Described::new(Kind::Counter, REPLAYS, &[], "Tokens that somebody used who was not the first, while they were good."),
    Described::new(Kind::Counter, ROOMS, &["what"], "Rooms that were `opened` for an event, `closed` by the relay, or `finished` by themselves."),
    Described::new(Kind::Counter, WEBHOOKS, &["event", "result"], "Webhooks of LiveKit by event (`participant_joined`, `participant_left`, `room_started`, `room_finished`, `other`) and what became of them: `taken`, `repeated`, `forged`."),
];

const COMMITS: &str = "livekit_token_commits_total";
const ISSUED: &str = "livekit_token_issued_total";
const LIVEKIT: &str = "livekit_token_livekit_seconds";
const PROXIED: &str = "livekit_token_proxied_total";
const REPLAYS: &str = "livekit_token_replays_total";
const ROOMS: &str = "livekit_token_rooms_total";
const WEBHOOKS: &str = "livekit_token_webhooks_total";

/// What came of a request for a token.
pub(crate) fn token_asked_for<T>(route: &'static str, result: &Result<T, Failure>) {
    let result = result
        .as_ref()
        .map_or_else(|failure| failure.code.label(), |_| "issued");
    counter!(ISSUED, "route" => route, "result" => result).increment(1);
}

/// Takes the time of one call to LiveKit.
pub(crate) async fn call<T>(
    operation: &'static str,
    work: impl Future<Output = Result<T, LiveKitError>>,
) -> Result<T, LiveKitError> {
    let begun = Instant::now();
    let result = work.await;
    let label = match &result {
        Ok(_) => "ok",
        Err(LiveKitError::NotFound) => "not_found",
        Err(LiveKitError::Refused(_)) => "refused",
        Err(LiveKitError::Unreachable) => "unreachable",
    };
    let seconds = begun.elapsed().as_secs_f64();
    histogram!(LIVEKIT, "operation" => operation, "result" => label).record(seconds);
    result
}

/// What became of a webhook: `taken`, `repeated` or `forged`.
pub(crate) fn webhook(event: &str, result: &'static str) {
    let event = match event {
        "participant_joined" => "participant_joined",
        "participant_left" => "participant_left",
        "room_started" => "room_started",
        "room_finished" => "room_finished",
        _ => "other",
    };
    counter!(WEBHOOKS, "event" => event, "result" => result).increment(1);
}

/// What happened to a room: `opened`, `closed` or `finished`.
pub(crate) fn room(what: &'static str) {
    counter!(ROOMS, "what" => what).increment(1);
}

/// What became of a commit: `accepted`, `conflict` or `refused`.
pub(crate) fn commit(result: &'static str) {
    counter!(COMMITS, "result" => result).increment(1);
}

/// A copy of a token was used.
pub(crate) fn replay() {
    counter!(REPLAYS).increment(1);
}

/// What became of a request to `/proxy`.
pub(crate) fn proxied<T>(action: &'static str, result: &Result<T, Failure>) {
    let result = result
        .as_ref()
        .map_or_else(|failure| failure.code.label(), |_| "done");
    counter!(PROXIED, "action" => action, "result" => result).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l19_the_page_of_documentation_is_this_table() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        let page = include_str!("../../../docs/metrics.md");
        let rows: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("| `livekit_token_"))
            .collect();
        let table: Vec<String> = TABLE.iter().map(ToString::to_string).collect();
        assert_eq!(rows, table);
    }
}
