//! Votes, quorum and scope.

use super::ground::{
    developer, ledger, network, network_id, reboot, signal, state, upgrade, vote, with_options,
};
use crate::{ActionStatus, Digest, Directive, Ledger, Options, VoteScope};

fn tagged(directive: &Directive, hash: &str) -> Directive {
    let genesis_hash = Some(Digest::of(hash.as_bytes()));
    with_options(
        directive.clone(),
        Options {
            genesis_hash,
            ..Options::default()
        },
    )
}

#[test]
fn q9_a_quorum_is_reached_with_the_vote_that_makes_it() {
    let (mut ledger, directive) = (ledger(), upgrade("1.0.0"));
    vote(&mut ledger, 10, &[0, 1], &directive);
    assert_eq!(state(&ledger, 99).actions[0].quorum_at, None);
    vote(&mut ledger, 20, &[2], &directive);
    let now = state(&ledger, 99);
    assert_eq!(now.actions[0].quorum_at, Some(20));
    assert_eq!(now.current, Some(directive.key()));
    assert_eq!(now.actions[0].votes.len(), 3);
    let before = state(&ledger, 19);
    assert_eq!(
        before.actions[0].quorum_at, None,
        "what is dated ahead does not count yet"
    );
    assert_eq!(before.next_change_at, Some(20));
}

#[test]
fn q9_the_key_leaves_options_out_and_has_all_else() {
    let directive = reboot("1.0.0", 50);
    let optional = tagged(&directive, "one");
    assert_eq!(directive.key(), optional.key());
    let mut others = vec![upgrade("1.0.0"), reboot("1.0.1", 50), reboot("1.0.0", 51)];
    others.push(Directive {
        network: network_id("other"),
        ..directive.clone()
    });
    others.push(Directive {
        hash: Digest::of(b"other"),
        ..directive.clone()
    });
    for other in others {
        assert_ne!(directive.key(), other.key(), "{other:?}");
    }
}

#[test]
fn q9_a_developer_has_one_vote_the_newest() {
    let mut ledger = ledger();
    vote(&mut ledger, 10, &[0, 1], &upgrade("1.0.0"));
    vote(&mut ledger, 20, &[0], &upgrade("1.1.0"));
    vote(&mut ledger, 30, &[2], &upgrade("1.0.0"));
    let now = state(&ledger, 99);
    assert!(now.actions.iter().all(|action| action.quorum_at.is_none()));
    let voted: Vec<usize> = now
        .actions
        .iter()
        .map(|action| action.votes.len())
        .collect();
    assert_eq!(voted, [1, 2]);
    assert_eq!(now.actions[1].ever_voted.len(), 3);
}

#[test]
fn q9_of_two_votes_in_one_second_the_lower_id_stands() {
    let mut ledger = ledger();
    let votes = ["1.0.0", "1.1.0"].map(|version| signal(0, 10, &upgrade(version)));
    let stands = votes.iter().min_by_key(|vote| vote.id).unwrap().clone();
    for vote in votes {
        ledger.insert_signal(vote);
    }
    let valid = ledger.valid_at(&developer(0), &network_id("net"), 10);
    assert_eq!(valid, Some(&stands));
    assert_eq!(state(&ledger, 10).actions.len(), 1);
}

#[test]
fn q8_a_vote_elsewhere_withdraws_none_unless_the_address_is_the_scope() {
    let elsewhere = Directive {
        network: network_id("other"),
        ..upgrade("9.0.0")
    };
    for (scope, votes) in [(VoteScope::Network, 3), (VoteScope::Address, 2)] {
        let mut ledger = Ledger::new(vec![network("net"), network("other")], scope);
        vote(&mut ledger, 10, &[0, 1], &upgrade("1.0.0"));
        vote(&mut ledger, 20, &[1], &elsewhere);
        vote(&mut ledger, 30, &[2], &upgrade("1.0.0"));
        let action = &state(&ledger, 99).actions[0];
        assert_eq!(action.votes.len(), votes, "{scope:?}");
        assert_eq!(action.quorum_at.is_some(), votes == 3);
        let valid = ledger.valid_at(&developer(1), &network_id("net"), 99);
        assert_eq!(valid.is_some(), votes == 3);
    }
}

