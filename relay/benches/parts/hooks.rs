//! What extensions cost each event: looking for a new table of hooks, asking who admits it, and asking who may see it.

use criterion::Criterion;
use nostr::event::{EventBuilder, Kind};
use nostr::key::Keys;
use std::hint::black_box;
use std::time::Duration;
use tokio::runtime::Runtime;
use trellis_relay::extension::prelude::*;
use trellis_relay::extension::{Compiled, Local, SharedHooks};
use trellis_relay::testing::{HookHarness, sign, stranger};

/// Wants a few kinds, and is quick about it.
struct Quick;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Kinds of which [`Quick`] hears, by the hook that each name tells.
const ADMIT: u16 = 7;
const DELIVER: u16 = 8;
const BOTH: u16 = 9;
const ASYNC: u16 = 10;
const SPARED: u16 = 11;
/// A kind that nobody asked for.
const OTHER: u16 = 1;

impl Extension for Quick {
    const NAME: &'static str = "quick";
    type Config = Nothing;

    async fn build(_: Nothing, _: Host) -> Result<Self, BuildError> {
        Ok(Quick)
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks
            .admit([ADMIT, BOTH], |_me, event, _viewer| {
                match event.created_at() {
                    0 => Ok(Reason::invalid("too old").into()),
                    _ => Ok(Admit::Accept),
                }
            })
            .deliver([DELIVER, BOTH], |_me, event, viewer| {
                Ok(viewer.session() != event.created_at())
            })
            .admit_async(ASYNC, Duration::from_secs(1), async |_me, _request| {
                Ok(Admit::Accept)
            })
            .admit_async_if(
                SPARED,
                Duration::from_secs(1),
                |_me, event, _viewer| event.created_at() == 0,
                async |_me, _request| Ok(Admit::Accept),
            );
    }
}

const EXTENSIONS: &[Compiled] = &[Compiled::of::<Quick>()];

/// What the flows do for each event.
fn pass(hooks: &mut Local, event: &Event, viewer: &Viewer) -> [bool; 1] {
    let plan = hooks.hooks().plan(event.kind());
    black_box(plan.admit(event, viewer));
    black_box(plan.wants_async(event, viewer));
    let mut show = [true];
    plan.visible(event, &[viewer], &mut show);
    show
}

pub(crate) fn measure(criterion: &mut Criterion) {
    let keys = Keys::generate();
    let event = |kind| sign(EventBuilder::new(Kind::from(kind), "hello"), &keys);
    let viewer = stranger();
    let runtime = Runtime::new().unwrap();
    let start = |tables| {
        let relay = HookHarness::start(EXTENSIONS, tables);
        runtime.block_on(relay).unwrap()
    };
    let (off, on) = (start("[quick]\nenabled = false"), start("[quick]"));

    let mut group = criterion.benchmark_group("hooks");
    for (name, mut hooks, kind) in [
        ("none compiled in", Local::new(SharedHooks::new()), BOTH),
        ("an extension that is off", off.handle.local(), BOTH),
        ("one on, for other kinds", on.handle.local(), OTHER),
        ("admit", on.handle.local(), ADMIT),
        ("admit_async that is not needed", on.handle.local(), SPARED),
        ("deliver, one viewer", on.handle.local(), DELIVER),
        ("admit and deliver, one viewer", on.handle.local(), BOTH),
    ] {
        let event = event(kind);
        group.bench_function(name, |bencher| {
            bencher.iter(|| pass(&mut hooks, black_box(&event), &viewer));
        });
    }
    let (mut hooks, delivered) = (on.handle.local(), event(DELIVER));
    let (viewers, mut show) = (vec![&viewer; 1_000], vec![true; 1_000]);
    group.bench_function("deliver, 1,000 viewers", |bencher| {
        bencher.iter(|| {
            let plan = hooks.hooks().plan(delivered.kind());
            plan.visible(black_box(&delivered), &viewers, &mut show);
        });
    });
    let (asked, viewer) = (event(ASYNC), std::sync::Arc::new(stranger()));
    group.bench_function("admit_async, one at a time", |bencher| {
        bencher.iter(|| {
            let request = AdmitRequest {
                event: asked.clone(),
                viewer: viewer.clone(),
            };
            let plan = hooks.hooks().plan(asked.kind()).admit_async(request);
            runtime.block_on(plan)
        });
    });
    group.finish();
    runtime.block_on(async {
        off.host.shutdown().await;
        on.host.shutdown().await;
    });
}
