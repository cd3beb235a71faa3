//! Things to store.

use crate::roster::{Role, Roster};
use crate::storage::{Archived, Letter, Package, Seen};
use trellis_relay::event::{EventId, PublicKey};

/// The time of most cases.
pub(in crate::storage) const NOW_S: u64 = 1_760_000_000;

/// A key by number.
pub(in crate::storage) fn key(number: u64) -> PublicKey {
    PublicKey::from_byte_array(bytes(0x11, number))
}

/// An event's id by number; they rise with it.
pub(super) fn id(number: u64) -> EventId {
    EventId::from_byte_array(bytes(0x22, number))
}

fn bytes(fill: u8, number: u64) -> [u8; 32] {
    let mut bytes = [fill; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// A message of a group.
pub(super) fn seen(group_id: &str, epoch: Option<u64>, created_at_s: u64) -> Seen {
    Seen {
        group_id: group_id.to_owned(),
        epoch,
        created_at_s,
    }
}

/// A roster with an event of that number.
pub(in crate::storage) fn roster(members: &[(u64, Role)], seq: u64) -> Roster {
    let members = members.iter();
    Roster {
        members: members
            .map(|(number, role)| (key(*number), *role))
            .collect(),
        seq,
        event: (seq > 0).then(|| id(seq)),
        earlier: (1..seq.min(8)).rev().map(id).collect(),
    }
}

/// A KeyPackage, live for an hour.
pub(super) fn package(number: u64, owner: u64) -> Package {
    Package {
        id: id(number),
        owner: key(owner),
        reference: Some(format!("reference {number}")),
        ciphersuite: Some("0x0001".to_owned()),
        created_at_s: NOW_S + number,
        expires_at_s: NOW_S + 3600,
    }
}

/// A KeyPackage for somebody, live for an hour.
pub(super) fn key_package_letter(name: &str, recipient: u64) -> Letter {
    Letter {
        id: name.to_owned(),
        recipient: key(recipient),
        sender: key(1000),
        group_id: None,
        content_b64: "a2V5IHBhY2thZ2U=".to_owned(),
        ratchet_tree_b64: None,
        tags_json: Some(r#"[["cs","0x0001"]]"#.to_owned()),
        created_at_s: NOW_S,
        expires_at_s: NOW_S + 3600,
        picked_up_at_s: None,
        acknowledged_at_s: None,
    }
}

/// A Welcome for somebody, live for an hour.
pub(super) fn welcome_letter(name: &str, recipient: u64) -> Letter {
    Letter {
        group_id: Some("the group".to_owned()),
        content_b64: "d2VsY29tZQ==".to_owned(),
        ratchet_tree_b64: Some("dHJlZQ==".to_owned()),
        tags_json: None,
        ..key_package_letter(name, recipient)
    }
}

/// A message to archive; of a group, for somebody, or both.
pub(in crate::storage) fn archived(
    number: u64,
    group_id: Option<&str>,
    recipient: Option<u64>,
) -> Archived {
    Archived {
        position: 0,
        id: id(number),
        kind: if group_id.is_some() { 445 } else { 1059 },
        pubkey: key(number),
        group_id: group_id.map(str::to_owned),
        recipient: recipient.map(key),
        created_at_s: NOW_S + number,
        archived_at_s: NOW_S + 10,
        json: format!(r#"{{"id":"{}","content":"'\u0000\"é"}}"#, id(number)),
    }
}

/// Texts with which a careless statement breaks: of 1 to 256 bytes.
pub(super) fn hostile_texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "'; DROP TABLE groups; --",
        "\"quoted\"",
        "per%cent_under",
        "back\\slash\\0",
        "../../etc/passwd",
        "__reserved__",
        ".",
        "..",
        "a/b/c",
        "nul\0inside",
        "nul",
        "\0",
        "escape\u{1a}0inside",
        "line\nbreak",
        "NULL",
        "null",
        "0",
        "-1",
        "Grüße",
        "Gru\u{308}ße",
        "🦀",
        "\u{202e}backwards",
        "\u{ffff}",
        "UPPER",
        "upper",
        " space ",
        "space",
        "[1,2]",
        "{\"a\":1}",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("x".repeat(256));
    texts.push("é".repeat(128));
    texts.push(format!("{}y", "x".repeat(255)));
    texts
}
