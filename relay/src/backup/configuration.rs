//! The configuration as it is in force, for whoever restores a relay: as TOML, without secrets.

use crate::config::{Config, mask};
use serde_json::Value;

/// As it stands in the backup.
pub(super) fn text(config: &Config) -> String {
    let shown = serde_json::to_value(config).unwrap_or_default();
    let masked = match shown {
        Value::Object(sections) => sections
            .into_iter()
            .map(|(name, section)| {
                let masked = mask::masked(&name, &section);
                (name, masked)
            })
            .collect(),
        other => other,
    };
    let table = toml::Value::try_from(without_null(masked));
    let text = table.ok().and_then(|table| toml::to_string(&table).ok());
    format!(
        "# In force when this was written. Secrets are masked.\n{}",
        text.unwrap_or_default()
    )
}

/// TOML has no null: a key that has no value is left out.
fn without_null(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_null(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_null).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn d4_the_configuration_is_copied_without_secrets() {
        let mut config = Config::default();
        config.information.name = "A relay".to_owned();
        let table = "livekit_api_secret = \"hidden\"\nroom = \"shown\"";
        config
            .extensions
            .insert("calls".to_owned(), toml::from_str(table).unwrap());
        let text = text(&config);
        assert!(text.contains("A relay") && text.contains("shown"), "{text}");
        assert!(!text.contains("hidden"), "{text}");
        assert!(text.parse::<toml::Table>().is_ok(), "{text}");
    }
}
