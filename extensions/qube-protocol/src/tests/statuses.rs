//! Each row of the table of statuses, and what nodes owe.

use super::ground::{
    ack, failure, ledger, network, network_id, node_id, node_key, reboot, state, success, upgrade,
    vote, with_options,
};
use crate::{ActionStatus, Condition, Directive, Ledger, Options, Rollout, VoteScope};

fn status(ledger: &Ledger, directive: &Directive, now_s: u64) -> ActionStatus {
    state(ledger, now_s)
        .action(&directive.key())
        .unwrap()
        .status
}

/// A ledger whose nodes 0 and 1 are known, and an upgrade that has its quorum at 102.
fn two_nodes() -> (Ledger, Directive) {
    let (mut ledger, before, directive) = (ledger(), upgrade("1.0.0"), upgrade("1.1.0"));
    vote(&mut ledger, 10, &[0, 1, 2], &before);
    for node in 0..2 {
        assert!(ledger.insert_ack(ack(node, 0, 20, &before, success())));
    }
    vote(&mut ledger, 100, &[0, 1, 2], &directive);
    (ledger, directive)
}

#[test]
fn q9_status_proposed_then_expired_when_nobody_joins() {
    let (mut ledger, directive) = (ledger(), upgrade("1.0.0"));
    vote(&mut ledger, 10, &[0], &directive);
    assert_eq!(status(&ledger, &directive, 510), ActionStatus::Proposed);
    assert_eq!(state(&ledger, 99).next_change_at, Some(511));
    assert_eq!(status(&ledger, &directive, 511), ActionStatus::Expired);
    vote(&mut ledger, 600, &[1], &directive);
    assert_eq!(status(&ledger, &directive, 601), ActionStatus::Proposed);
}

#[test]
fn q9_status_expired_when_the_deadline_passes_without_a_quorum() {
    let (mut ledger, directive) = (ledger(), reboot("1.0.0", 50));
    vote(&mut ledger, 10, &[0], &directive);
    assert_eq!(status(&ledger, &directive, 50), ActionStatus::Proposed);
    assert_eq!(status(&ledger, &directive, 51), ActionStatus::Expired);
}

#[test]
fn q9_status_superseded_when_no_vote_stands() {
    let mut ledger = ledger();
    vote(&mut ledger, 10, &[0], &upgrade("1.0.0"));
    vote(&mut ledger, 20, &[0], &upgrade("1.1.0"));
    assert_eq!(
        status(&ledger, &upgrade("1.0.0"), 30),
        ActionStatus::Superseded
    );
}

#[test]
fn q9_status_quorum_until_all_known_nodes_have_done_it() {
    let (mut ledger, directive) = two_nodes();
    assert_eq!(status(&ledger, &directive, 110), ActionStatus::Quorum);
    ledger.insert_ack(ack(0, 1, 110, &directive, success()));
    assert_eq!(status(&ledger, &directive, 110), ActionStatus::Quorum);
    ledger.insert_ack(ack(1, 2, 111, &directive, success()));
    assert_eq!(status(&ledger, &directive, 111), ActionStatus::Completed);
    // A node that comes later is not expected, one that reports is.
    ledger.insert_ack(ack(2, 2, 112, &directive, failure()));
    assert_eq!(
        status(&ledger, &directive, 112),
        ActionStatus::PartiallyFailed
    );
}

#[test]
fn q9_status_partially_failed_until_the_node_succeeds() {
    let (mut ledger, directive) = two_nodes();
    ledger.insert_ack(ack(0, 0, 110, &directive, failure()));
    ledger.insert_ack(ack(1, 0, 110, &directive, success()));
    assert_eq!(
        status(&ledger, &directive, 120),
        ActionStatus::PartiallyFailed
    );
    ledger.insert_ack(ack(0, 0, 130, &directive, success()));
    assert_eq!(status(&ledger, &directive, 130), ActionStatus::Completed);
}

#[test]
fn q9_status_superseded_by_a_later_quorum_but_not_when_completed() {
    let (mut ledger, directive) = two_nodes();
    assert_eq!(
        status(&ledger, &upgrade("1.0.0"), 110),
        ActionStatus::Completed
    );
    vote(&mut ledger, 200, &[0, 1, 2], &upgrade("1.2.0"));
    assert_eq!(status(&ledger, &directive, 210), ActionStatus::Superseded);
    assert_eq!(
        status(&ledger, &upgrade("1.2.0"), 210),
        ActionStatus::Quorum
    );
}

