//! What raises an alert, and that each is told once.

use crate::alerts::alert::{Kind, News, Turn};
use crate::alerts::books::{Books, REST_S, by_id};
use crate::alerts::conditions::{SILENT_MAX, WITHOUT_QUORUM_S, of_state};
use crate::alerts::noted::{Noted, QUIET_S};
use crate::fields;
use crate::sample::{developer, reboot, report, signal, upgrade};
use std::sync::Arc;
use trellis_qube_protocol::{FleetState, Ledger, Network, Pubkey, VoteScope};
use trellis_relay::event::Event;

const NOW_S: u64 = 1_700_000_000;
const TTL_S: u64 = 30 * 86_400;

/// What follows from these events, a moment after the last.
fn state(signals: &[Event], reports: &[Event], now_s: u64) -> FleetState {
    let key = |it| Pubkey::from_bytes(*developer(it).pubkey().as_bytes());
    let network = Network::new("hyperqube".parse().unwrap(), (0..3).map(key), 2).unwrap();
    let mut network = network;
    network.max_node_ids_per_pubkey = 10_000;
    let mut ledger = Ledger::new(vec![network], VoteScope::Network);
    for signal in signals {
        ledger.insert_signal(fields::signal(signal).unwrap());
    }
    for report in reports {
        ledger.insert_ack(fields::ack(report).unwrap());
    }
    ledger.state(now_s)
}

fn found(state: &FleetState, now_s: u64) -> Vec<(Kind, String)> {
    let alerts = of_state(state, now_s, TTL_S);
    alerts.into_iter().map(|it| (it.kind, it.summary)).collect()
}

fn agreed(version: &str) -> Vec<Event> {
    (0..2)
        .map(|it| upgrade(&developer(it), version, "ab", NOW_S + it))
        .collect()
}

#[test]
fn q14_a_failure_is_one_alert_for_its_action() {
    let nodes = (0..8).map(|it| {
        let error = (it < 7).then_some("no room");
        report(&format!("node-{it}"), "v1.4.0", error, NOW_S + 100)
    });
    let nodes: Vec<Event> = nodes.collect();
    let state = state(&agreed("v1.4.0"), &nodes, NOW_S + 200);
    let said = "Upgrade to v1.4.0 failed on 7 nodes: node-0, node-1, node-2, node-3, node-4, ...";
    assert_eq!(
        found(&state, NOW_S + 200),
        [(Kind::FailedAction, said.to_owned())]
    );
    assert_eq!(
        found(&state, NOW_S + 200 + 2 * TTL_S),
        [],
        "what is long over"
    );
}

#[test]
fn q14_a_failure_ends_with_what_takes_the_place_of_its_action() {
    let failed = [report("node-1", "v1.4.0", Some("no room"), NOW_S + 5)];
    let mut signals = agreed("v1.4.0");
    let next = (0..2).map(|it| upgrade(&developer(it), "v1.4.1", "ab", NOW_S + 60 + it));
    signals.extend(next);
    let now_s = NOW_S + 70;
    assert_eq!(found(&state(&signals, &failed, now_s), now_s), []);
}

#[test]
fn q14_a_deadline_without_quorum_and_one_that_is_missed() {
    let deadline_s = NOW_S + 3_600;
    let one = [reboot(&developer(0), "v2.0.0", deadline_s, NOW_S)];
    assert_eq!(found(&state(&one, &[], deadline_s - 1), deadline_s - 1), []);
    let later = deadline_s + 1;
    let said = "Reboot to v2.0.0 found 1 of the 2 votes that it needed";
    assert_eq!(
        found(&state(&one, &[], later), later),
        [(Kind::NoQuorum, said.to_owned())]
    );
    // Half an hour to report is theirs.
    let much_later = deadline_s + 1_801;
    let long_later = deadline_s + WITHOUT_QUORUM_S;
    assert_eq!(found(&state(&one, &[], long_later), long_later), []);
    let before = agreed("v1.0.0");
    let node = [report("node-1", "v1.0.0", None, NOW_S + 10)];
    let both = (0..2).map(|it| reboot(&developer(it), "v2.0.0", deadline_s, NOW_S + 20 + it));
    let all: Vec<Event> = before.into_iter().chain(both).collect();
    let kinds: Vec<Kind> = found(&state(&all, &node, much_later), much_later)
        .into_iter()
        .map(|(kind, _)| kind)
        .collect();
    assert_eq!(kinds, [Kind::MissedDeadline]);
}

