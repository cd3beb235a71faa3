//! Keeps memory in step where nobody tells it: a moderation event that was judged but not stored in the end, or one that an
//! instance followed which this one has taken the place of.

use crate::Groups;
use crate::agenda::Said;
use std::time::Duration;
use trellis_relay::extension::prelude::*;

/// How often it is looked for such events.
const EVERY: Duration = Duration::from_secs(1);

/// Looks for them for ever.
pub(crate) async fn settle_forever(me: &Groups) -> Result<(), TaskError> {
    loop {
        tokio::time::sleep(EVERY).await;
        for id in me.directory.settle_old(&me.host).await? {
            me.agenda.say(&id, Said::ALL);
        }
    }
}
