//! An extension in a relay: built, used, changed, switched off, starved of its store, killed.

use super::calls::Calls;
use super::storm::{Storm, kinds_of, other_kinds};
use super::{Conformance, Report};
use crate::extension::{ExplainedHook, Health, HostOptions};
use crate::testing::{Failure, TestRelay, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

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

/// Longer than a breaker stays open after a few faults.
const RECOVERY: Duration = Duration::from_secs(3_600);

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
        self.check_changes(&mut relay, report).await;
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

    /// Says whether no hook was brought to fault.
    async fn check_storm(
        &self,
        relay: &TestRelay,
        hooks: &[ExplainedHook],
        on_fault: &str,
        report: &mut Report,
    ) -> bool {
        let kinds = kinds_of(hooks);
        let before = relay.status(self.name());
        let mut storm = Storm::new(relay, 1).await;
        storm.publish(&kinds).await;
        let mut is_calm = self.check_faults(relay, before.faults, "random events", report);
        let before_asking = relay.status(self.name()).faults;
        storm.ask(&kinds).await;
        is_calm &= self.check_faults(relay, before_asking, "REQ, COUNT and NEG-OPEN", report);
        let before_calls = relay.status(self.name()).faults;
        for hook in hooks.iter().filter(|hook| hook.hook == "http") {
            let mount = hook.target.clone().unwrap_or_default();
            if let Some(failed) = storm.call(&mount).await.first() {
                report.problem(failed, "answer 4xx to what a client did wrong");
            }
        }
        is_calm &= self.check_faults(relay, before_calls, "HTTP calls", report);
        let before_page = relay.status(self.name()).faults;
        let information = relay.information().await;
        let is_whole = information["supported_nips"].is_array();
        let wanted = "a nip11 hook must leave what it does not know as it is";
        let found = "the information document has lost its supported_nips";
        report.check("the information document is whole", is_whole, found, wanted);
        is_calm &= self.check_faults(relay, before_page, "the information document", report);
        let restarts = relay.status(self.name()).restarts - before.restarts;
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

    fn check_faults(
        &self,
        relay: &TestRelay,
        before: u64,
        what: &str,
        report: &mut Report,
    ) -> bool {
        let status = relay.status(self.name());
        let faults = status.faults - before;
        if faults > 0 {
            let found = format!(
                "{what} brought its hooks to fault {faults} times; skipped now: {:?}",
                status.skipped
            );
            let wanted = "a hook must take whatever a client sends: answer with a Reason, not with \
                an error or a panic; the log names the hook and the place";
            report.problem(found, wanted);
        }
        // The next part begins with hooks that are asked again.
        relay.clock().advance(RECOVERY);
        faults == 0
    }

    async fn check_changes(&self, relay: &mut TestRelay, report: &mut Report) {
        let (name, as_it_was) = (self.name(), self.config(&self.table));
        let same = self.put_in_force(relay, &as_it_was, report).await;
        if same {
            report.pass("the same table again changes nothing");
        }
        let another = self.config_with("priority", 7);
        if self.put_in_force(relay, &another, report).await {
            let is_down = matches!(relay.status(name).health, None | Some(Health::Down(_)));
            let wanted = "a second instance must do while the first still holds what it has";
            let found = "built anew beside the old one, it is down";
            report.check("it is rebuilt in place", !is_down, found, wanted);
        }
        let mounts = self.prefixes(relay);
        let off = self.config_with("enabled", false);
        let started = Instant::now();
        if self.put_in_force(relay, &off, report).await {
            let (took, deadline) = (started.elapsed(), HostOptions::default().deadline);
            report.check(
                "it stops in time",
                took < deadline,
                &format!("it took {} ms to stop", took.as_millis()),
                "end `start` and what `Host::spawn` runs when `stop.stopped()`, and keep `shutdown` \
                 short; the relay cuts it off after 2 s",
            );
            for mount in mounts {
                let status = relay.get(&mount).await.status;
                let found = format!("GET {mount} answers {status} while it is off");
                let wanted = "this is the relay's fault: tell its authors";
                report.check(
                    "its routes answer 404 while it is off",
                    status == 404,
                    &found,
                    wanted,
                );
            }
            let has_hooks = !self.hooks(relay).is_empty();
            let found = "hooks of it are in force while it is off";
            report.check("its hooks are gone with it", !has_hooks, found, "");
        }
        if self.put_in_force(relay, &as_it_was, report).await {
            let is_on = relay.status(name).health.is_some();
            let wanted = "`build` must take whatever rows an earlier instance leaves behind";
            report.check("it is switched on again", is_on, "it stays off", wanted);
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
        let before = relay.status(self.name()).faults;
        let mut storm = Storm::new(relay, 3).await;
        storm.publish(&some).await;
        let faults = relay.status(self.name()).faults - before;
        report.check(
            "it comes through a store that fails for a while",
            faults == 0,
            &format!("{faults} faults after the store is well again"),
            "keep nothing that an error has left half done",
        );
        relay.clock().advance(RECOVERY);
    }

    async fn put_in_force(&self, relay: &mut TestRelay, config: &str, report: &mut Report) -> bool {
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

    fn hooks(&self, relay: &TestRelay) -> Vec<ExplainedHook> {
        let mut hooks = relay.hooks();
        hooks.retain(|hook| hook.extension == self.name());
        hooks
    }

    /// Where its routes are, but for the root and other hosts, where the core has pages of its own.
    fn prefixes(&self, relay: &TestRelay) -> Vec<String> {
        let hooks = self.hooks(relay).into_iter();
        let mounts = hooks.filter(|hook| hook.hook == "http");
        let mounts = mounts.filter_map(|hook| hook.target);
        mounts
            .filter(|mount| mount.len() > 1 && !mount.starts_with("//"))
            .collect()
    }
}