#[test]
fn q14_a_proposal_that_was_forgotten_long_before_its_deadline_is_over_a_week_later() {
    let deadline_s = NOW_S + 300 * 86_400;
    let one = [reboot(&developer(0), "v2.0.0", deadline_s, NOW_S)];
    let kinds = |now_s| {
        let found = found(&state(&one, &[], now_s), now_s);
        found.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
    };
    let forgotten_s = NOW_S + TTL_S;
    assert_eq!(kinds(forgotten_s), []);
    assert_eq!(kinds(forgotten_s + 1), [Kind::NoQuorum]);
    assert_eq!(kinds(forgotten_s + WITHOUT_QUORUM_S), []);
}

#[test]
fn q14_a_deadline_at_the_end_of_time_is_compared_without_overflow() {
    let one = [reboot(&developer(0), "v2.0.0", u64::MAX, NOW_S)];
    let state = state(&one, &[], NOW_S + 1);
    assert_eq!(found(&state, NOW_S + 1), []);
    assert_eq!(of_state(&state, NOW_S + 1, u64::MAX), []);
}

#[test]
fn q14_two_hashes_of_a_version_are_a_conflict() {
    let signals = [
        upgrade(&developer(0), "v1.4.0", "ab", NOW_S),
        upgrade(&developer(1), "v1.4.0", "cd", NOW_S),
    ];
    let state = state(&signals, &[], NOW_S + 1);
    let found = found(&state, NOW_S + 1);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, Kind::Conflict);
    assert!(
        found[0]
            .1
            .starts_with("v1.4.0 is signed with 2 hashes: abababab by "),
        "{found:?}"
    );
}

#[test]
fn q14_two_genesis_hashes_of_a_reboot_are_a_conflict_before_its_deadline() {
    let tagged = |number, hash: &str| {
        signal(&developer(number), "v2.0.0", "ab", NOW_S)
            .tag(["action", "reboot"])
            .tag(["genesis_url", "https://genesis.example.com/1.json"])
            .tag(["required_by", &(NOW_S + 3_600).to_string()])
            .tag(["genesis_hash", &hash.repeat(32)])
            .sign()
    };
    let state = state(&[tagged(0, "12"), tagged(1, "34")], &[], NOW_S + 1);
    let found = found(&state, NOW_S + 1);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, Kind::Conflict);
    let said = "The reboot to v2.0.0 is signed with 2 genesis hashes: 12121212 by ";
    assert!(found[0].1.starts_with(said), "{found:?}");
}

#[test]
fn q14_a_reboot_that_is_called_off_in_time_raises_nothing() {
    let deadline_s = NOW_S + 3_600;
    let mut signals = agreed("v1.0.0");
    signals.extend((0..2).map(|it| reboot(&developer(it), "v2.0.0", deadline_s, NOW_S + 20)));
    signals.push(upgrade(&developer(1), "v1.0.0", "ab", NOW_S + 3_000));
    let nodes = [report("node-1", "v1.0.0", None, NOW_S + 10)];
    for now_s in [deadline_s + 1, deadline_s + 1_801, deadline_s + 3 * 86_400] {
        assert_eq!(found(&state(&signals, &nodes, now_s), now_s), []);
    }
}

#[test]
fn q14_a_failure_that_is_reported_on_a_mere_proposal_raises_nothing() {
    let one = [upgrade(&developer(0), "v1.4.0", "ab", NOW_S)];
    let failed = [report("stranger", "v1.4.0", Some("no"), NOW_S + 5)];
    assert_eq!(found(&state(&one, &failed, NOW_S + 9), NOW_S + 9), []);
}

