//! An extension in a relay: built, used, changed, switched off, starved of its store, killed.
//!
//! Not here: what a storm does to it (`harm`), what it does with other tables (`changes`), and what operators call
//! (`surface`).

use super::calls::Calls;
use super::harm::{RECOVERY, Tally};
use super::storm::{Storm, kinds_of, other_kinds};
use super::{Conformance, Report};
use crate::extension::ExplainedHook;
use crate::testing::{Failure, TestRelay, json};
use std::collections::BTreeSet;

/// Hooks that are asked about kinds; the others are asked about connections, pages and words, or follow the store.
const BY_KIND: [&str; 7] = [
    "admit",
    "admit_async",
    "commit",
    "guard_removal",
    "deliver",
    "request",
    "request_async",
];

impl Conformance {
    pub(super) async fn check_life(&self, report: &mut Report) {
        let calls = Calls::leaked();
        let config = self.config(&self.table);
        let prepared = self.setup().config(&config).prepare();
        let started = match prepared {
            Ok((ground, text)) => {
                TestRelay::start(ground, text, move || calls.on_this_thread()).await
            }
            Err(error) => Err(error),
        };
        let mut relay = match started {
            Ok(relay) => relay,
            Err(error) => {
                let wanted = "the table that is given to the conformance kit must let it start";
                report.problem(format!("it does not start: {error}"), wanted);
                return;
            }
        };
        let hooks = self.hooks(&relay);
        report.pass(format!("it starts, with {} hooks", hooks.len()));

        self.check_kinds(&relay, &hooks, calls, report).await;
        let mut is_calm = self.check_storm(&relay, &hooks, "closed", report).await;
        self.tell_calls(calls, report);
        self.check_surface(&relay, &hooks, report).await;
        self.check_changes(&mut relay, calls, report).await;
        let open = self.config_with("on_fault", "open");
        if self.put_in_force(&mut relay, &open, report).await {
            is_calm &= self.check_storm(&relay, &hooks, "open", report).await;
        }
        // Faults that have another cause would be laid to the store.
        if is_calm {
            self.check_failing_store(&relay, &hooks, report).await;
        }
        let relay = relay.kill_and_restart().await;
        let is_on = relay.status(self.name()).health.is_some();
        let wanted = "`build` must take whatever rows a crash leaves behind";
        report.check("it comes back after a crash", is_on, "it is off", wanted);
        relay.stop().await;
    }

    /// Events of other kinds are none of its business.
    async fn check_kinds(
        &self,
        relay: &TestRelay,
        hooks: &[ExplainedHook],
        calls: &Calls,
        report: &mut Report,
    ) {
        let kinds = other_kinds(hooks);
        if kinds.is_empty() {
            report.advise("it is asked about events of every kind: name those that it looks at");
            return;
        }
        let before = calls.of(self.name());
        let mut client = relay.connect().await;
        for kind in &kinds {
            let event = relay.author(9_000).draft(*kind).tag(["d", "x"]).sign();
            client.publish(&event).await;
            // Closed by another extension is an answer as well.
            let _ = client.query(json!({"kinds": [kind]})).await;
            let _ = client.count(json!({"kinds": [kind]})).await;
        }
        for (hook, count) in calls.of(self.name()) {
            if BY_KIND.contains(&hook.as_str()) && before.get(&hook) != Some(&count) {
                let found = format!("its hook {hook} was called for one of the kinds {kinds:?}");
                report.problem(found, "this is the relay's fault: tell its authors");
            }
        }
        report.pass(format!("nobody asks it about the kinds {kinds:?}"));
    }

    /// How often its hooks were called so far, and which never.
    fn tell_calls(&self, calls: &Calls, report: &mut Report) {
        let (called, idle): (Vec<_>, Vec<_>) = calls
            .of(self.name())
            .into_iter()
            .filter(|(hook, _)| BY_KIND.contains(&hook.as_str()))
            .partition(|(_, count)| *count > 0);
        let called: Vec<_> = called
            .iter()
            .map(|(hook, count)| format!("{hook} {count} times"))
            .collect();
        if !called.is_empty() {
            report.pass(format!("random traffic called {}", called.join(", ")));
        }
        for (hook, _) in idle {
            report.advise(format!(
                "random traffic never came to its hook {hook}: test that yourself"
            ));
        }
    }

    /// Its hooks may well fail while the store does; afterwards they must not.
    async fn check_failing_store(
        &self,
        relay: &TestRelay,
        hooks: &[ExplainedHook],
        report: &mut Report,
    ) {
        let some: BTreeSet<u16> = kinds_of(hooks).into_iter().take(6).collect();
        let mut storm = Storm::new(relay, 2).await;
        relay.faults().fail_reads(Failure::Unavailable);
        relay.faults().fail_rows(usize::MAX, Failure::Full);
        storm.publish(&some).await;
        relay.faults().heal();
        relay.clock().advance(RECOVERY);
        let wanted = "keep nothing that an error has left half done";
        if !self.settle(relay, true).await {
            let found = "its `stored` hook does not go on after the store is well again";
            report.problem(found, wanted);
        }
        let mut tally = Tally::from_now(relay, self.name());
        let mut storm = Storm::new(relay, 3).await;
        storm.publish(&some).await;
        self.settle(relay, false).await;
        let faults = tally.news();
        report.check(
            "it comes through a store that fails for a while",
            faults.is_empty(),
            &format!("faults after the store is well again: {faults:?}"),
            wanted,
        );
        relay.clock().advance(RECOVERY);
    }

    pub(super) async fn put_in_force(
        &self,
        relay: &mut TestRelay,
        config: &str,
        report: &mut Report,
    ) -> bool {
        match relay.reconfigure(config).await {
            Ok(()) => true,
            Err(error) => {
                let found = format!("it cannot be changed while it runs: {error}\n{config}");
                let wanted = "`build` and `register` must do with another instance still there";
                report.problem(found, wanted);
                false
            }
        }
    }

    pub(super) fn hooks(&self, relay: &TestRelay) -> Vec<ExplainedHook> {
        let mut hooks = relay.hooks();
        hooks.retain(|hook| hook.extension == self.name());
        hooks
    }
}
