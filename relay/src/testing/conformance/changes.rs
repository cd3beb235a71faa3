//! An extension in a running relay that gets other tables: reloaded, built anew, switched off and on.

use super::calls::Calls;
use super::{Conformance, Report};
use crate::extension::{Health, HostOptions};
use crate::testing::{TestRelay, Value, json};
use serde_json::Map;
use std::time::Instant;

impl Conformance {
    pub(super) async fn check_changes(
        &self,
        relay: &mut TestRelay,
        calls: &Calls,
        report: &mut Report,
    ) {
        let (name, as_it_was) = (self.name(), self.config(&self.table));
        let same = self.put_in_force(relay, &as_it_was, report).await;
        if same {
            report.pass("the same table again changes nothing");
        }
        self.check_reload(relay, calls, report).await;
        let another = self.config_with("priority", 7);
        if self.put_in_force(relay, &another, report).await {
            let is_down = matches!(relay.status(name).health, None | Some(Health::Down(_)));
            let wanted = "a second instance must do while the first still holds what it has";
            let found = "built anew beside the old one, it is down";
            report.check("it is rebuilt in place", !is_down, found, wanted);
        }
        let routes = self.routes(relay, report).await;
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
            for (method, path) in routes {
                let status = relay.request(&method, &path).await.status;
                let found = format!("{method} {path} answers {status} while it is off");
                let wanted = "this is the relay's fault: tell its authors";
                let what = "its routes answer 404 while it is off";
                report.check(what, status == 404, &found, wanted);
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
        let faults = calls.faults_of(name, "shutdown");
        let wanted = "end `shutdown` in time, without a panic; the log names the place";
        let found = format!("its `shutdown` failed or did not end in time, {faults} times");
        report.check("it says goodbye", faults == 0, &found, wanted);
    }

    /// Gives it its second table while it runs, and the first again.
    async fn check_reload(&self, relay: &mut TestRelay, calls: &Calls, report: &mut Report) {
        let Some(changed) = self.changed_table() else {
            return;
        };
        for table in [&changed, &self.table] {
            let config = self.config(table);
            if !self.put_in_force(relay, &config, report).await {
                return;
            }
        }
        let name = self.name();
        let faults = calls.faults_of(name, "reload");
        report.check(
            "it is given another table while it runs",
            faults == 0,
            &format!("its `reload` panicked or gave no answer, {faults} times"),
            "take the table over or answer Reload::Rebuild; the log names the place",
        );
        let is_down = matches!(relay.status(name).health, None | Some(Health::Down(_)));
        let found = "after another table and the first again it is down";
        report.check("it is well after that", !is_down, found, "");
    }

    /// Routes of it that answer anything but 404 while it is on.
    async fn routes(&self, relay: &TestRelay, report: &mut Report) -> Vec<(String, String)> {
        let hooks = self.hooks(relay);
        let mounts = hooks.iter().filter(|hook| hook.hook == "http");
        let mounts: Vec<&str> = mounts.filter_map(|hook| hook.target.as_deref()).collect();
        let mut tried = self.described(relay).await;
        // At the root and on hosts of their own, only what is described is known to be its.
        let prefixes = mounts
            .iter()
            .filter(|it| it.len() > 1 && !it.starts_with("//"));
        tried.extend(prefixes.map(|prefix| ("GET".to_owned(), (*prefix).to_owned())));
        let mut found = Vec::new();
        for (method, path) in tried {
            if relay.request(&method, &path).await.status != 404 {
                found.push((method, path));
            }
        }
        if found.is_empty() && !mounts.is_empty() {
            report.advise(
                "no route of it answers anything but 404: see yourself that they go when it is switched off",
            );
        }
        found
    }

    /// What `/openapi.json` says of it, with something in the place of each parameter.
    async fn described(&self, relay: &TestRelay) -> Vec<(String, String)> {
        let document = relay.get("/openapi.json").await;
        if document.status != 200 {
            return Vec::new();
        }
        let document: Value = document.json();
        let no_paths = Map::new();
        let paths = document["paths"].as_object().unwrap_or(&no_paths);
        let mut routes = Vec::new();
        for (path, operations) in paths {
            // The relay has something of its own at `/`.
            for (method, operation) in operations.as_object().into_iter().flatten() {
                if path != "/" && operation["tags"] == json!([self.name()]) {
                    routes.push((method.to_uppercase(), filled(path)));
                }
            }
        }
        routes
    }
}

/// `/things/{id}` as `/things/1`.
fn filled(path: &str) -> String {
    let parts = path.split('{').map(|part| match part.split_once('}') {
        Some((_, rest)) => format!("1{rest}"),
        None => part.to_owned(),
    });
    parts.collect()
}
