//! People, networks and events of tests, short to write.

use crate::{
    Ack, Action, ActionKind, Digest, Directive, EventId, Ledger, Network, NetworkId, NetworkState,
    NodeId, Options, Pubkey, Report, Signal, Status, VoteScope,
};

/// The developer of this number.
pub(super) fn developer(number: u8) -> Pubkey {
    Pubkey::from_bytes([number + 1; 32])
}

/// The key of the node of this number.
pub(super) fn node_key(number: u8) -> Pubkey {
    Pubkey::from_bytes([number + 101; 32])
}

pub(super) fn network_id(name: &str) -> NetworkId {
    name.parse().unwrap()
}

pub(super) fn node_id(name: &str) -> NodeId {
    name.parse().unwrap()
}

/// Five developers, of whom three agree; nodes have 100 s to report and are silent 1,000 s later, proposals wait 500 s.
pub(super) fn network(name: &str) -> Network {
    let mut network = Network::new(network_id(name), (0..5).map(developer), 3).unwrap();
    (
        network.ack_within_s,
        network.silent_after_s,
        network.proposal_ttl_s,
    ) = (100, 1_000, 500);
    network
}

/// An upgrade of network `net`, of the program whose hash is of `version`.
pub(super) fn upgrade(version: &str) -> Directive {
    Directive {
        network: network_id("net"),
        action: Action::Upgrade,
        version: version.parse().unwrap(),
        hash: Digest::of(version.as_bytes()),
        options: Options::default(),
    }
}

/// A reboot of network `net`.
pub(super) fn reboot(version: &str, required_by: u64) -> Directive {
    Directive {
        action: Action::Reboot {
            genesis_url: "https://example.com/genesis.json".parse().unwrap(),
            required_by,
        },
        ..upgrade(version)
    }
}

pub(super) fn with_options(directive: Directive, options: Options) -> Directive {
    Directive {
        options,
        ..directive
    }
}

/// Its id is a hash of all of it.
pub(super) fn signal(number: u8, created_at: u64, directive: &Directive) -> Signal {
    let id = Digest::of(format!("{number} {created_at} {directive:?}").as_bytes());
    Signal {
        id: EventId::from_bytes(*id.as_bytes()),
        developer: developer(number),
        created_at,
        directive: directive.clone(),
        content: "for people".to_owned(),
    }
}

pub(super) fn success() -> Status {
    Status::Success
}

pub(super) fn failure() -> Status {
    Status::Failure {
        error: "the disk is full".to_owned(),
    }
}

/// A report by the node of this number on what the developer directed, signed when it was done.
pub(super) fn ack(node: u8, number: u8, at_s: u64, on: &Directive, status: Status) -> Ack {
    ack_as(&format!("node-{node}"), node, number, at_s, on, status)
}

pub(super) fn ack_as(
    name: &str,
    node: u8,
    number: u8,
    at_s: u64,
    on: &Directive,
    status: Status,
) -> Ack {
    let report = Report {
        developer: developer(number),
        network: on.network.clone(),
        version: on.version.clone(),
        action: on.action.kind(),
        status,
        node_id: node_id(name),
        action_at: at_s,
    };
    signed(node, at_s, report)
}

/// Its id is a hash of all of it.
pub(super) fn signed(node: u8, created_at: u64, report: Report) -> Ack {
    let id = Digest::of(format!("{node} {created_at} {report:?}").as_bytes());
    Ack {
        id: EventId::from_bytes(*id.as_bytes()),
        node: node_key(node),
        created_at,
        report,
        content: "for people".to_owned(),
    }
}

/// A ledger of network `net`.
pub(super) fn ledger() -> Ledger {
    Ledger::new(vec![network("net")], VoteScope::Network)
}

/// The developers of these numbers vote, a second after one another.
pub(super) fn vote(ledger: &mut Ledger, from_s: u64, numbers: &[u8], directive: &Directive) {
    for (at_s, number) in (from_s..).zip(numbers) {
        assert!(ledger.insert_signal(signal(*number, at_s, directive)));
    }
}

/// Network `net` at that moment.
pub(super) fn state(ledger: &Ledger, now_s: u64) -> NetworkState {
    ledger.network(&network_id("net"), now_s).unwrap()
}

pub(super) fn kind(is_reboot: bool) -> ActionKind {
    match is_reboot {
        true => ActionKind::Reboot,
        false => ActionKind::Upgrade,
    }
}
