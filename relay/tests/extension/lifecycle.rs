//! E7: on, off, changed, and refused.

use crate::support::*;
use trellis_relay::extension::{Admit, Applied, Verb};
use trellis_relay::filter::Filter;
use trellis_relay::reason::Reason;
use trellis_relay::store::Cause;

#[tokio::test]
async fn e7_a_table_is_taken_over_in_place_or_rebuilds_its_extension_alone() {
    let mut relay = start(&format!("{WORDS}{GATE}")).await;
    let in_room = tagged(445, "x", &[&["h", "g"]]);
    let generation = relay.hooks().generation();

    assert_eq!(relay.apply(GATE).await.unwrap(), Applied::Unchanged);
    let emptied = GATE.replace(ALICE, "");
    assert_eq!(relay.apply(&emptied).await.unwrap(), Applied::Reloaded);
    assert_eq!(relay.visible(&in_room, &[&member()]), [false]);
    assert_eq!(
        relay.hooks().generation(),
        generation,
        "nothing was swapped"
    );

    let moved = GATE.replace("'g'", "'h'");
    assert_eq!(relay.apply(&moved).await.unwrap(), Applied::Rebuilt);
    assert_eq!(relay.hooks().generation(), generation + 1);
    let moved = tagged(445, "x", &[&["h", "h"]]);
    assert_eq!(relay.visible(&moved, &[&member()]), [true]);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e7_an_extension_is_switched_off_and_on() {
    let mut relay = start(&format!("{WORDS}{GATE}")).await;
    let spam = event(1, "spam");
    let off = relay.apply(&format!("{WORDS}enabled = false")).await;
    assert_eq!(off.unwrap(), Applied::SwitchedOff);
    assert_eq!(relay.admit(&spam, &stranger()), "accept");
    assert_eq!(relay.status("words").health, None);
    assert_eq!(relay.apply(WORDS).await.unwrap(), Applied::SwitchedOn);
    assert_eq!(relay.admit(&spam, &stranger()), "blocked: a word");
    let gone = relay.host.apply("words", None).await;
    assert_eq!(gone.unwrap(), Applied::SwitchedOff);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e7_a_bad_table_changes_nothing() {
    let mut relay = start(&format!("{WORDS}{GATE}")).await;
    let generation = relay.hooks().generation();
    for (bad, says) in [
        (GATE.replace("members", "membrs"), "did you mean `members`?"),
        (
            GATE.replace("'g'", "'unreachable'"),
            "could not be started: room: the database",
        ),
        (GATE.replace("'g'", "'panic'"), "it panicked"),
        (GATE.replace("'g'", "7"), "[extensions.gate]"),
        (format!("{GATE}prefix = 'api'"), "a prefix is a path"),
    ] {
        let error = relay.apply(&bad).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert_eq!(relay.hooks().generation(), generation);
        let in_room = tagged(445, "x", &[&["h", "g"]]);
        assert_eq!(relay.visible(&in_room, &[&member()]), [true]);
    }
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e7_a_reload_in_place_is_taken_back_when_another_build_fails() {
    let mut relay = start(&format!("{WORDS}{GATE}")).await;
    let emptied = GATE.replace(ALICE, "");
    let tables = format!("{emptied}{}", WORDS.replace("'spam'", ""));
    let error = relay.host.apply_all(&tables_of(&tables)).await.unwrap_err();
    assert!(
        error.to_string().contains("banned: found no word"),
        "{error}"
    );
    let in_room = tagged(445, "x", &[&["h", "g"]]);
    assert_eq!(relay.visible(&in_room, &[&member()]), [true]);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e7_a_provider_stays_while_others_need_it() {
    let mut relay = start(&format!("{WORDS}{GATE}")).await;
    let error = relay.apply(&format!("{GATE}enabled = false")).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("[extensions.words] needs"), "{error}");
    let both_off = format!("{WORDS}enabled = false\n{GATE}enabled = false");
    let applied = relay.host.apply_all(&tables_of(&both_off)).await.unwrap();
    assert_eq!(applied.len(), 2);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e7_shutdown_switches_everything_off() {
    let relay = start(&format!("{WORDS}{GATE}{CHAT}")).await;
    let handle = relay.handle.clone();
    relay.host.shutdown().await;
    assert!(handle.status().iter().all(|it| it.health.is_none()));
    assert!(handle.explain().is_empty());
}

/// Whoever was asked when the relay ended is gone, and with it what it would have said.
#[tokio::test]
async fn e6_what_nobody_can_judge_any_more_is_refused_hidden_and_kept() {
    let relay = start(&format!("{WORDS}{GATE}")).await;
    let handle = relay.handle.clone();
    relay.host.shutdown().await;
    let hooks = handle.hooks().load();
    let admit = |kind| hooks.plan(kind).admit(&event(kind, "fine"), &stranger());
    for judged in [1, 450] {
        assert_eq!(admit(judged), Admit::Reject(Reason::stopping()), "{judged}");
        let plan = hooks.plan(judged);
        assert!(!plan.wants_async(&event(judged, "fine"), &stranger()));
    }
    assert_eq!(admit(2), Admit::Accept, "nobody was asked about it before");
    assert!(
        !hooks
            .plan(30_000)
            .may_remove(&event(30_000, "x"), Cause::Expiry)
    );
    let mut show = [true];
    let guarded = tagged(445, "x", &[&["h", "g"]]);
    assert!(hooks.plan(445).has_deliver());
    hooks.plan(445).visible(&guarded, &[&member()], &mut show);
    assert_eq!(show, [false]);
    let closed = hooks.request(&member(), Verb::Req, Filter::default());
    assert_eq!(closed, Err(Reason::stopping()));
}
