//! Random histories in random orders.

use super::ground::{
    ack, developer, failure, kind, network, network_id, node_id, node_key, signal, signed, success,
    upgrade,
};
use crate::{
    Ack, Action, ActionKey, Condition, Digest, Directive, FleetState, Identity, Ledger, Options,
    Report, Rollout, Signal, Status, VoteScope,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const NETWORKS: [&str; 3] = ["one", "two", "three"];
const VERSIONS: [&str; 3] = ["1.0.0", "1.1.0", "2.0.0"];
/// All that happens, happens by then. Seconds.
const END_S: u64 = 16;

/// Something that arrives.
#[derive(Clone, Debug)]
enum Arrival {
    Signal(Signal),
    Ack(Ack),
}

fn options() -> impl Strategy<Value = Options> {
    let rollout = prop::option::weighted(0.3, (1..=100_u8, 0..=100_u8));
    let hash = prop::option::weighted(0.4, 0..2_u8);
    (rollout, hash, prop::bool::weighted(0.2)).prop_map(|(rollout, hash, condition)| Options {
        rollout: rollout.map(|(percent, min_success_percent)| Rollout {
            percent,
            min_success_percent,
        }),
        genesis_hash: hash.map(|hash| Digest::of(&[hash])),
        conditions: condition
            .then_some(Condition::Height(3))
            .into_iter()
            .collect(),
        min_version: None,
    })
}

fn directive() -> impl Strategy<Value = Directive> {
    (0..3_usize, 0..3_usize, 0..2_u8, any::<bool>(), options()).prop_map(
        |(network, version, hash, is_reboot, mut options)| Directive {
            network: network_id(NETWORKS[network]),
            version: VERSIONS[version].parse().unwrap(),
            hash: Digest::of(&[hash]),
            action: match is_reboot {
                true => Action::Reboot {
                    genesis_url: "https://example.com/genesis.json".parse().unwrap(),
                    required_by: 9,
                },
                false => {
                    options.genesis_hash = None;
                    Action::Upgrade
                }
            },
            options,
        },
    )
}

fn signals() -> impl Strategy<Value = Signal> {
    // A sixth developer directs nothing.
    (0..6_u8, 0..END_S, directive())
        .prop_map(|(number, created_at, directive)| signal(number, created_at, &directive))
}

fn acks() -> impl Strategy<Value = Ack> {
    let who = (0..4_u8, 0..3_u8, 0..6_u8);
    let what = (0..3_usize, 0..3_usize, any::<bool>(), any::<bool>());
    (who, what, 0..END_S, 0..END_S).prop_map(|((key, name, by), what, created_at, action_at)| {
        let (network, version, is_reboot, succeeds) = what;
        let status = match succeeds {
            true => Status::Success,
            false => Status::Failure {
                error: "no".to_owned(),
            },
        };
        let report = Report {
            developer: developer(by),
            network: network_id(NETWORKS[network]),
            version: VERSIONS[version].parse().unwrap(),
            action: kind(is_reboot),
            status,
            node_id: node_id(&format!("node-{name}")),
            action_at,
        };
        signed(key, created_at, report)
    })
}

/// A history, and the same in another order with some of it twice.
fn history() -> impl Strategy<Value = (Vec<Arrival>, Vec<Arrival>)> {
    let signals = prop::collection::vec(signals().prop_map(Arrival::Signal), 0..40);
    let acks = prop::collection::vec(acks().prop_map(Arrival::Ack), 0..80);
    (signals, acks).prop_flat_map(|(signals, acks)| {
        let all: Vec<Arrival> = signals.into_iter().chain(acks).collect();
        let again: Vec<Arrival> = all.iter().step_by(5).cloned().collect();
        let shuffled: Vec<Arrival> = all.iter().chain(&again).cloned().collect();
        (Just(all), Just(shuffled).prop_shuffle())
    })
}

/// Three networks with the same developers: open, by the first key, and with nodes that are listed.
fn ledger(history: &[Arrival], scope: VoteScope) -> Ledger {
    let mut networks = NETWORKS.map(network).to_vec();
    networks[1].identity = Identity::Tofu;
    networks[1].quorum = 2;
    networks[2].nodes = [
        (node_id("node-0"), Some(node_key(0))),
        (node_id("node-1"), None),
    ]
    .into();
    let mut ledger = Ledger::new(networks, scope);
    for arrival in history {
        match arrival {
            Arrival::Signal(signal) => ledger.insert_signal(signal.clone()),
            Arrival::Ack(ack) => ledger.insert_ack(ack.clone()),
        };
    }
    ledger
}

/// Whatever can be asked, at moments before and after everything.
fn answers(ledger: &Ledger, history: &[Arrival]) -> Vec<(FleetState, Vec<String>)> {
    let mut answers = Vec::new();
    for now_s in [0, 3, 8, 10, END_S, 120, 2_000] {
        let state = ledger.state(now_s);
        let mut others = Vec::new();
        for network in &state.networks {
            for action in &network.actions {
                others.push(format!("{:?}", ledger.acks(&network.id, &action.key)));
            }
            others.push(format!("{:?}", ledger.signals(&network.id)));
        }
        for arrival in history {
            if let Arrival::Ack(ack) = arrival {
                others.push(format!("{:?}", ledger.resolve(ack)));
            }
        }
        answers.push((state, others));
    }
    answers
}

/// The actions for which `quorum` developers voted at one moment and agreed on a genesis, counted in the plainest way.
fn agreed(ledger: &Ledger, network: &str, quorum: usize) -> BTreeMap<ActionKey, BTreeSet<u64>> {
    let mut agreed: BTreeMap<ActionKey, BTreeSet<u64>> = BTreeMap::new();
    for at_s in 0..END_S {
        let mut votes: BTreeMap<ActionKey, Vec<&Signal>> = BTreeMap::new();
        for number in 0..5 {
            let vote = ledger.valid_at(&developer(number), &network_id(network), at_s);
            if let Some(vote) = vote {
                votes.entry(vote.key()).or_default().push(vote);
            }
        }
        for (key, votes) in votes {
            let hash = |vote: &&&Signal| vote.directive.options.genesis_hash;
            let count = |wanted: Option<Digest>| votes.iter().filter(|v| hash(v) == wanted).count();
            let (plain, one, two) = (
                count(None),
                count(Some(Digest::of(&[0]))),
                count(Some(Digest::of(&[1]))),
            );
            let either = [one, two].map(|named| named > 0 && named + plain >= quorum);
            let in_time = votes[0]
                .directive
                .action
                .required_by()
                .is_none_or(|by| at_s <= by);
            if in_time && (plain >= quorum || either[0] != either[1]) {
                agreed.entry(key).or_default().insert(at_s);
            }
        }
    }
    agreed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn q9_the_order_of_arrival_does_not_matter(
        (history, shuffled) in history(),
        by_address in any::<bool>(),
    ) {
        let scope = if by_address { VoteScope::Address } else { VoteScope::Network };
        let (in_order, in_disorder) = (ledger(&history, scope), ledger(&shuffled, scope));
        prop_assert_eq!(answers(&in_order, &history), answers(&in_disorder, &history));
    }

    #[test]
    fn q9_of_many_reports_of_one_node_the_same_are_kept(
        (acks, shuffled) in prop::collection::vec((0..40_u64, 0..40_u64, any::<bool>()), 1..60)
            .prop_flat_map(|acks| (Just(acks.clone()), Just(acks).prop_shuffle())),
        late in 1..40_u64,
    ) {
        let told = |acks: &[(u64, u64, bool)], late_first: bool| {
            let mut ledger = Ledger::new(vec![network("net")], VoteScope::Network);
            let (early, other) = (upgrade("1.0.0"), Directive { hash: Digest::of(b"other"), ..upgrade("1.0.0") });
            let signals = [signal(0, 0, &early), signal(0, late, &other)];
            let (first, second) = if late_first { (1, 0) } else { (0, 1) };
            ledger.insert_signal(signals[first].clone());
            for (created_at, action_at, succeeds) in acks {
                let status = if *succeeds { success() } else { failure() };
                let mut report = ack(1, 0, *action_at, &early, status).report;
                report.action_at = *action_at;
                ledger.insert_ack(signed(1, *created_at, report));
            }
            ledger.insert_signal(signals[second].clone());
            let reports = [&early, &other].map(|on| ledger.acks(&network_id("net"), &on.key()));
            (reports, ledger.state(50))
        };
        prop_assert_eq!(told(&acks, false), told(&shuffled, true));
    }

    #[test]
    fn q9_what_reached_a_quorum_is_what_enough_voted_for((history, _) in history()) {
        let ledger = ledger(&history, VoteScope::Network);
        for (name, quorum) in [("one", 3), ("two", 2)] {
            let agreed = agreed(&ledger, name, quorum);
            let state = ledger.network(&network_id(name), END_S).unwrap();
            for action in &state.actions {
                let moments = agreed.get(&action.key);
                match action.quorum_at {
                    Some(at_s) => prop_assert!(moments.is_some_and(|moments| moments.contains(&at_s))),
                    None => prop_assert!(moments.is_none(), "{:?} {:?}", action, moments),
                }
            }
        }
    }

    #[test]
    fn q9_nothing_changes_before_it_is_said_to((history, _) in history()) {
        let ledger = ledger(&history, VoteScope::Network);
        let mut now_s = 0;
        let mut state = ledger.state(now_s);
        while let Some(next_s) = state.next_change_at.filter(|next_s| *next_s < 3_000) {
            prop_assert!(next_s > now_s);
            let last = ledger.state(next_s - 1);
            prop_assert_eq!(&last.networks, &state.networks);
            now_s = next_s;
            state = ledger.state(now_s);
        }
    }
}
