//! What a node does.

use super::ground::{
    ack, failure, ledger, node_id, reboot, state, success, upgrade, vote, with_options,
};
use crate::decision::{Decision, Facts, Outcome, Past, WaitReason, decide};
use crate::rollout::bucket;
use crate::{ActionKey, Condition, Digest, Directive, Ledger, NodeId, Options, Rollout, Version};
use std::collections::BTreeMap;

/// A node and what it knows of itself.
struct Node {
    id: NodeId,
    version: Version,
    height: Option<u64>,
    past: BTreeMap<ActionKey, Past>,
}

impl Node {
    fn new() -> Self {
        Self {
            id: node_id("node-1"),
            version: "1.0.0".parse().unwrap(),
            height: None,
            past: BTreeMap::new(),
        }
    }

    fn past(&mut self, directive: &Directive, outcome: Outcome, at_s: u64) {
        self.past.insert(directive.key(), Past { outcome, at_s });
    }

    fn decide(&self, ledger: &Ledger, now_s: u64) -> Decision {
        let facts = Facts {
            node_id: &self.id,
            version: Some(&self.version),
            height: self.height,
            allow_downgrade: false,
            past: &self.past,
        };
        decide(&state(ledger, now_s), &facts, now_s)
    }
}

fn voted(directive: &Directive) -> Ledger {
    let mut ledger = ledger();
    vote(&mut ledger, 10, &[0, 1, 2], directive);
    ledger
}

fn on_condition(directive: Directive, condition: Condition) -> Directive {
    let conditions = vec![condition];
    with_options(
        directive,
        Options {
            conditions,
            ..Options::default()
        },
    )
}

#[track_caller]
fn assert_acts(decision: &Decision, directive: &Directive) {
    let Decision::Act { action, .. } = decision else {
        panic!("{decision:?}");
    };
    assert_eq!(action.key, directive.key());
}

#[track_caller]
fn assert_refuses(decision: &Decision, why: &str, for_good: bool) {
    let Decision::Refuse {
        error, is_final, ..
    } = decision
    else {
        panic!("{decision:?}");
    };
    assert!(error.contains(why), "{error}");
    assert_eq!(*is_final, for_good);
}

#[track_caller]
fn assert_waits(decision: &Decision, reason: &WaitReason) {
    let Decision::Wait { reason: found, .. } = decision else {
        panic!("{decision:?}");
    };
    assert_eq!(found, reason);
}

#[test]
fn a3_a_node_acts_on_a_quorum_and_once() {
    let (mut ledger, mut node, directive) = (ledger(), Node::new(), upgrade("1.1.0"));
    vote(&mut ledger, 10, &[0, 1], &directive);
    assert_eq!(node.decide(&ledger, 50), Decision::Nothing);
    vote(&mut ledger, 20, &[2], &directive);
    assert_acts(&node.decide(&ledger, 50), &directive);
    node.past(&directive, Outcome::Done, 51);
    assert_eq!(node.decide(&ledger, 60), Decision::Nothing);
    // Votes that are signed again are the same votes.
    vote(&mut ledger, 70, &[0, 1, 2], &directive);
    assert_eq!(node.decide(&ledger, 90), Decision::Nothing);
}

#[test]
fn a3_votes_that_were_withdrawn_do_not_move_a_node() {
    let directive = upgrade("1.1.0");
    let mut ledger = voted(&directive);
    vote(&mut ledger, 30, &[0], &upgrade("1.2.0"));
    assert_eq!(Node::new().decide(&ledger, 50), Decision::Nothing);
}

#[test]
fn a3_a_version_with_two_hashes_is_refused() {
    let directive = upgrade("1.1.0");
    let mut ledger = voted(&directive);
    let other = Directive {
        hash: Digest::of(b"other"),
        ..directive.clone()
    };
    vote(&mut ledger, 30, &[3], &other);
    assert_refuses(&Node::new().decide(&ledger, 50), "different hashes", false);
    vote(&mut ledger, 60, &[3], &directive);
    assert_acts(&Node::new().decide(&ledger, 70), &directive);
}

