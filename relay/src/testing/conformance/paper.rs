//! What can be said of an extension before it runs: its schema, and what its table may hold.

use super::{Conformance, Report};
use crate::extension::Table;

/// Keys of every table that are the core's.
pub(super) const CORE_KEYS: [&str; 5] = [
    "enabled",
    "on_fault",
    "priority",
    "timeout_ms",
    "max_concurrent",
];

impl Conformance {
    /// Says whether there is any use in going on.
    pub(super) fn check_paper(&self, report: &mut Report) -> bool {
        let own_keys = self.check_schema(report);
        // Before the table as it is, since a Config that takes anything cannot be used at all.
        let misspelled = own_keys.iter().map(String::as_str);
        for key in misspelled.chain(["enabled"]) {
            self.check_misspelled(key, &own_keys, report);
        }
        if self.changed.is_none() && !own_keys.is_empty() {
            report.advise(
                "nobody has seen its `reload`: give the kit a second table (Conformance::changed)",
            );
        }
        let tables = [Some(self.table.clone()), self.changed_table()];
        for table in tables.into_iter().flatten() {
            if let Err(problem) = self.extension.check(table) {
                let wanted = "the tables that are given to the conformance kit must be right ones";
                report.problem(format!("its table is refused: {problem}"), wanted);
                return false;
            }
        }
        if self.changed_table().as_ref() == Some(&self.table) {
            let wanted = "the second table must differ from the first in a key of its own";
            report.problem("its second table is the first", wanted);
            return false;
        }
        true
    }

    /// The author's keys.
    fn check_schema(&self, report: &mut Report) -> Vec<String> {
        let schema = self.extension.schema();
        let Some(properties) = schema["properties"].as_object() else {
            let wanted = "derive JsonSchema for its Config, which must be a struct";
            report.problem("the schema of its table is no object", wanted);
            return Vec::new();
        };
        let is_own = |key: &&String| !CORE_KEYS.contains(&key.as_str());
        let own: Vec<String> = properties.keys().filter(is_own).cloned().collect();
        for key in &own {
            if properties[key].get("description").is_none() {
                report.advise(format!("say in a doc comment what the key {key} means"));
            }
        }
        let what = format!(
            "the schema of its table names {} keys of its own",
            own.len()
        );
        report.check(&what, true, "", "");
        own
    }

    /// A key with a letter too many.
    fn check_misspelled(&self, key: &str, own_keys: &[String], report: &mut Report) {
        let wrong = format!("{key}x");
        if own_keys.contains(&wrong) {
            return;
        }
        let mut table: Table = self.table.clone();
        let value = table.get(key).cloned().unwrap_or_else(|| true.into());
        table.insert(wrong.clone(), value);
        let wanted = "add #[serde(deny_unknown_fields)] to its Config, and flatten nothing into it";
        match self.extension.check(table) {
            Ok(()) => report.problem(format!("it takes the unknown key {wrong}"), wanted),
            Err(said) if said.contains("did you mean") => {
                report.pass(format!("{wrong} is refused: {said}"));
            }
            Err(said) => report.problem(
                format!("the unknown key {wrong} is refused with: {said}"),
                wanted,
            ),
        }
    }
}
