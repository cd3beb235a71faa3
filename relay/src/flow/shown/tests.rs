//! What is shown by headers and by whole events is the same.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::event::{EventParts, PublicKey};
use crate::extension::Hooks;
use crate::kinds::Kinds;
use crate::store::Position;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

const NOW_S: u64 = 1_000;

fn recipient() -> PublicKey {
    PublicKey::from_byte_array([7; 32])
}

fn found(number: u8, kind: u16, expires_at: Option<u64>, is_for_recipient: bool) -> Found {
    let to = if is_for_recipient { "07" } else { "08" };
    let event = EventParts {
        id: &[number; 32],
        pubkey: &[1; 32],
        created_at: 5,
        kind,
        tags_json: &format!(r#"[["p","{}"]]"#, to.repeat(32)),
        content_json: "\"\"",
        sig: &[0; 64],
    };
    let event = event.assemble();
    Found {
        position: Position {
            created_at: 5,
            id: *event.id(),
        },
        author: *event.pubkey(),
        kind,
        expires_at,
        event: Some(Arc::new(event)),
    }
}

fn without_bodies_but(whole: &Kinds, all: &[Found]) -> Vec<Found> {
    let mut some = all.to_vec();
    for found in &mut some {
        found.event.take_if(|event| !whole.contains(event.kind()));
    }
    some
}

proptest! {
    #[test]
    fn c9_headers_and_guarded_events_show_what_whole_events_show(
        drawn in prop::collection::vec((0_u16..6, prop::option::of(998_u64..1_003), any::<bool>()), 0..40),
        protected in prop::collection::vec(0_u16..6, 0..4),
        is_recipient in any::<bool>(),
    ) {
        let protected: Kinds = protected.into_iter().collect();
        let visibility = Visibility { hooks: &Hooks::none(), protected: &protected, now: NOW_S };
        let mut viewer = Viewer::new(0, IpAddr::V4(Ipv4Addr::LOCALHOST));
        if is_recipient {
            viewer = viewer.with_pubkey(recipient());
        }
        let drawn = drawn.into_iter().enumerate();
        let all: Vec<Found> = drawn.map(|(n, (kind, at, to))| found(n as u8, kind, at, to)).collect();
        let mut shown = all.clone();
        shown.retain(|found| {
            let event = found.event.as_ref().unwrap();
            visibility.shows(event, found.expires_at, &viewer)
        });
        let mut some = without_bodies_but(&visibility.guarded_kinds(), &all);
        prop_assert!(retain_shown(&visibility, &viewer, &mut some));
        let ids = |found: &[Found]| found.iter().map(|found| found.position.id).collect::<Vec<_>>();
        prop_assert_eq!(ids(&some), ids(&shown));
    }
}

#[test]
fn c9_a_guard_that_came_meanwhile_has_the_page_read_again() {
    let protected = Kinds::from(4);
    let visibility = Visibility {
        hooks: &Hooks::none(),
        protected: &protected,
        now: NOW_S,
    };
    let viewer = Viewer::new(0, IpAddr::V4(Ipv4Addr::LOCALHOST));
    let all = [found(1, 1, None, true), found(2, 4, None, true)];
    let mut headers = without_bodies_but(&Kinds::none(), &all);
    assert!(!retain_shown(&visibility, &viewer, &mut headers));
    // What has expired is known by its header.
    let mut expired = without_bodies_but(&Kinds::none(), &[found(2, 4, Some(NOW_S), true)]);
    assert!(retain_shown(&visibility, &viewer, &mut expired));
    assert_eq!(expired, []);
}
