//! Events are read strictly, and what is written is read back the same.

use super::ground::{network_id, node_id, reboot, success, upgrade};
use crate::{
    Ack, ActionKind, Condition, Digest, Fields, Network, NetworkError, NodeId, Options, Pubkey,
    Report, Rollout, Signal, SignalError, Status, TagError, Version, tags,
};

fn tags_of(words: &[Vec<String>]) -> Vec<Vec<&str>> {
    words
        .iter()
        .map(|tag| tag.iter().map(String::as_str).collect())
        .collect()
}

fn fields(kind: u16, tags: &[Vec<String>]) -> Fields<'_> {
    Fields {
        id: [7; 32],
        pubkey: [1; 32],
        created_at: 1_000,
        kind,
        tags: tags_of(tags),
        content: "for people",
    }
}

fn read_signal(tags: &[Vec<String>]) -> Result<Signal, SignalError> {
    Signal::parse(&fields(crate::KIND_SIGNAL, tags))
}

/// What the tags of a reboot come to after a change.
fn changed(change: impl FnOnce(&mut Vec<Vec<String>>)) -> Result<Signal, SignalError> {
    let mut tags = tags::signal_tags(&reboot("1.2.3", 5_000));
    change(&mut tags);
    read_signal(&tags)
}

fn tag(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn q3_a_directive_is_read_as_it_was_written() {
    let mut directive = reboot("1.2.3", 5_000);
    directive.options = Options {
        rollout: Some(Rollout {
            percent: 25,
            min_success_percent: 80,
        }),
        min_version: Some("1.1.0".parse().unwrap()),
        conditions: vec![
            Condition::After(upgrade("1.2.3").key()),
            Condition::Height(12),
            Condition::Between { from: 1, until: 2 },
        ],
        genesis_hash: Some(Digest::of(b"genesis")),
    };
    for directive in [directive, reboot("2.0.0-rc.1+b", 9), upgrade("1.2.3")] {
        let signal = read_signal(&tags::signal_tags(&directive)).unwrap();
        assert_eq!(signal.directive, directive);
        let json = serde_json::to_string(&directive).unwrap();
        assert_eq!(
            serde_json::from_str::<crate::Directive>(&json).unwrap(),
            directive
        );
    }
}

#[test]
fn q3_exactly_one_of_each_tag() {
    assert!(changed(|_| {}).is_ok());
    for name in [
        "d",
        "version",
        "hash",
        "network",
        "action",
        "genesis_url",
        "required_by",
    ] {
        let missing = changed(|tags| tags.retain(|tag| tag[0] != name)).unwrap_err();
        assert_eq!(missing, SignalError::Tag(TagError::Missing(name)));
        let twice = changed(|tags| {
            let again = tags.iter().find(|tag| tag[0] == name).unwrap().clone();
            tags.push(again);
        });
        assert_eq!(twice.unwrap_err(), SignalError::Tag(TagError::Twice(name)));
        let longer = changed(|tags| {
            tags.iter_mut()
                .find(|tag| tag[0] == name)
                .unwrap()
                .push("more".to_owned());
        });
        assert!(longer.is_err(), "{name}");
    }
}

#[test]
fn q3_values_that_are_wrong_are_refused_with_what_is_right() {
    let wrong = [
        (["hash", "ABCDEF"], "64 lowercase hex digits"),
        (["version", "v1.2"], "three numbers as in 1.2.3"),
        (["network", "Test Net"], "a-z, 0-9"),
        (["action", "destroy"], "`upgrade` or `reboot`"),
        (
            ["genesis_url", "http://example.com/genesis.json"],
            "https://",
        ),
        (
            ["genesis_url", "https://EXAMPLE.com/g"],
            "which is https://example.com/g",
        ),
        (
            ["genesis_url", "https://user:word@example.com/g"],
            "leave it out",
        ),
        (["required_by", "soon"], "plain digits"),
        (["required_by", "-1"], "plain digits"),
        (["required_by", "007"], "plain digits"),
        (["required_by", "99999999999999999999"], "plain digits"),
        (["d", "elsewhere"], "`hyperqube`"),
    ];
    for ([name, value], right) in wrong {
        let refused = changed(|tags| {
            tags.retain(|tag| tag[0] != name);
            tags.push(tag(&[name, value]));
        });
        let message = refused.unwrap_err().to_string();
        assert!(message.contains(right), "{name}={value}: {message}");
    }
    for own_machine in [
        "http://127.0.0.1:8000/g",
        "http://localhost/g",
        "http://[::1]/g",
    ] {
        let taken = changed(|tags| {
            tags.retain(|tag| tag[0] != "genesis_url");
            tags.push(tag(&["genesis_url", own_machine]));
        });
        assert!(taken.is_ok(), "{own_machine}");
    }
}

#[test]
fn q3_options_that_are_wrong_are_refused() {
    let long = "x".repeat(3_000);
    for wrong in [
        &["rollout"][..],
        &["rollout", "0"],
        &["rollout", "101"],
        &["rollout", "50", "101"],
        &["rollout", "50", "90", "more"],
        &["min_version", "new"],
        &["condition"],
        &["condition", "after", "that"],
        &["condition", "height", "high"],
        &["condition", "between", "5", "5"],
        &["condition", "whenever"],
        &["genesis_hash", "00"],
        &["genesis_url", &long],
    ] {
        assert!(changed(|tags| tags.push(tag(wrong))).is_err(), "{wrong:?}");
    }
    let many = changed(|tags| {
        tags.extend((0..9).map(|height| tag(&["condition", "height", &height.to_string()])));
    });
    assert!(many.is_err());
    assert!(changed(|tags| tags.extend((0..60).map(|_| tag(&["t", "more"])))).is_err());
    let mut upgrade = tags::signal_tags(&upgrade("1.0.0"));
    upgrade.push(tag(&["required_by", "5000"]));
    let misplaced = read_signal(&upgrade).unwrap_err().to_string();
    assert!(misplaced.contains("belongs to a reboot"), "{misplaced}");
}

#[test]
fn q3_a_deadline_lies_ahead_but_not_too_far() {
    let signal = changed(|_| {}).unwrap();
    assert!(signal.check_deadline(4_999).is_ok());
    assert!(matches!(
        signal.check_deadline(5_000),
        Err(SignalError::DeadlinePassed { .. })
    ));
    assert!(matches!(
        signal.check_deadline(1),
        Err(SignalError::Ahead { .. })
    ));
    let far = read_signal(&tags::signal_tags(&reboot("1.0.0", 1_000_000_000))).unwrap();
    assert!(matches!(
        far.check_deadline(1_000),
        Err(SignalError::DeadlineFar { .. })
    ));
}

#[test]
fn q3_versions_are_strict_and_lose_their_v() {
    let version: Version = "v1.2.3-rc.1".parse().unwrap();
    assert_eq!(version.to_string(), "1.2.3-rc.1");
    assert_eq!(version.tagged(), "v1.2.3-rc.1");
    for wrong in ["", "v", "v1.2", "1.2.3.4", "vv1.2.3", "01.2.3", "latest"] {
        assert!(wrong.parse::<Version>().is_err(), "{wrong}");
    }
}

#[test]
fn q3_hex_is_lowercase_and_keys_may_be_npub() {
    let text = "ab".repeat(32);
    assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
    assert!(text.to_uppercase().parse::<Digest>().is_err());
    let npub = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg";
    let hex = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e";
    assert_eq!(npub.parse::<Pubkey>().unwrap().to_string(), hex);
}

#[test]
fn q1_a_quorum_is_one_to_all_developers() {
    let of = |quorum| Network::new(network_id("net"), [Pubkey::from_bytes([1; 32])], quorum);
    assert!(of(1).is_ok());
    for wrong in [0, 2] {
        let refused = of(wrong).unwrap_err();
        assert!(matches!(refused, NetworkError::Quorum { .. }));
        assert!(refused.to_string().contains("it is 1 to 1"));
    }
}

#[test]
fn q4_a_report_is_read_as_it_was_written() {
    let report = Report {
        developer: Pubkey::from_bytes([3; 32]),
        network: network_id("net"),
        version: "1.2.3".parse().unwrap(),
        action: ActionKind::Upgrade,
        status: success(),
        node_id: node_id("node-1"),
        action_at: 900,
    };
    let error = "no room".to_owned();
    let failed = Report {
        status: Status::Failure { error },
        action: ActionKind::Reboot,
        ..report.clone()
    };
    for report in [report, failed] {
        let tags = tags::ack_tags(&report);
        let ack = Ack::parse(&fields(crate::KIND_ACK, &tags)).unwrap();
        assert_eq!(ack.report, report);
        assert!(ack.check_time(1_000).is_ok());
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }
}

#[test]
fn q4_a_report_that_is_wrong_is_refused() {
    let report = Report {
        developer: Pubkey::from_bytes([3; 32]),
        network: network_id("net"),
        version: "1.2.3".parse().unwrap(),
        action: ActionKind::Upgrade,
        status: success(),
        node_id: node_id("node-1"),
        action_at: 900,
    };
    let right = tags::ack_tags(&report);
    for wrong in [
        &["a", "33321:abc:hyperqube"][..],
        &[
            "a",
            "1:0303030303030303030303030303030303030303030303030303030303030303:hyperqube",
        ],
        &[
            "p",
            "0404040404040404040404040404040404040404040404040404040404040404",
        ],
        &["status", "perhaps"],
        &["status", "failure"],
        &["error", "but it succeeded"],
        &["node_id", "two words"],
        &["node_id", ""],
        &["action_at", "now"],
    ] {
        let mut tags = right.clone();
        tags.retain(|tag| tag[0] != wrong[0]);
        tags.push(tag(wrong));
        assert!(
            Ack::parse(&fields(crate::KIND_ACK, &tags)).is_err(),
            "{wrong:?}"
        );
    }
    let without_p: Vec<_> = right.iter().filter(|tag| tag[0] != "p").cloned().collect();
    let ack = Ack::parse(&fields(crate::KIND_ACK, &without_p)).unwrap();
    assert!(ack.check_time(10).is_err(), "signed ahead of time");
    let with_time = |action_at| {
        let mut ack = ack.clone();
        ack.created_at = 10_000_000;
        ack.report.action_at = action_at;
        ack.check_time(10_000_000)
    };
    assert!(with_time(9_999_000).is_ok());
    assert!(with_time(10_001_000).is_err());
    assert!(with_time(1_000).is_err());
}

#[test]
fn q4_node_ids_have_nothing_that_hides() {
    for hidden in ["a\u{202e}b", "a\u{200b}b", "a b", "a\nb", "\u{feff}"] {
        assert!(hidden.parse::<NodeId>().is_err(), "{hidden:?}");
    }
    assert!("ノード-1".parse::<NodeId>().is_ok());
    assert!("x".repeat(128).parse::<NodeId>().is_ok());
    assert!("x".repeat(129).parse::<NodeId>().is_err());
}
