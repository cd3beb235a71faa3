//! E15: what hooks cost where nobody asked for them is nothing: no plan, no call, no memory.
//!
//! How long asking takes, `cargo bench -p trellis-relay -- hooks` measures.

#![allow(clippy::unwrap_used)]

use allocation_counter::measure;
use nostr::event::{EventBuilder, Kind};
use nostr::key::Keys;
use std::cell::Cell;
use std::ptr;
use std::time::Duration;
use trellis_relay::extension::prelude::*;
use trellis_relay::extension::{Compiled, Hooks, Local, SharedHooks};
use trellis_relay::testing::{HookHarness, sign, stranger};

/// Wants one kind with all its hooks, and copies the content of another.
struct Quick;

thread_local! {
    /// How often a hook of [`Quick`] was called on this thread, which is that of one test.
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count_call() {
    CALLS.set(CALLS.get() + 1);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

const WANTED: u16 = 7;
const COPIED: u16 = 8;
const SPARED: u16 = 9;
const OTHER: u16 = 1;

impl Extension for Quick {
    const NAME: &'static str = "quick";
    type Config = Nothing;

    async fn build(_: Nothing, _: Host) -> Result<Self, BuildError> {
        Ok(Quick)
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks
            .admit(WANTED, |_me, _event, _viewer| {
                count_call();
                Ok(Admit::Accept)
            })
            .commit(WANTED, |_me, _event, _tx| {
                count_call();
                Ok(Commit::Accept)
            })
            .deliver(WANTED, |_me, _event, _viewer| {
                count_call();
                Ok(true)
            })
            .admit(COPIED, |_me, event, _viewer| {
                let copy = event.content().into_owned();
                match copy.as_str() {
                    "bad" => Ok(Reason::invalid("bad").into()),
                    _ => Ok(Admit::Accept),
                }
            })
            .admit_async_if(
                SPARED,
                Duration::from_secs(1),
                |_me, event, _viewer| {
                    count_call();
                    event.content_json() != "\"hello\""
                },
                async |_me, _request| Ok(Reason::blocked("not spared").into()),
            );
    }
}

const EXTENSIONS: &[Compiled] = &[Compiled::of::<Quick>()];

/// What the flows do for each event; whether it passes and is shown.
fn pass(hooks: &mut Local, event: &Event, viewer: &Viewer) -> bool {
    let plan = hooks.hooks().plan(event.kind());
    let admitted = plan.admit(event, viewer) == Admit::Accept;
    let mut show = [true];
    plan.visible(event, &[viewer], &mut show);
    admitted && show[0] && !plan.wants_async(event, viewer)
}

fn event(kind: u16) -> std::sync::Arc<Event> {
    sign(
        EventBuilder::new(Kind::from(kind), "hello"),
        &Keys::generate(),
    )
}

/// Kinds whose plan is another than that of kinds nobody wants.
fn planned(hooks: &Hooks) -> Vec<u16> {
    let nobody = hooks.plan(u16::MAX);
    let kinds = 0..=u16::MAX;
    kinds
        .filter(|kind| !ptr::eq(hooks.plan(*kind), nobody))
        .collect()
}

fn is_empty(hooks: &Hooks, kind: u16) -> bool {
    let plan = hooks.plan(kind);
    format!("{plan:?}") == format!("{:?}", Hooks::none().plan(kind))
}

#[tokio::test]
async fn e15_an_extension_that_is_off_has_no_plan_of_any_kind() {
    for tables in ["", "[quick]\nenabled = false"] {
        let relay = HookHarness::start(EXTENSIONS, tables).await.unwrap();
        let hooks = relay.hooks();
        assert_eq!(planned(&hooks), Vec::<u16>::new(), "{tables:?}");
        assert!(is_empty(&hooks, WANTED), "{tables:?}");
        assert!(!hooks.any_deliver_overlaps(None), "{tables:?}");
        relay.host.shutdown().await;
    }
}

#[tokio::test]
async fn e15_hooks_are_in_the_plans_of_their_own_kinds_alone() {
    let relay = HookHarness::start(EXTENSIONS, "[quick]").await.unwrap();
    let hooks = relay.hooks();
    assert_eq!(planned(&hooks), [WANTED, COPIED, SPARED]);
    assert!(is_empty(&hooks, OTHER) && !is_empty(&hooks, WANTED));
    assert!(!hooks.any_deliver_overlaps(Some(&[OTHER, COPIED])));

    let calls = CALLS.get();
    let viewer = stranger();
    let (other, mut local) = (event(OTHER), relay.handle.local());
    assert!(pass(&mut local, &other, &viewer));
    assert_eq!(relay.core.put(&[other]), ["stored"]);
    assert_eq!(CALLS.get(), calls, "called for another kind");
    let wanted = event(WANTED);
    assert!(pass(&mut local, &wanted, &viewer));
    assert_eq!(relay.core.put(&[wanted]), ["stored"]);
    assert_eq!(CALLS.get(), calls + 3, "called for its own");
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e15_asking_hooks_takes_no_memory() {
    let off = HookHarness::start(EXTENSIONS, "[quick]\nenabled = false");
    let (off, on) = (
        off.await.unwrap(),
        HookHarness::start(EXTENSIONS, "[quick]"),
    );
    let on = on.await.unwrap();
    let viewer = stranger();
    for (what, mut hooks, kind) in [
        ("none", Local::new(SharedHooks::new()), WANTED),
        ("off", off.handle.local(), WANTED),
        ("for other kinds", on.handle.local(), OTHER),
        ("for this kind", on.handle.local(), WANTED),
        ("for I/O that is not needed", on.handle.local(), SPARED),
    ] {
        let event = event(kind);
        assert!(pass(&mut hooks, &event, &viewer), "{what}");
        let taken = measure(|| {
            for _ in 0..1_000 {
                assert!(pass(&mut hooks, &event, &viewer));
            }
        });
        assert_eq!(taken.count_total, 0, "allocations with hooks: {what}");
    }
    // What a hook takes itself is seen.
    let (copied, mut hooks) = (event(COPIED), on.handle.local());
    let taken = measure(|| assert!(pass(&mut hooks, &copied, &viewer)));
    assert!(taken.count_total > 0);
    off.host.shutdown().await;
    on.host.shutdown().await;
}
