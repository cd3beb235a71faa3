//! What is decided about calls, for the relay's log of decisions: never which room it was, and who was in it.

use crate::LivekitToken;

/// Notes a decision that was carried out. One that cannot be noted stands in the relay's own log alone.
pub(crate) async fn note(me: &LivekitToken, action: &str, of: &str, rule: &str, reason: &str) {
    if let Err(error) = me.host.note_decision(action, of, rule, reason).await {
        tracing::error!(%error, "a decision could not be added to the log of decisions");
    }
}
