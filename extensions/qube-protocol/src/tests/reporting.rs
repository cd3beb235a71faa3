//! Which signal a report belongs to, and who speaks for a node.

use super::ground::{
    ack, ack_as, failure, ledger, network, network_id, node_id, node_key, signal, state, success,
    upgrade, vote,
};
use crate::{Digest, Directive, Identity, IdentityRefusal, Ledger, Network, VoteScope};

fn with_hash(hash: &str) -> Directive {
    Directive {
        hash: Digest::of(hash.as_bytes()),
        ..upgrade("1.0.0")
    }
}

fn ledger_of(change: impl FnOnce(&mut Network)) -> Ledger {
    let mut network = network("net");
    change(&mut network);
    Ledger::new(vec![network], VoteScope::Network)
}

#[test]
fn q11_a_report_belongs_to_the_signal_valid_when_the_action_was_done() {
    let (one, two) = (with_hash("one"), with_hash("two"));
    let signals = [
        signal(0, 10, &one),
        signal(0, 20, &two),
        signal(0, 30, &upgrade("2.0.0")),
    ];
    let cases = [
        (9, None),
        (10, Some(0)),
        (19, Some(0)),
        (20, Some(1)),
        (40, Some(1)),
    ];
    let mut ledger = ledger();
    for signal in signals.iter().rev() {
        ledger.insert_signal(signal.clone());
    }
    for (at_s, belongs) in cases {
        let found = ledger.resolve(&ack(1, 0, at_s, &one, success()));
        assert_eq!(found, belongs.map(|at: usize| signals[at].id), "{at_s}");
    }
    let of_another = ack(1, 1, 40, &one, success());
    assert_eq!(ledger.resolve(&of_another), None);
}

#[test]
fn q11_a_report_that_comes_before_its_signal_waits_for_it() {
    let (mut ledger, directive) = (ledger(), upgrade("1.0.0"));
    assert!(ledger.insert_ack(ack(1, 0, 20, &directive, success())));
    let now = state(&ledger, 99);
    assert!(now.nodes.is_empty() && now.actions.is_empty());
    vote(&mut ledger, 10, &[0], &directive);
    let now = state(&ledger, 99);
    assert_eq!((now.nodes.len(), now.actions[0].acks.success), (1, 1));
    assert_eq!(ledger.acks(&network_id("net"), &directive.key()).len(), 1);
}

#[test]
fn q11_a_signal_that_comes_late_takes_the_reports_that_are_its_own() {
    let (mut ledger, one, two) = (ledger(), with_hash("one"), with_hash("two"));
    vote(&mut ledger, 10, &[0], &one);
    ledger.insert_ack(ack(1, 0, 40, &one, success()));
    vote(&mut ledger, 30, &[0], &two);
    let now = state(&ledger, 99);
    assert_eq!(now.action(&one.key()).unwrap().acks.total(), 0);
    assert_eq!(now.action(&two.key()).unwrap().acks.success, 1);
}

#[test]
fn q4_of_a_node_s_reports_on_one_subject_the_newest_keeps_its_error() {
    let (one, two) = (with_hash("one"), with_hash("two"));
    let earlier = ack(1, 0, 15, &one, failure());
    let later = ack(1, 0, 25, &two, failure());
    for acks in [[&earlier, &later], [&later, &earlier]] {
        let mut ledger = ledger();
        vote(&mut ledger, 10, &[0], &one);
        vote(&mut ledger, 20, &[0], &two);
        for ack in acks {
            ledger.insert_ack(ack.clone());
        }
        let errors = [&one, &two].map(|on| {
            let found = ledger.acks(&network_id("net"), &on.key());
            assert_eq!(found.len(), 1);
            found[0].ack.error.is_some()
        });
        assert_eq!(errors, [false, true]);
    }
}

#[test]
fn q11_the_newest_report_of_a_node_counts_whichever_developer_it_names() {
    let (mut ledger, directive) = (ledger(), upgrade("1.0.0"));
    vote(&mut ledger, 10, &[0, 1, 2], &directive);
    assert!(ledger.insert_ack(ack(1, 0, 40, &directive, success())));
    assert!(
        !ledger.insert_ack(ack(1, 0, 40, &directive, success())),
        "known"
    );
    assert!(ledger.insert_ack(ack(1, 1, 50, &directive, failure())));
    assert!(ledger.insert_ack(ack(1, 2, 30, &directive, success())));
    let tally = state(&ledger, 99).actions[0].acks;
    assert_eq!((tally.success, tally.failure), (0, 1));
}