#[test]
fn q9_status_missed_deadline_when_reports_are_missing() {
    let (mut ledger, _) = two_nodes();
    let directive = reboot("1.2.0", 1_000);
    vote(&mut ledger, 200, &[0, 1, 2], &directive);
    ledger.insert_ack(ack(0, 0, 1_001, &directive, success()));
    assert_eq!(status(&ledger, &directive, 1_100), ActionStatus::Quorum);
    assert_eq!(
        status(&ledger, &directive, 1_101),
        ActionStatus::MissedDeadline
    );
    ledger.insert_ack(ack(1, 0, 1_300, &directive, success()));
    assert_eq!(status(&ledger, &directive, 1_300), ActionStatus::Completed);
}

#[test]
fn q9_a_reboot_whose_votes_are_taken_back_before_its_deadline_is_called_off() {
    let (mut ledger, _) = two_nodes();
    let directive = reboot("1.2.0", 1_000);
    vote(&mut ledger, 200, &[0, 1, 2], &directive);
    // One of three is enough: the rest is no quorum.
    vote(&mut ledger, 999, &[0], &upgrade("9.0.0"));
    assert!(
        !state(&ledger, 998)
            .action(&directive.key())
            .unwrap()
            .called_off
    );
    for now_s in [999, 1_101, 9_999] {
        let now = state(&ledger, now_s);
        let action = now.action(&directive.key()).unwrap();
        assert_eq!(action.status, ActionStatus::Superseded, "{now_s}");
        assert!(action.called_off && action.overdue.is_empty());
        let owes = |node: &&crate::NodeState| node.silent || node.overdue_for.is_some();
        assert_eq!(now.nodes.iter().find(owes), None);
        assert!(crate::decision::agreed(&now).is_none());
    }
    // Once its deadline is over, nobody can bring it back.
    vote(&mut ledger, 1_001, &[3], &directive);
    assert!(crate::decision::agreed(&state(&ledger, 1_002)).is_none());
    assert_eq!(status(&ledger, &directive, 1_002), ActionStatus::Superseded);
}

#[test]
fn q9_a_reboot_that_was_called_off_and_agreed_on_again_in_time_is_due() {
    let (mut ledger, _) = two_nodes();
    let directive = reboot("1.2.0", 1_000);
    vote(&mut ledger, 200, &[0, 1, 2], &directive);
    vote(&mut ledger, 300, &[0], &upgrade("9.0.0"));
    vote(&mut ledger, 400, &[3], &directive);
    let now = state(&ledger, 500);
    let action = now.current_action().unwrap();
    assert_eq!(
        (action.status, action.quorum_at),
        (ActionStatus::Quorum, Some(400))
    );
    assert_eq!(crate::decision::agreed(&now), Some(action));
    assert_eq!(
        status(&ledger, &directive, 1_101),
        ActionStatus::MissedDeadline
    );
}

#[test]
fn q9_votes_that_are_taken_back_after_it_was_due_change_nothing() {
    let (mut ledger, _) = two_nodes();
    let directive = reboot("1.2.0", 1_000);
    vote(&mut ledger, 200, &[0, 1, 2], &directive);
    vote(&mut ledger, 1_000, &[0, 1, 2], &upgrade("9.0.0"));
    assert!(
        !state(&ledger, 1_001)
            .action(&directive.key())
            .unwrap()
            .called_off
    );

    let (mut ledger, directive) = two_nodes();
    vote(&mut ledger, 203, &[0], &upgrade("9.0.0"));
    let now = state(&ledger, 210);
    let action = now.action(&directive.key()).unwrap();
    assert_eq!(action.status, ActionStatus::Quorum);
    assert_eq!(action.overdue.len(), 2);
}

#[test]
fn q9_an_upgrade_is_called_off_until_reports_on_it_are_due_but_not_when_completed() {
    let (mut ledger, directive) = two_nodes();
    ledger.insert_ack(ack(0, 1, 110, &directive, success()));
    vote(&mut ledger, 150, &[0], &upgrade("9.0.0"));
    assert_eq!(status(&ledger, &directive, 9_999), ActionStatus::Superseded);
    assert!(state(&ledger, 9_999).nodes.iter().all(|node| !node.silent));
    ledger.insert_ack(ack(1, 1, 120, &directive, success()));
    assert_eq!(status(&ledger, &directive, 9_999), ActionStatus::Completed);
}

