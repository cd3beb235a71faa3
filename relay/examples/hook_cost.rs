//! What hooks cost on the hot path: `cargo run --release -p trellis-relay --example hook_cost`.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use nostr::event::{EventBuilder, Kind};
use nostr::key::Keys;
use std::hint::black_box;
use std::time::Instant;
use trellis_relay::extension::prelude::*;
use trellis_relay::extension::{Compiled, HostHandle, Local, SharedHooks};
use trellis_relay::testing::{HookHarness, sign, stranger};

/// Wants kinds 7 and 8, and is quick about it.
struct Quick;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Extension for Quick {
    const NAME: &'static str = "quick";
    type Config = Nothing;

    async fn build(_: Nothing, _: Host) -> Result<Self, BuildError> {
        Ok(Quick)
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks
            .admit(7, |_me, event, _viewer| match event.created_at() {
                0 => Ok(Reason::invalid("too old").into()),
                _ => Ok(Admit::Accept),
            })
            .deliver(8, |_me, event, viewer| {
                Ok(viewer.session() != event.created_at())
            })
            .admit_async(
                9,
                std::time::Duration::from_secs(1),
                async |_me, _request| Ok(Admit::Accept),
            );
    }
}

const EXTENSIONS: &[Compiled] = &[Compiled::of::<Quick>()];
const ROUNDS: u32 = 50_000_000;

fn time(what: &str, rounds: u32, mut run: impl FnMut()) {
    let started = Instant::now();
    for _ in 0..rounds {
        run();
    }
    let each_ns = started.elapsed().as_nanos() as f64 / f64::from(rounds);
    println!("{what:<62} {each_ns:>9.2} ns");
}

/// What the flows do for each event: look for a new table, admit, and ask who may see it.
fn pass(hooks: &mut Local, event: &Event, viewer: &Viewer) {
    let plan = hooks.hooks().plan(event.kind());
    black_box(plan.admit(black_box(event), viewer));
    let mut show = [true];
    plan.visible(event, &[viewer], &mut show);
    black_box(show);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let keys = Keys::generate();
    let [one, seven, eight, nine] =
        [1, 7, 8, 9].map(|kind| sign(EventBuilder::new(Kind::from(kind), "hello"), &keys));
    let viewer = stranger();

    time("the loop alone", ROUNDS, || {
        black_box(&one);
    });
    let mut none = Local::new(SharedHooks::new());
    let off = HostHandle::new(EXTENSIONS);
    black_box(off.status());
    time(
        "no extension on: generation, admit, deliver",
        ROUNDS,
        || {
            pass(&mut none, &one, &viewer);
        },
    );
    let relay = HookHarness::start(EXTENSIONS, "[quick]").await.unwrap();
    let mut hooks = relay.handle.local();
    time("one on, for other kinds: the same", ROUNDS, || {
        pass(&mut hooks, &one, &viewer);
    });
    time("a sync admit hook", ROUNDS, || {
        let plan = hooks.hooks().plan(seven.kind());
        black_box(plan.admit(black_box(&seven), &viewer));
    });
    time("a deliver hook, one viewer", ROUNDS, || {
        let plan = hooks.hooks().plan(eight.kind());
        let mut show = [true];
        plan.visible(black_box(&eight), &[&viewer], &mut show);
        black_box(show);
    });
    let viewers = vec![&viewer; 1000];
    let mut show = vec![true; 1000];
    time(
        "a deliver hook, 1,000 viewers, for all",
        ROUNDS / 1000,
        || {
            let plan = hooks.hooks().plan(eight.kind());
            plan.visible(black_box(&eight), &viewers, &mut show);
            black_box(&show);
        },
    );
    let rounds = 200_000;
    let started = Instant::now();
    for _ in 0..rounds {
        let request = AdmitRequest {
            event: nine.clone(),
            viewer: viewer.clone().into(),
        };
        let plan = hooks.hooks().plan(nine.kind()).admit_async(request);
        black_box(plan.await);
    }
    let each_ns = started.elapsed().as_nanos() as f64 / f64::from(rounds);
    println!(
        "{:<62} {each_ns:>9.2} ns",
        "an admit_async hook, one at a time"
    );
    relay.host.shutdown().await;
}