#[test]
fn q4_open_the_same_name_with_another_key_is_another_node() {
    let (mut ledger, directive) = (ledger(), upgrade("1.0.0"));
    vote(&mut ledger, 10, &[0], &directive);
    for key in 1..3 {
        let ack = ack_as("shared", key, 0, 20, &directive, success());
        assert_eq!(ledger.may_report(&ack), Ok(()));
        assert!(ledger.insert_ack(ack));
    }
    assert_eq!(state(&ledger, 99).nodes.len(), 2);
}

#[test]
fn q4_tofu_the_first_key_speaks_for_a_node() {
    let mut ledger = ledger_of(|network| network.identity = Identity::Tofu);
    let directive = upgrade("1.0.0");
    vote(&mut ledger, 10, &[0], &directive);
    let late = ack_as("shared", 2, 0, 30, &directive, failure());
    assert!(ledger.insert_ack(late));
    let early = ack_as("shared", 1, 0, 20, &directive, success());
    assert_eq!(
        ledger.may_report(&early),
        Err(IdentityRefusal::OtherKey),
        "by arrival"
    );
    assert!(ledger.insert_ack(early), "by the time of signing");
    let now = state(&ledger, 99);
    assert_eq!(now.nodes.len(), 1);
    assert_eq!(now.nodes[0].pubkey, Some(node_key(1)));
    let tally = now.actions[0].acks;
    assert_eq!((tally.success, tally.failure), (1, 0));
}

#[test]
fn q4_registry_takes_listed_nodes_with_their_keys() {
    let mut ledger = ledger_of(|network| {
        network.identity = Identity::Registry;
        network.nodes = [(node_id("node-1"), Some(node_key(1)))].into();
    });
    let directive = upgrade("1.0.0");
    vote(&mut ledger, 10, &[0], &directive);
    let unlisted = ack(2, 0, 20, &directive, success());
    assert_eq!(ledger.may_report(&unlisted), Err(IdentityRefusal::Unlisted));
    let other_key = ack_as("node-1", 2, 0, 20, &directive, success());
    assert_eq!(
        ledger.may_report(&other_key),
        Err(IdentityRefusal::OtherKey)
    );
    assert!(!ledger.insert_ack(unlisted) && !ledger.insert_ack(other_key));
    assert!(ledger.insert_ack(ack(1, 0, 20, &directive, success())));
}

#[test]
fn q4_nodes_are_bounded_by_key_and_in_all() {
    let mut ledger = ledger_of(|network| {
        (network.max_nodes, network.max_node_ids_per_pubkey) = (5, 2);
        let listed = [("listed", Some(node_key(9))), ("keyless", None)];
        network.nodes = listed.map(|(name, key)| (node_id(name), key)).into();
    });
    let directive = upgrade("1.0.0");
    vote(&mut ledger, 10, &[0], &directive);
    let mut report = |name: &str, key: u8| {
        let ack = ack_as(name, key, 0, 20, &directive, success());
        let may = ledger.may_report(&ack);
        assert_eq!(ledger.insert_ack(ack), may.is_ok());
        may
    };
    assert_eq!(report("a", 1), Ok(()));
    assert_eq!(report("b", 1), Ok(()));
    assert_eq!(report("c", 1), Err(IdentityRefusal::TooManyOfKey));
    assert_eq!(report("c", 2), Ok(()));
    assert_eq!(report("d", 3), Err(IdentityRefusal::TooManyNodes));
    assert_eq!(report("listed", 9), Ok(()), "a listed node has its room");
    assert_eq!(report("keyless", 4), Ok(()), "whichever key it has");
    assert_eq!(report("keyless", 5), Err(IdentityRefusal::TooManyNodes));
}

#[test]
fn q4_a_flood_of_reports_leaves_little_behind() {
    let mut ledger = ledger_of(|network| network.max_nodes = 10);
    let directive = upgrade("1.0.0");
    vote(&mut ledger, 10, &[0], &directive);
    for at_s in 20..2_000 {
        ledger.insert_ack(ack(1, 0, at_s, &directive, failure()));
        ledger.insert_ack(ack(2, 0, at_s, &upgrade("7.0.0"), success()));
    }
    ledger.insert_ack(ack(1, 0, 2_000, &directive, success()));
    let now = state(&ledger, 9_999);
    assert_eq!((now.nodes.len(), now.actions[0].acks.success), (1, 1));
    vote(&mut ledger, 11, &[0], &upgrade("7.0.0"));
    assert_eq!(
        state(&ledger, 9_999).nodes.len(),
        2,
        "the newest that waited are there"
    );
}
