//! An extension's table in the config: the core's keys, then the author's.
//!
//! Invariant: a key that nobody reads stops the start, with the nearest key that somebody does. No value of a key that is
//! named like a secret is told, whatever is wrong with it.

use super::hook::OnFault;
use crate::config::mask::{self, MASK};
use crate::config::nearest;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// A table `[extensions.<name>]` as it stands in the file.
pub type Table = toml::Table;

/// Keys of every extension's table that belong to the core. They are taken out before the author's type sees the
/// table, which would refuse them as unknown.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CoreKeys {
    /// Whether the extension is on. A table without this key switches it on.
    pub(super) enabled: bool,
    /// What happens to an event or request when a hook fails: "closed" refuses it with `error:`, "open" lets it pass.
    pub(super) on_fault: OnFault,
    /// Hooks of one phase run by this number, the smallest first.
    pub(super) priority: i64,
    /// How long async hooks may take, in milliseconds, instead of what their author set.
    #[schemars(range(min = 1))]
    pub(super) timeout_ms: Option<u64>,
    /// So many async hooks of the extension run at a time.
    #[schemars(range(min = 1, max = 100_000))]
    pub(super) max_concurrent: u32,
}

impl Default for CoreKeys {
    fn default() -> Self {
        CoreKeys {
            enabled: true,
            on_fault: OnFault::default(),
            priority: 0,
            timeout_ms: None,
            max_concurrent: 64,
        }
    }
}

impl CoreKeys {
    const NAMES: [&str; 5] = [
        "enabled",
        "on_fault",
        "priority",
        "timeout_ms",
        "max_concurrent",
    ];

    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }
}

/// Parts the core's keys from the author's. An `Err` says what is wrong with the core's.
pub(super) fn split(mut table: Table) -> Result<(CoreKeys, Table), String> {
    let mut core = Table::new();
    for name in CoreKeys::NAMES {
        if let Some((name, value)) = table.remove_entry(name) {
            core.insert(name, value);
        }
    }
    let core: CoreKeys = toml::Value::Table(core)
        .try_into()
        .map_err(|error| explain(&error))?;
    if core.timeout_ms == Some(0) {
        return Err("timeout_ms: found 0, wanted at least 1".to_owned());
    }
    if !(1..=100_000).contains(&core.max_concurrent) {
        return Err(format!(
            "max_concurrent: found {}, wanted 1 to 100000",
            core.max_concurrent
        ));
    }
    Ok((core, table))
}

const PROBE: &str = "__unknown_key_probe";

/// Reads the author's keys. A config type that forgot `#[serde(deny_unknown_fields)]` is found out by a key that nobody
/// knows: the trait bound cannot tell.
pub(super) fn parse<C: DeserializeOwned>(table: Table) -> Result<C, String> {
    let mut probed = table.clone();
    probed.insert(PROBE.to_owned(), true.into());
    if C::deserialize(toml::Value::Table(probed)).is_ok() {
        return Err(
            "its Config accepts unknown keys; its author must add #[serde(deny_unknown_fields)]"
                .to_owned(),
        );
    }
    let secrets = Secrets::of(&table);
    C::deserialize(toml::Value::Table(table)).map_err(|error| secrets.mask(explain(&error)))
}

/// The texts of a table that must not be shown: serde quotes what it did not expect.
struct Secrets {
    texts: Vec<String>,
}

impl Secrets {
    fn of(table: &Table) -> Self {
        let mut texts = Vec::new();
        collect_secrets("", &toml::Value::Table(table.clone()), &mut texts);
        // What holds another is masked before it.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Secrets { texts }
    }

    fn mask(&self, mut problem: String) -> String {
        for text in &self.texts {
            // As serde quotes values and variants, and as an author may.
            for quoted in [format!("{text:?}"), format!("`{text}`")] {
                problem = problem.replace(&quoted, MASK);
            }
            if text.len() >= TELLTALE_BYTES {
                problem = problem.replace(text.as_str(), MASK);
            }
        }
        problem
    }
}

/// Shorter texts stand in any sentence by chance.
const TELLTALE_BYTES: usize = 6;

fn collect_secrets(key: &str, value: &toml::Value, texts: &mut Vec<String>) {
    match value {
        toml::Value::String(text) if !text.is_empty() && mask::hides(key, text) => {
            texts.push(text.clone());
        }
        toml::Value::Array(items) => {
            for item in items {
                collect_secrets(key, item, texts);
            }
        }
        toml::Value::Table(table) => {
            for (name, value) in table {
                collect_secrets(&format!("{key}.{name}"), value, texts);
            }
        }
        _ => {}
    }
}

/// serde's words, and the nearest known key if the found one is unknown.
fn explain(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let text = text.trim().replace('\n', " ");
    // serde writes: unknown field `found`, expected one of `a`, `b`
    let mut quoted = error.message().split('`').skip(1).step_by(2);
    let found = match error.message().starts_with("unknown field") {
        true => quoted.next(),
        false => None,
    };
    let nearest = found.and_then(|found| nearest(found, quoted.chain(CoreKeys::NAMES)));
    match nearest {
        Some(key) => format!("{text}; did you mean `{key}`?"),
        None => text,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::extension::http::ServiceTokens;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Config {
        #[serde(default)]
        service_tokens: ServiceTokens,
        #[serde(default)]
        api_secret: std::collections::BTreeMap<String, u8>,
        #[serde(default)]
        database: u8,
        #[serde(default)]
        room: u8,
    }

    #[test]
    fn e11_what_is_wrong_with_a_secret_does_not_tell_it() {
        let secret = "hR3kq0ZbT1mYw8vX\"o5Nc7LdJf2GsPa4E";
        for table in [
            format!("service_tokens = {secret:?}"),
            format!("service_tokens = [{secret:?}]"),
            format!("service_tokens = {{ a = {{ token = [{secret:?}], allowed_ips = [] }} }}"),
            format!("api_secret = {secret:?}"),
            format!("api_secret.a = {secret:?}"),
            format!("database = {:?}", format!("mysql://me:{secret}@host")),
        ] {
            let problem = parse::<Config>(table.parse().unwrap()).unwrap_err();
            assert!(!problem.contains("o5Nc7LdJf2GsPa4E"), "{problem}");
        }
        let shown = parse::<Config>("room = 'the hall'".parse().unwrap()).unwrap_err();
        assert!(shown.contains("the hall"), "{shown}");
    }
}