#[test]
fn q9_what_was_done_before_does_not_complete_what_is_done_again() {
    let (mut ledger, directive) = two_nodes();
    let back = upgrade("1.0.0");
    vote(&mut ledger, 300, &[0, 1, 2], &back);
    assert_eq!(status(&ledger, &back, 310), ActionStatus::Quorum);
    for node in 0..2 {
        ledger.insert_ack(ack(node, 0, 320, &back, success()));
    }
    assert_eq!(status(&ledger, &back, 320), ActionStatus::Completed);
    assert_eq!(status(&ledger, &directive, 320), ActionStatus::Superseded);
}

#[test]
fn q9_listed_nodes_are_the_ones_expected() {
    let mut listing = network("net");
    listing.nodes = [
        (node_id("node-0"), Some(node_key(0))),
        (node_id("node-1"), None),
    ]
    .into();
    let mut ledger = Ledger::new(vec![listing], VoteScope::Network);
    let directive = upgrade("1.0.0");
    vote(&mut ledger, 10, &[0, 1, 2], &directive);
    ledger.insert_ack(ack(0, 0, 20, &directive, success()));
    ledger.insert_ack(ack(7, 0, 20, &directive, failure()));
    let now = state(&ledger, 200);
    assert_eq!(
        now.actions[0].status,
        ActionStatus::Quorum,
        "a stranger's report counts for nothing"
    );
    assert_eq!(
        (now.actions[0].acks.failure, now.actions[0].expected),
        (0, 2)
    );
    assert_eq!(now.actions[0].overdue, [node_id("node-1")]);
    assert_eq!(now.nodes.len(), 3, "but it is seen");
    ledger.insert_ack(ack(1, 0, 30, &directive, success()));
    assert_eq!(
        state(&ledger, 200).actions[0].status,
        ActionStatus::Completed
    );
}

#[test]
fn q9_nodes_are_overdue_then_silent_and_have_the_version_they_reported() {
    let (mut ledger, directive) = two_nodes();
    ledger.insert_ack(ack(0, 0, 110, &directive, success()));
    let now = state(&ledger, 202);
    assert!(now.nodes.iter().all(|node| node.overdue_for.is_none()));
    assert_eq!(now.next_change_at, Some(203));
    let later = state(&ledger, 203);
    assert_eq!(later.nodes[0].overdue_for, None);
    assert_eq!(later.nodes[0].version, Some("1.1.0".parse().unwrap()));
    assert_eq!(later.nodes[1].overdue_for, Some(directive.key()));
    assert_eq!(later.nodes[1].version, Some("1.0.0".parse().unwrap()));
    assert!(!later.nodes[1].silent);
    assert_eq!(later.current_action().unwrap().overdue, [node_id("node-1")]);
    assert_eq!(later.next_change_at, Some(1_203));
    assert!(state(&ledger, 1_203).nodes[1].silent);
}

#[test]
fn a7_nodes_whose_turn_it_is_not_are_not_overdue() {
    let (mut ledger, _) = two_nodes();
    let part = |percent| {
        let rollout = Some(Rollout {
            percent,
            min_success_percent: 0,
        });
        with_options(
            upgrade("1.3.0"),
            Options {
                rollout,
                ..Options::default()
            },
        )
    };
    let key = part(1).key();
    let buckets = ["node-0", "node-1"].map(|name| crate::rollout::bucket(&key, &node_id(name)));
    let (low, high) = (buckets[0].min(buckets[1]), buckets[0].max(buckets[1]));
    assert!(low < high, "the two are apart: {buckets:?}");
    vote(&mut ledger, 200, &[0, 1], &part(100));
    vote(&mut ledger, 202, &[2], &part(low + 1));
    let overdue =
        |ledger: &Ledger, now_s| state(ledger, now_s).current_action().unwrap().overdue.len();
    assert_eq!(overdue(&ledger, 400), 1);
    vote(&mut ledger, 500, &[2], &part(100));
    assert_eq!(overdue(&ledger, 700), 2);
}

#[test]
fn a9_nodes_are_not_overdue_for_what_depends_on_them() {
    let (mut ledger, _) = two_nodes();
    let conditions = vec![Condition::Height(9)];
    let directive = with_options(
        upgrade("1.3.0"),
        Options {
            conditions,
            ..Options::default()
        },
    );
    vote(&mut ledger, 200, &[0, 1, 2], &directive);
    assert!(
        state(&ledger, 9_999)
            .nodes
            .iter()
            .all(|node| node.overdue_for.is_none())
    );
    let state = ledger.network(&network_id("net"), 9_999).unwrap();
    assert_eq!(state.current, Some(directive.key()));
}
