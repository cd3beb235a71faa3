//! While the operator works on the relay or LiveKit no calls begin; those that go on may be joined until a deadline.
//!
//! Invariant: the relay's own maintenance (`[operation]`) and this extension's `maintenance` do the same.

use crate::LivekitToken;
use crate::failure::{Code, Failure};
use crate::routes::unavailable;
use livekit_protocol::Room;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use trellis_relay::config::Mode;

/// When the relay's own maintenance was first seen, in seconds since 1970; 0 while there is none.
#[derive(Default)]
pub(crate) struct Seen(AtomicU64);

impl Seen {
    /// Looks at the relay's mode. Since when it is maintenance, if it is.
    pub(crate) fn look(&self, mode: Mode, now_s: u64) -> Option<u64> {
        if mode != Mode::Maintenance {
            self.0.store(0, Relaxed);
            return None;
        }
        let first = self.0.compare_exchange(0, now_s, Relaxed, Relaxed);
        Some(first.map_or_else(|since_s| since_s, |_| now_s))
    }
}

/// Refuses who would begin a call during maintenance, or join one after the deadline.
pub(crate) async fn check(me: &LivekitToken, room: &str) -> Result<(), Failure> {
    let (settings, now_s) = (me.settings(), me.host.clock().now_s());
    let relays = me.maintenance_seen.look(me.host.mode(), now_s);
    if relays.is_none() && !settings.maintenance {
        return Ok(());
    }
    let relays_deadline_s = relays.map(|since_s| since_s + me.host.drain_timeout().as_secs());
    let own_deadline_s = settings
        .maintenance_deadline_s
        .filter(|_| settings.maintenance);
    let deadline_s = relays_deadline_s.into_iter().chain(own_deadline_s).min();
    if deadline_s.is_some_and(|at_s| at_s <= now_s) {
        return Err(refusal(
            "this is a time of maintenance; no calls can be joined",
        ));
    }
    let running = me.livekit.rooms(vec![room.to_owned()]).await;
    let running = running.map_err(unavailable)?;
    // The room of a community is there before anybody is in it.
    let goes_on = |room: &Room| room.num_participants > 0 || !room.name.starts_with("30312:");
    match running.iter().any(goes_on) {
        true => Ok(()),
        false => Err(refusal("this is a time of maintenance; no calls can begin")),
    }
}

fn refusal(text: &str) -> Failure {
    Failure::new(Code::Maintenance, text)
}
