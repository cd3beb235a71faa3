//! What random traffic brings an extension's hooks to.
//!
//! Invariant: a fault is told once, and with what caused it. A `stored` hook follows the store at its own pace, so it is
//! waited for before faults are read, and one that is at fault is asked for the same page again and again.

use super::storm::{Storm, kinds_of};
use super::{Conformance, Report};
use crate::extension::ExplainedHook;
use crate::testing::{DEADLINE, TestRelay};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Longer than a breaker stays open after a few faults.
pub(super) const RECOVERY: Duration = Duration::from_secs(3_600);

impl Conformance {
    /// Says whether no hook was brought to fault. The instance must be a fresh one.
    pub(super) async fn check_storm(
        &self,
        relay: &TestRelay,
        hooks: &[ExplainedHook],
        on_fault: &str,
        report: &mut Report,
    ) -> bool {
        let kinds = kinds_of(hooks);
        let mut tally = Tally::from_birth(relay, self.name());
        let mut storm = Storm::new(relay, 1).await;
        storm.publish(&kinds).await;
        if !self.settle(relay, false).await {
            let seconds = DEADLINE.as_secs();
            report.advise(format!(
                "its `stored` hook had not come to the last row after {seconds} s: test that yourself"
            ));
        }
        let mut is_calm = check_faults(&mut tally, "random events", report);
        storm.ask(&kinds).await;
        is_calm &= check_faults(&mut tally, "REQ, COUNT and NEG-OPEN", report);
        for hook in hooks.iter().filter(|hook| hook.hook == "http") {
            let mount = hook.target.clone().unwrap_or_default();
            if let Some(failed) = storm.call(&mount).await.first() {
                report.problem(failed, "answer 4xx to what a client did wrong");
            }
        }
        is_calm &= check_faults(&mut tally, "HTTP calls", report);
        let information = relay.information().await;
        let is_whole = information["supported_nips"].is_array();
        let wanted = "a nip11 hook must leave what it does not know as it is";
        let found = "the information document has lost its supported_nips";
        report.check("the information document is whole", is_whole, found, wanted);
        is_calm &= check_faults(&mut tally, "the information document", report);
        let restarts = relay.status(self.name()).restarts;
        if restarts > 0 {
            report.problem(
                format!("its task failed {restarts} times"),
                "let `start` go on until `stop.stopped()`, or return Ok at once",
            );
        }
        if is_calm && restarts == 0 {
            let what = "random traffic does it no harm";
            report.pass(format!("{what} (on_fault = {on_fault:?})"));
        }
        is_calm
    }

    /// Waits until its `stored` hooks have come to the last row; unless it `is_patient`, one that is at fault is not waited
    /// for. Says whether they have.
    pub(super) async fn settle(&self, relay: &TestRelay, is_patient: bool) -> bool {
        let started = Instant::now();
        while relay.is_behind(self.name(), is_patient) {
            if started.elapsed() > DEADLINE {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        true
    }
}

/// Tells what is new, and begins the next part with hooks that are asked again.
fn check_faults(tally: &mut Tally<'_>, what: &str, report: &mut Report) -> bool {
    let news = tally.news();
    if !news.is_empty() {
        let hooks: Vec<_> = news
            .iter()
            .map(|(hook, times)| format!("{hook} {times} times"))
            .collect();
        let found = format!("{what} brought its hooks to fault: {}", hooks.join(", "));
        let wanted = "a hook must take whatever a client sends: answer with a Reason, not with an error or a panic; the \
            log names the hook and the place";
        report.problem(found, wanted);
    }
    tally.relay.clock().advance(RECOVERY);
    news.is_empty()
}

/// The faults of an instance, told once.
pub(super) struct Tally<'r> {
    relay: &'r TestRelay,
    name: &'static str,
    told: BTreeMap<&'static str, u64>,
}

impl<'r> Tally<'r> {
    /// With all that the instance did wrong since it was built.
    pub(super) fn from_birth(relay: &'r TestRelay, name: &'static str) -> Self {
        Tally {
            relay,
            name,
            told: BTreeMap::new(),
        }
    }

    /// With what it does wrong from here on.
    pub(super) fn from_now(relay: &'r TestRelay, name: &'static str) -> Self {
        let told = relay.extensions().faults_by_hook(name);
        Tally { relay, name, told }
    }

    /// Faults since the last time, by hook.
    pub(super) fn news(&mut self) -> BTreeMap<&'static str, u64> {
        let mut news = self.relay.extensions().faults_by_hook(self.name);
        let told = std::mem::replace(&mut self.told, news.clone());
        news.retain(|hook, times| {
            let before = told.get(hook).copied().unwrap_or_default();
            *times -= before;
            *times > 0 && (*hook != "stored" || before == 0)
        });
        news
    }
}
