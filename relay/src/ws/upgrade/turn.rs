//! How long a connection goes on before the others of its worker, and why it stops.

use std::time::{Duration, Instant};

/// Frames handled, and time spent, before other connections of the worker get their turn.
const TURN_FRAMES: usize = 32;
const TURN_TIME: Duration = Duration::from_millis(1);

/// What is left of a connection's turn.
pub(super) struct Allowance {
    frames: usize,
    since: Instant,
}

impl Allowance {
    pub(super) fn begin() -> Self {
        Allowance {
            frames: TURN_FRAMES,
            since: Instant::now(),
        }
    }

    /// Whether one more frame may be handled, which is counted.
    pub(super) fn take_frame(&mut self) -> bool {
        let may = self.frames > 0 && self.since.elapsed() < TURN_TIME;
        self.frames -= usize::from(may);
        may
    }
}

/// Why the handling of frames stopped.
pub(super) enum Turn {
    /// There is no whole frame.
    Dry,
    /// Others come first.
    Over,
    /// Something must happen before the next frame.
    Waits,
}

/// Whether a step could go on.
pub(super) enum Progress {
    More,
    Blocked,
}