#[test]
fn a3_what_failed_is_not_tried_again() {
    let (mut node, directive) = (Node::new(), upgrade("1.1.0"));
    node.past(&directive, Outcome::Failed, 40);
    assert_eq!(node.decide(&voted(&directive), 50), Decision::Nothing);
}

#[test]
fn a3_a_fleet_that_goes_back_does_it_again() {
    let (one, two) = (upgrade("1.1.0"), upgrade("1.2.0"));
    let (mut ledger, mut node) = (voted(&one), Node::new());
    node.past(&one, Outcome::Done, 20);
    vote(&mut ledger, 30, &[0, 1, 2], &two);
    node.past(&two, Outcome::Done, 40);
    vote(&mut ledger, 50, &[0, 1, 2], &one);
    assert_acts(&node.decide(&ledger, 60), &one);
    node.past(&one, Outcome::Done, 61);
    assert_eq!(node.decide(&ledger, 70), Decision::Nothing);
}

#[test]
fn a3_a_node_that_stayed_when_the_fleet_went_and_came_back_says_so_once() {
    let (one, two) = (upgrade("1.1.0"), upgrade("1.2.0"));
    let (mut ledger, mut node) = (voted(&one), Node::new());
    node.past(&one, Outcome::Done, 20);
    vote(&mut ledger, 30, &[0, 1, 2], &two);
    node.past(&two, Outcome::Failed, 40);
    vote(&mut ledger, 50, &[0, 1, 2], &one);
    let Decision::Confirm { action } = node.decide(&ledger, 60) else {
        panic!("it is silent");
    };
    assert_eq!(action.key, one.key());
    node.past(&one, Outcome::Done, 61);
    assert_eq!(node.decide(&ledger, 70), Decision::Nothing);
}

#[test]
fn a4_a_downgrade_is_refused_unless_allowed() {
    let directive = upgrade("0.9.0");
    let (ledger, node) = (voted(&directive), Node::new());
    assert_refuses(
        &node.decide(&ledger, 50),
        "is a downgrade from 1.0.0",
        false,
    );
    let facts = Facts {
        node_id: &node.id,
        version: Some(&node.version),
        height: None,
        allow_downgrade: true,
        past: &node.past,
    };
    assert_acts(&decide(&state(&ledger, 50), &facts, 50), &directive);
}

#[test]
fn a5_a_reboot_waits_for_its_deadline() {
    let directive = reboot("1.0.0", 100);
    let ledger = voted(&directive);
    assert_waits(&Node::new().decide(&ledger, 99), &WaitReason::Deadline(100));
    assert_acts(&Node::new().decide(&ledger, 100), &directive);
    assert_acts(&Node::new().decide(&ledger, 9_999), &directive);
}

#[test]
fn a5_the_genesis_hash_is_that_of_the_votes_that_count() {
    let plain = reboot("1.0.0", 100);
    let genesis_hash = Some(Digest::of(b"genesis"));
    let tagged = with_options(
        plain.clone(),
        Options {
            genesis_hash,
            ..Options::default()
        },
    );
    let mut ledger = ledger();
    vote(&mut ledger, 10, &[0, 1], &tagged);
    vote(&mut ledger, 20, &[2], &plain);
    let decision = Node::new().decide(&ledger, 100);
    let Decision::Act {
        genesis_hash: found,
        ..
    } = decision
    else {
        panic!("{decision:?}");
    };
    assert_eq!(found, genesis_hash);
}

#[test]
fn a7_a_node_waits_for_its_turn_by_as_many_votes_as_a_quorum_lacks() {
    let id = node_id("node-1");
    let bucket = bucket(&upgrade("1.1.0").key(), &id);
    let part = |percent| {
        let rollout = Some(Rollout {
            percent,
            min_success_percent: 0,
        });
        with_options(
            upgrade("1.1.0"),
            Options {
                rollout,
                ..Options::default()
            },
        )
    };
    let mut ledger = voted(&part(bucket.max(1)));
    let percent = bucket.max(1);
    assert_waits(
        &Node::new().decide(&ledger, 50),
        &WaitReason::Rollout { bucket, percent },
    );
    vote(&mut ledger, 60, &[0, 1], &part(bucket + 1));
    assert_waits(
        &Node::new().decide(&ledger, 70),
        &WaitReason::Rollout { bucket, percent },
    );
    vote(&mut ledger, 80, &[3], &part(bucket + 1));
    assert_acts(&Node::new().decide(&ledger, 90), &upgrade("1.1.0"));
}

