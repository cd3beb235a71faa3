//! E2: what may leave the relay.

use crate::support::*;
use trellis_relay::extension::Hooks;

#[tokio::test]
async fn e2_deliver_hides_by_another_extensions_service() {
    let relay = start(&format!("{WORDS}{GATE}")).await;
    let in_room = tagged(445, "x", &[&["h", "g"]]);
    let elsewhere = tagged(445, "x", &[&["h", "other"]]);
    let (member, stranger) = (member(), stranger());
    assert_eq!(
        relay.visible(&in_room, &[&member, &stranger]),
        [true, false]
    );
    assert_eq!(relay.visible(&elsewhere, &[&member]), [false]);
    assert_eq!(relay.visible(&event(446, "x"), &[&stranger]), [true]);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e2_deliver_shows_nothing_that_was_hidden_before() {
    let relay = start(&format!("{WORDS}{GATE}")).await;
    let in_room = tagged(445, "x", &[&["h", "g"]]);
    let mut show = [false];
    relay
        .hooks()
        .plan(445)
        .visible(&in_room, &[&member()], &mut show);
    assert_eq!(show, [false]);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e2_counting_is_fast_where_no_deliver_hook_wants_the_kinds() {
    let relay = start(&format!("{WORDS}{GATE}")).await;
    let hooks = relay.hooks();
    assert!(hooks.plan(445).has_deliver());
    assert!(!hooks.plan(1).has_deliver());
    assert!(hooks.any_deliver_overlaps(Some(&[1, 445])));
    assert!(!hooks.any_deliver_overlaps(Some(&[1, 2])));
    assert!(hooks.any_deliver_overlaps(None));
    assert!(!Hooks::none().any_deliver_overlaps(None));
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e2_deliver_never_fails_open() {
    let open = WORDS.replace("kinds", "on_fault = 'open'\nkinds");
    let relay = start(&format!("{open}{GATE}")).await;
    let bad = tagged(445, "panic", &[&["h", "g"]]);
    assert_eq!(relay.visible(&bad, &[&member()]), [false]);
    assert_eq!(relay.status("words").faults, 1);
    relay.host.shutdown().await;
}