#[test]
fn q14_silent_nodes_raise_so_many_alerts_and_no_more() {
    let nodes =
        (0..SILENT_MAX + 50).map(|it| report(&format!("node-{it:03}"), "v1.0.0", None, NOW_S + 10));
    let nodes: Vec<Event> = nodes.collect();
    let mut signals = agreed("v1.0.0");
    signals.extend((0..2).map(|it| upgrade(&developer(it), "v1.1.0", "ab", NOW_S + 100 + it)));
    let now_s = NOW_S + 10 * 86_400;
    let found = found(&state(&signals, &nodes, now_s), now_s);
    assert_eq!(found.len(), SILENT_MAX + 1);
    assert!(found.iter().all(|(kind, _)| *kind == Kind::SilentNode));
    assert_eq!(found[0].1, "node-000 does not report any more");
    assert_eq!(
        found[SILENT_MAX].1,
        "more than 100 nodes do not report any more"
    );
}

#[test]
fn q14_a_beginning_and_an_end_are_told_once_each() {
    let state = state(
        &agreed("v1.4.0"),
        &[report("node-1", "v1.4.0", Some("no room"), NOW_S + 5)],
        NOW_S + 10,
    );
    let alerts = by_id(of_state(&state, NOW_S + 10, TTL_S));
    let mut books = Books::default();
    let turns = |news: &[News]| {
        news.iter()
            .map(|it| (it.seq, it.status))
            .collect::<Vec<_>>()
    };
    let take = |books: &mut Books, news: Vec<News>| {
        news.into_iter().for_each(|it| books.take(Arc::new(it)));
    };
    let begun = books.compare(&alerts, NOW_S);
    assert_eq!(turns(&begun), [(0, Turn::Firing)]);
    take(&mut books, begun);
    assert_eq!(books.compare(&alerts, NOW_S), []);
    let ended = books.compare(&by_id([]), NOW_S + 60);
    assert_eq!(turns(&ended), [(1, Turn::Resolved)]);
    assert_eq!((ended[0].since, ended[0].at), (NOW_S, NOW_S + 60));
    take(&mut books, ended);
    assert_eq!(books.compare(&by_id([]), NOW_S), []);
    assert_eq!(books.log.len(), 2);
}

#[test]
fn q14_a_node_that_reports_this_and_that_in_turns_is_told_of_now_and_then() {
    let at = |failed: bool, now_s: u64| {
        let error = failed.then_some("no room");
        let nodes = [report("node-1", "v1.4.0", error, NOW_S + 5)];
        of_state(&state(&agreed("v1.4.0"), &nodes, now_s), now_s, TTL_S)
    };
    let mut books = Books::default();
    let mut turns = 0;
    let mut look = |failed: bool, now_s: u64| {
        let mut alerts = by_id(at(failed, now_s));
        books.hold(&mut alerts, now_s);
        let news = books.compare(&alerts, now_s);
        turns += news.len();
        news.into_iter().for_each(|it| books.take(Arc::new(it)));
        turns
    };
    let begun_s = NOW_S + 10;
    for second in 0..2 * REST_S {
        assert_eq!(look(second % 2 == 0, begun_s + second), 1, "{second}");
    }
    // The last second was one of success.
    let over_s = begun_s + 2 * REST_S - 1 + REST_S;
    assert_eq!(look(false, over_s - 1), 1);
    assert_eq!(look(false, over_s), 2, "it is over");
    assert_eq!(look(true, over_s + 1), 3, "and begins again at once");
}

#[test]
fn q14_attempts_are_one_alert_until_nobody_tries_any_more() {
    let mut noted = Noted::default();
    let stranger = Pubkey::from_bytes([7; 32]);
    for after_s in 0..500 {
        noted.attempt(Some("hyperqube"), &stranger, NOW_S + after_s);
    }
    let alerts = noted.alerts(NOW_S + 500);
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].kind, Kind::Unauthorised);
    assert!(
        alerts[0].summary.ends_with("; 500 attempts so far"),
        "{alerts:?}"
    );
    assert_eq!(noted.alerts(NOW_S + 499 + QUIET_S), []);
}
