//! What time it is, for everything in the agent: asked of the machine in this one place, and handed to who needs it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time in unix seconds.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// The machine's.
    pub(crate) fn system() -> Clock {
        Clock(Arc::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(0, |since| since.as_secs())
        }))
    }

    /// Unix seconds.
    pub(crate) fn now_s(&self) -> u64 {
        (self.0)()
    }
}