#[test]
fn a7_failures_of_those_before_stop_those_after() {
    let rollout = Some(Rollout {
        percent: 100,
        min_success_percent: 60,
    });
    let directive = with_options(
        upgrade("1.1.0"),
        Options {
            rollout,
            ..Options::default()
        },
    );
    let mut ledger = voted(&directive);
    assert_acts(&Node::new().decide(&ledger, 50), &directive);
    ledger.insert_ack(ack(5, 0, 51, &directive, success()));
    ledger.insert_ack(ack(6, 0, 52, &directive, failure()));
    let share = WaitReason::Success {
        percent: 50,
        least: 60,
    };
    assert_waits(&Node::new().decide(&ledger, 60), &share);
    ledger.insert_ack(ack(6, 0, 61, &directive, success()));
    assert_acts(&Node::new().decide(&ledger, 70), &directive);
}

#[test]
fn a9_min_version_refuses_until_the_node_has_it() {
    let min_version = Some("1.0.5".parse().unwrap());
    let directive = with_options(
        upgrade("1.1.0"),
        Options {
            min_version,
            ..Options::default()
        },
    );
    let (ledger, mut node) = (voted(&directive), Node::new());
    assert_refuses(&node.decide(&ledger, 50), "at least version 1.0.5", false);
    node.version = "1.0.5".parse().unwrap();
    assert_acts(&node.decide(&ledger, 50), &directive);
}

#[test]
fn a9_one_vote_with_a_condition_holds_nobody_back() {
    let directive = upgrade("1.1.0");
    let mut ledger = ledger();
    vote(
        &mut ledger,
        10,
        &[0],
        &on_condition(directive.clone(), Condition::Height(9)),
    );
    vote(&mut ledger, 20, &[1, 2], &directive);
    assert_waits(
        &Node::new().decide(&ledger, 50),
        &WaitReason::Condition(Condition::Height(9)),
    );
    vote(&mut ledger, 60, &[3], &directive);
    assert_acts(&Node::new().decide(&ledger, 70), &directive);
}

#[test]
fn a9_conditions_wait_and_at_the_deadline_refuse() {
    let first = upgrade("1.1.0");
    let mut node = Node::new();
    let after = Condition::After(first.key());
    let ledger = voted(&on_condition(reboot("1.2.0", 100), after.clone()));
    assert_waits(&node.decide(&ledger, 50), &WaitReason::Condition(after));
    assert_refuses(&node.decide(&ledger, 100), "not met by the deadline", true);
    node.past(&first, Outcome::Done, 60);
    assert_waits(&node.decide(&ledger, 99), &WaitReason::Deadline(100));
    assert_acts(&node.decide(&ledger, 100), &reboot("1.2.0", 100));

    let height = Condition::Height(1_000);
    let ledger = voted(&on_condition(upgrade("1.1.0"), height.clone()));
    let mut node = Node::new();
    node.height = Some(999);
    assert_waits(&node.decide(&ledger, 50), &WaitReason::Condition(height));
    node.height = Some(1_000);
    assert_acts(&node.decide(&ledger, 50), &upgrade("1.1.0"));

    let window = Condition::Between {
        from: 60,
        until: 80,
    };
    let ledger = voted(&on_condition(upgrade("1.1.0"), window.clone()));
    assert_waits(
        &Node::new().decide(&ledger, 59),
        &WaitReason::Condition(window),
    );
    assert_acts(&Node::new().decide(&ledger, 79), &upgrade("1.1.0"));
    assert_refuses(&Node::new().decide(&ledger, 80), "any more", true);
}
