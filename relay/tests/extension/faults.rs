//! E6: a hook at fault harms its own extension only.

use crate::support::*;
use crate::words::RELEASED;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trellis_relay::extension::{Access, AccessRequest, Admit, Health, Verb};
use trellis_relay::filter::Filter;
use trellis_relay::reason::Reason;

#[tokio::test]
async fn e6_panics_and_errors_are_counted_and_refuse_by_default() {
    let relay = start(&format!("{WORDS}{GATE}")).await;
    assert_eq!(relay.admit(&event(1, "panic"), &stranger()), INTERNAL);
    assert_eq!(relay.admit(&event(1, "fail"), &stranger()), INTERNAL);
    assert_eq!(relay.status("words").faults, 2);
    assert_eq!(relay.status("gate").faults, 0);
    assert_eq!(relay.admit(&event(1, "fine"), &stranger()), "accept");
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e6_on_fault_open_lets_events_pass() {
    let open = WORDS.replace("kinds", "on_fault = 'open'\nkinds");
    let relay = start(&format!("{open}{GATE}")).await;
    assert_eq!(relay.admit(&event(1, "panic"), &stranger()), "accept");
    assert_eq!(relay.status("words").faults, 1);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e6_a_breaker_skips_a_hook_that_fails_again_and_again() {
    let relay = start(&format!("{WORDS}{GATE}")).await;
    let (bad, fine) = (event(1, "panic"), event(1, "fine"));
    for _ in 0..5 {
        relay.admit(&bad, &stranger());
    }
    let status = relay.status("words");
    assert_eq!((status.faults, &status.skipped[..]), (5, &["admit"][..]));
    assert!(matches!(status.health, Some(Health::Degraded(_))));
    // Closed while it is skipped, and not asked: nothing is counted.
    assert_eq!(relay.admit(&fine, &stranger()), INTERNAL);
    assert_eq!(relay.status("words").faults, 5);
    // Another hook of the same extension goes on.
    let in_room = tagged(445, "x", &[&["h", "g"]]);
    assert_eq!(relay.visible(&in_room, &[&member()]), [true]);

    relay.clock.advance(Duration::from_secs(2));
    assert_eq!(relay.admit(&bad, &stranger()), INTERNAL);
    assert_eq!(
        relay.status("words").skipped,
        ["admit"],
        "one more is enough"
    );
    relay.clock.advance(Duration::from_secs(3));
    assert_eq!(
        relay.admit(&fine, &stranger()),
        INTERNAL,
        "the wait has doubled"
    );
    relay.clock.advance(Duration::from_secs(1));
    assert_eq!(relay.admit(&fine, &stranger()), "accept");
    assert_eq!(relay.status("words").health, Some(Health::Ok));
    relay.host.shutdown().await;
}

/// The worker's runtime has one thread, as actix's have.
#[tokio::test(flavor = "current_thread")]
async fn e6_async_hooks_that_hang_panic_or_block_do_not_hold_the_worker() {
    let relay = start(GATE).await;
    for what in ["sleep", "panic", "block"] {
        let event = event(450, what);
        let mut hook = std::pin::pin!(relay.admit_async(&event));
        if what != "panic" {
            // The worker has its thread back while the hook sleeps or blocks.
            let is_pending = futures_util::poll!(&mut hook).is_pending();
            assert!(is_pending, "{what}");
        }
        let verdict = hook.await;
        assert_eq!(verdict, INTERNAL, "{what}");
    }
    assert_eq!(relay.status("gate").faults, 3);
    until("the blocked thread comes back", async || {
        // Those that came too early have opened the breaker.
        relay.clock.advance(Duration::from_secs(120));
        relay.admit_async(&event(450, "1")).await == "accept"
    })
    .await;
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e6_a_fault_of_an_async_hook_passes_where_on_fault_is_open() {
    let relay = start(&format!("{GATE}on_fault = 'open'\ntimeout_ms = 5")).await;
    assert_eq!(relay.admit_async(&event(450, "sleep")).await, "accept");
    assert_eq!(relay.status("gate").faults, 1);
    relay.host.shutdown().await;
}

/// Or a flood would open the door, and shut it where `on_fault` is closed.
#[tokio::test]
async fn e6_who_waits_in_vain_for_a_place_is_refused_and_no_fault_is_counted() {
    let more = "on_fault = 'open'\ntimeout_ms = 400\nmax_concurrent = 1";
    let relay = start(&format!("{GATE}{more}")).await;
    // It fails and passes, and goes on holding the only place.
    assert_eq!(relay.admit_async(&event(450, "block")).await, "accept");
    assert_eq!(relay.status("gate").faults, 1);
    let busy = "error: the relay has too much to do; try again later";
    for _ in 0..6 {
        assert_eq!(relay.admit_async(&event(450, "1")).await, busy);
    }
    let request = AccessRequest {
        request_id: 1,
        viewer: Arc::new(stranger()),
        verb: Verb::Req,
        is_again: false,
        filter: Arc::new(Filter {
            kinds: Some(vec![460]),
            ..Filter::default()
        }),
    };
    let answer = relay.hooks().request_async(request).await;
    assert_eq!(answer, Access::Close(Reason::busy()));
    let status = relay.status("gate");
    assert_eq!((status.faults, status.skipped), (1, vec![]));
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e6_a_sync_hook_that_overruns_is_found_and_skipped() {
    let relay = start(&format!("{WORDS}{GATE}")).await;
    let hooks = relay.hooks();
    let hanging = std::thread::spawn(move || {
        let event = event(1, "hang");
        hooks.plan(1).admit(&event, &stranger())
    });
    until("the watchdog", async || {
        relay.status("words").skipped == ["admit"]
    })
    .await;
    RELEASED.store(true, Relaxed);
    assert_eq!(hanging.join().unwrap(), Admit::Accept);
    // Its late answer does not close the breaker.
    assert_eq!(relay.status("words").faults, 1);
    assert_eq!(relay.status("words").skipped, ["admit"]);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e6_a_task_that_dies_is_started_again() {
    for task in ["fails", "panics"] {
        let relay = start(&format!("{GATE}task = '{task}'")).await;
        until("restarts", async || relay.status("gate").restarts >= 3).await;
        relay.host.shutdown().await;
    }
}

#[tokio::test]
async fn e6_health_is_what_the_extension_says() {
    let relay = start(&GATE.replace("'g'", "'sick'")).await;
    let down = Health::Down("the room is closed".to_owned());
    assert_eq!(relay.status("gate").health, Some(down));
    assert_eq!(relay.status("words").health, None);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e6_the_log_names_extension_and_place_and_never_the_message() {
    let relay = start(&format!("{WORDS}{GATE}")).await;
    let log = Arc::new(Mutex::new(Vec::new()));
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || Tee(writer.clone()))
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        relay.admit(&event(1, "panic"), &stranger());
    });
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert!(log.contains("words.rs:"), "{log}");
    assert!(log.contains(r#"extension="words""#), "{log}");
    assert!(!log.contains("secret"), "{log}");
    relay.host.shutdown().await;
}

struct Tee(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
