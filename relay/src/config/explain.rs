//! A configuration as an operator sees it: every key, its value, where it came from, and what reaches out.
//!
//! Invariant: no secret is shown. `Display` prints it for people, serializing gives the same as JSON.

use super::{Config, Loaded, Origin, mask};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// Schemes of addresses that are only reached over a network.
const NETWORK_SCHEMES: [&str; 13] = [
    "http://",
    "https://",
    "ws://",
    "wss://",
    "postgres://",
    "postgresql://",
    "mysql://",
    "redis://",
    "rediss://",
    "gs://",
    "s3://",
    "nats://",
    "amqp://",
];

/// Keys of the core that make it open an outgoing connection where they hold an address, and to what.
const CORE_OUTGOING: [(&str, &str); 1] = [(
    "backup.url",
    "copies of everything stored go there, and an empty database is restored from there",
)];

/// A configuration as an operator sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// Every key with its effective value, in alphabetical order.
    pub keys: Vec<Effective>,
    /// The keys that make the relay open an outgoing connection; empty with the defaults.
    pub outgoing: Vec<Outgoing>,
    /// What an operator should hear about it.
    pub notes: Vec<String>,
}

/// One key with its effective value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effective {
    /// The key, with its tables.
    pub key: String,
    /// Its value, masked if it is a secret; null if there is none.
    pub value: Value,
    /// Where the value came from.
    pub origin: Origin,
}

/// A key that makes the relay open an outgoing connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outgoing {
    /// The key, with its tables.
    pub key: String,
    /// Its value, masked if it is a secret.
    pub value: String,
    /// What the connection is for.
    pub opens: String,
}

impl Loaded {
    /// Explains this configuration. `declared` holds what extensions say of themselves: a key, and what the relay
    /// connects to when that key is set; or `extensions.NAME`, and what it connects to whenever that extension is on.
    /// Besides those, every network address in the table of an extension that is on counts.
    pub fn explain(&self, declared: &[(String, String)]) -> Explanation {
        let mut keys = Vec::new();
        if let Ok(Value::Object(sections)) = serde_json::to_value(&self.config) {
            for (section, value) in sections.iter().filter(|(name, _)| *name != "server") {
                self.flatten(section, value, &mut keys);
            }
        }
        let by_key = keys
            .iter()
            .filter_map(|effective| outgoing(&self.config, declared, effective));
        let by_table = declared.iter().filter_map(|(key, opens)| {
            let name = key.strip_prefix("extensions.")?;
            is_on(&self.config, name).then(|| Outgoing {
                key: key.clone(),
                value: "on".to_owned(),
                opens: opens.clone(),
            })
        });
        Explanation {
            outgoing: by_table.chain(by_key).collect(),
            notes: self.notes.clone(),
            keys,
        }
    }

    fn flatten(&self, key: &str, value: &Value, keys: &mut Vec<Effective>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (name, inner) in map {
                    self.flatten(&format!("{key}.{name}"), inner, keys);
                }
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                for (i, item) in items.iter().enumerate() {
                    self.flatten(&format!("{key}[{i}]"), item, keys);
                }
            }
            // A flat list was handed on to where it counts.
            Value::Null if key == "auth.pubkey_whitelist" => {}
            _ => keys.push(Effective {
                key: key.to_owned(),
                value: mask::masked(key, value),
                origin: self.origin(key).clone(),
            }),
        }
    }
}

fn outgoing(
    config: &Config,
    declared: &[(String, String)],
    effective: &Effective,
) -> Option<Outgoing> {
    let set = !matches!(effective.value, Value::Null | Value::Bool(false));
    let core = CORE_OUTGOING
        .iter()
        .find(|(key, _)| *key == effective.key)
        .map(|(_, opens)| (*opens).to_owned());
    let said = || {
        declared
            .iter()
            .find(|(key, _)| *key == effective.key)
            .map(|(_, opens)| opens.clone())
    };
    let opens = if let Some(rest) = effective.key.strip_prefix("extensions.") {
        let name = rest.split(['.', '[']).next()?;
        if !is_on(config, name) {
            return None;
        }
        let address = || {
            holds_address(&effective.value)
                .then(|| format!("extension {name} may connect to this address"))
        };
        said().or_else(address)
    } else {
        core.filter(|_| holds_address(&effective.value))
    };
    opens.filter(|_| set).map(|opens| Outgoing {
        key: effective.key.clone(),
        value: mask::text(&effective.value),
        opens,
    })
}

/// True if an extension has a table that does not switch it off.
fn is_on(config: &Config, name: &str) -> bool {
    let table = config.extensions.get(name);
    table.is_some_and(|table| table.get("enabled") != Some(&toml::Value::Boolean(false)))
}

fn holds_address(value: &Value) -> bool {
    match value {
        Value::String(text) => NETWORK_SCHEMES
            .iter()
            .any(|scheme| text.starts_with(scheme)),
        Value::Array(items) => items.iter().any(holds_address),
        _ => false,
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings: Vec<String> = self
            .keys
            .iter()
            .map(|one| format!("{} = {}", one.key, mask::text(&one.value)))
            .collect();
        // Long values would push every origin off the screen.
        let width = settings
            .iter()
            .map(|line| line.chars().count())
            .filter(|width| *width <= 60)
            .max()
            .unwrap_or(0);
        for (setting, one) in settings.iter().zip(&self.keys) {
            writeln!(f, "{setting:width$}  # {}", one.origin)?;
        }
        writeln!(f)?;
        if self.outgoing.is_empty() {
            writeln!(
                f,
                "Keys that make the relay open an outgoing connection: none"
            )?;
        } else {
            writeln!(f, "Keys that make the relay open an outgoing connection:")?;
        }
        for one in &self.outgoing {
            writeln!(f, "  {} = {}: {}", one.key, one.value, one.opens)?;
        }
        for note in &self.notes {
            writeln!(f, "Note: {note}")?;
        }
        Ok(())
    }
}
