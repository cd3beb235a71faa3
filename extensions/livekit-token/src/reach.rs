//! Whether LiveKit answers, as it was when somebody last looked.
//!
//! Invariant: it is asked at most once a second for all who want to know.

use crate::LivekitToken;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use trellis_relay::extension::prelude::*;

/// Between two looks of its own.
const PERIOD: Duration = Duration::from_secs(10);
/// What somebody saw so long ago is not looked at anew.
const FRESH: Duration = Duration::from_secs(1);
/// Who is asked by a program that asks us may take so long.
const PATIENCE: Duration = Duration::from_secs(2);
/// A name that no room has.
const NO_ROOM: &str = "-";

/// What was seen last.
pub(crate) struct Reach {
    is_up: AtomicBool,
    looked: Mutex<Option<Instant>>,
}

impl Default for Reach {
    fn default() -> Self {
        Reach {
            is_up: AtomicBool::new(true),
            looked: Mutex::default(),
        }
    }
}

impl Reach {
    /// What was seen last, from memory.
    pub(crate) fn is_up(&self) -> bool {
        self.is_up.load(Relaxed)
    }
}

/// Whether LiveKit answers now, with our key.
pub(crate) async fn look(me: &LivekitToken) -> bool {
    let mut looked = me.reach.looked.lock().await;
    if looked.is_none_or(|then| then.elapsed() >= FRESH) {
        let asked = me.livekit.rooms(vec![NO_ROOM.to_owned()]);
        let answer = tokio::time::timeout(PATIENCE, asked).await;
        let is_up = matches!(answer, Ok(Ok(_)));
        if me.reach.is_up.swap(is_up, Relaxed) != is_up {
            match is_up {
                true => tracing::info!("LiveKit answers again"),
                false => tracing::error!("LiveKit does not answer; nobody gets tokens meanwhile"),
            }
        }
        *looked = Some(Instant::now());
    }
    me.reach.is_up()
}

/// Looks now and then.
pub(crate) async fn watch(me: &LivekitToken) -> Result<(), TaskError> {
    loop {
        look(me).await;
        // Since when a maintenance of the relay is on.
        me.maintenance_seen
            .look(me.host.mode(), me.host.clock().now_s());
        tokio::time::sleep(PERIOD).await;
    }
}