#[test]
fn q9_votes_with_different_genesis_hashes_do_not_count_together() {
    let plain = reboot("1.0.0", 900);
    let (one, two) = (tagged(&plain, "one"), tagged(&plain, "two"));
    let agreed = |votes: &[&Directive]| {
        let mut ledger = ledger();
        for (number, directive) in votes.iter().enumerate() {
            vote(&mut ledger, 10, &[number as u8], directive);
        }
        let action = state(&ledger, 99).actions[0].clone();
        action.quorum_at.map(|_| action.genesis_hash)
    };
    let hash = one.options.genesis_hash;
    assert_eq!(agreed(&[&one, &one, &two]), None);
    assert_eq!(agreed(&[&one, &one, &one]), Some(hash));
    assert_eq!(agreed(&[&one, &one, &plain]), Some(hash));
    assert_eq!(
        agreed(&[&one, &one, &plain, &two]),
        Some(hash),
        "one alone holds nobody back"
    );
    assert_eq!(agreed(&[&plain, &plain, &plain, &two]), Some(None));
    assert_eq!(
        agreed(&[&one, &one, &two, &two, &plain]),
        None,
        "either would do"
    );
}

#[test]
fn q9_votes_after_the_deadline_make_no_quorum() {
    let mut ledger = ledger();
    vote(&mut ledger, 10, &[0, 1], &reboot("1.0.0", 50));
    vote(&mut ledger, 51, &[2], &reboot("1.0.0", 50));
    let action = &state(&ledger, 60).actions[0];
    assert_eq!(
        (action.quorum_at, action.status),
        (None, ActionStatus::Expired)
    );
}

#[test]
fn q9_going_back_is_a_new_decision() {
    let mut ledger = ledger();
    vote(&mut ledger, 10, &[0, 1, 2], &upgrade("1.0.0"));
    vote(&mut ledger, 20, &[0, 1, 2], &upgrade("2.0.0"));
    assert_eq!(state(&ledger, 99).current, Some(upgrade("2.0.0").key()));
    vote(&mut ledger, 30, &[0, 1, 2], &upgrade("1.0.0"));
    let now = state(&ledger, 99);
    let back = now.current_action().unwrap();
    assert_eq!((back.key, back.again), (upgrade("1.0.0").key(), true));
    assert_eq!(back.quorum_at, Some(32));
    // To sign the same again is none.
    vote(&mut ledger, 40, &[0, 1, 2], &upgrade("1.0.0"));
    assert_eq!(
        state(&ledger, 99).current_action().unwrap().quorum_at,
        Some(32)
    );
}

#[test]
fn q10_votes_for_one_version_with_two_hashes_conflict_while_they_stand() {
    let mut ledger = ledger();
    let other = Directive {
        hash: Digest::of(b"other"),
        ..upgrade("1.0.0")
    };
    vote(&mut ledger, 10, &[0, 1], &upgrade("1.0.0"));
    assert!(state(&ledger, 99).conflicts.is_empty());
    vote(&mut ledger, 20, &[2], &other);
    let conflicts = state(&ledger, 99).conflicts;
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].hashes.len(), 2);
    assert_eq!(conflicts[0].hashes[&other.hash], [developer(2)]);
    vote(&mut ledger, 30, &[2], &upgrade("1.0.0"));
    assert!(state(&ledger, 99).conflicts.is_empty());
}

#[test]
fn q2_strangers_and_unknown_networks_change_nothing() {
    let mut ledger = ledger();
    assert!(!ledger.insert_signal(signal(9, 10, &upgrade("1.0.0"))));
    let elsewhere = Directive {
        network: network_id("other"),
        ..upgrade("1.0.0")
    };
    assert!(!ledger.insert_signal(signal(0, 10, &elsewhere)));
    assert!(ledger.insert_signal(signal(0, 10, &upgrade("1.0.0"))));
    assert!(
        !ledger.insert_signal(signal(0, 10, &upgrade("1.0.0"))),
        "known"
    );
}

#[test]
fn q10_votes_for_one_reboot_with_different_genesis_hashes_are_a_conflict() {
    let plain = reboot("1.0.0", 900);
    let (one, two) = (tagged(&plain, "one"), tagged(&plain, "two"));
    let mut ledger = ledger();
    vote(&mut ledger, 10, &[0], &one);
    vote(&mut ledger, 20, &[1], &plain);
    assert_eq!(state(&ledger, 99).conflicts, []);
    vote(&mut ledger, 30, &[2], &two);
    let conflicts = state(&ledger, 99).conflicts;
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(conflicts[0].reboot, Some(plain.key()));
    let hash = |directive: &Directive| directive.options.genesis_hash.unwrap();
    let expected = [
        (hash(&one), vec![developer(0)]),
        (hash(&two), vec![developer(2)]),
    ];
    assert_eq!(
        conflicts[0].hashes,
        std::collections::BTreeMap::from(expected)
    );
    vote(&mut ledger, 40, &[2], &one);
    assert_eq!(state(&ledger, 99).conflicts, []);
}
