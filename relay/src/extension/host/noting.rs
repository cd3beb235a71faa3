//! Decisions of an extension, on their way into the relay's log.

use super::Host;
use crate::decisions::Decision;
use crate::store::{Outcome, StoreError};

impl Host {
    /// Adds a decision to the relay's log of enforcement decisions, under the extension's name; durable when it returns.
    ///
    /// `action` is what was done, `subject` what it is about, `rule` what was broken, or `operator` where a person decided, and
    /// `reason` is why. All of it is kept for good, so it must not say who somebody is: network addresses and addresses of mail
    /// are taken out, and the rest is the author's to see to. Not to be called in a `commit` hook.
    /// A full store refuses it, which is an error.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// use trellis_relay::store::StoreError;
    /// async fn close(host: &Host) -> Result<(), StoreError> {
    ///     // ... the room is closed ...
    ///     host.note_decision("close room", "call", "no recording", "a recording was reported").await
    /// }
    /// ```
    pub async fn note_decision(
        &self,
        action: &str,
        subject: &str,
        rule: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let now_s = self.clock().now_s();
        let decision = Decision::under(rule, now_s, self.name(), action, subject, reason);
        let write = decision.write_if_there_is_room();
        let outcomes = self.inner.core.submit(vec![write]).await?;
        match outcomes.first() {
            Some(Outcome::Refused(reason)) => Err(StoreError::Unavailable(reason.to_string())),
            _ => Ok(()),
        }
    }
}
