//! Which values must not be shown when a configuration is printed, and how they look instead.
//!
//! Invariant: numbers and switches are always shown, text only if neither the key's name nor the text itself hints at a
//! secret. Better one value too many hidden than one too few.

pub(crate) use super::secret::MASK;

/// Words that mark a key's value as secret wherever they stand in its name.
const SECRET_PARTS: [&str; 5] = ["secret", "token", "password", "passphrase", "credential"];
/// Words that do so as a word of their own, so that `api_key` is secret and `keypackage_visibility` is not.
const SECRET_WORDS: [&str; 5] = ["key", "keys", "nsec", "seed", "pass"];

/// A TOML value as text, secrets masked.
pub(crate) fn toml_text(key: &str, value: &toml::Value) -> String {
    match serde_json::to_value(value) {
        Ok(json) => text(&masked(key, &json)),
        Err(_) => MASK.to_owned(),
    }
}

/// A value as an operator would write it.
pub(crate) fn text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "none".to_owned(),
        serde_json::Value::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key} = {}", text(value)))
                .collect();
            format!("{{ {} }}", entries.join(", ")).replace("{  }", "{}")
        }
        serde_json::Value::Array(items) => {
            format!(
                "[{}]",
                items.iter().map(text).collect::<Vec<_>>().join(", ")
            )
        }
        other => other.to_string(),
    }
}

/// A value with everything masked that must not be shown.
pub(crate) fn masked(key: &str, value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) if names_secret(key) && !text.is_empty() => {
            Value::String(MASK.to_owned())
        }
        Value::String(text) => Value::String(masked_text(text)),
        Value::Array(items) => items.iter().map(|item| masked(key, item)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), masked(&format!("{key}.{name}"), value)))
            .collect(),
        other => other.clone(),
    }
}

/// Whether a text must not be shown as it is.
pub(crate) fn hides(key: &str, text: &str) -> bool {
    names_secret(key) || masked_text(text) != text
}

/// True if a key, or a table it stands in, is named like a secret.
pub(crate) fn names_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let by_name = below_extension(&key).split(['.', '[']).any(|part| {
        SECRET_PARTS.iter().any(|secret| part.contains(secret))
            || part
                .split(['_', '-'])
                .any(|word| SECRET_WORDS.contains(&word))
    });
    key == "metrics.auth" || by_name
}

/// A key without the name of the extension in whose table it stands: `livekit_token` is no token.
fn below_extension(key: &str) -> &str {
    let in_table = key.trim_start_matches('.').strip_prefix("extensions.");
    let own = in_table.and_then(|rest| rest.split_once('.'));
    own.map_or(key, |(_, own)| own)
}

/// Masks what is secret within a text: a private key, and in an address the password and parameters named like one.
fn masked_text(text: &str) -> String {
    if text.contains("nsec1") || text.contains("ncryptsec1") {
        return MASK.to_owned();
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    // The last `@` counts: a password may hold any other character, although it should not.
    let rest = match rest.rsplit_once('@') {
        Some((user_info, after)) => match user_info.split_once(':') {
            Some((user, _)) => format!("{user}:{MASK}@{after}"),
            None => rest.to_owned(),
        },
        None => rest.to_owned(),
    };
    match rest.split_once('?') {
        Some((path, query)) => {
            let shown: Vec<String> = query.split('&').map(masked_parameter).collect();
            format!("{scheme}://{path}?{}", shown.join("&"))
        }
        None => format!("{scheme}://{rest}"),
    }
}

fn masked_parameter(parameter: &str) -> String {
    match parameter.split_once('=') {
        Some((name, _)) if names_secret(name) || name == "auth" || name == "sig" => {
            format!("{name}={MASK}")
        }
        _ => parameter.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c13_secrets_are_masked_by_name_and_by_look() {
        for key in [
            "metrics.auth",
            "x.acl_token",
            "x.service_tokens[0]",
            "x.api_key",
            "x.livekit_webhook_secret",
            "x.secrets.a",
            "extensions.livekit_token.livekit_api_secret",
            ".extensions.x.service_tokens.a",
        ] {
            assert!(names_secret(key), "{key}");
        }
        for key in [
            "auth.pubkey_whitelist",
            "x.keypackage_visibility",
            "auth.req",
            "x.monkey",
            "extensions.livekit_token.livekit_url",
            ".extensions.livekit_token.operator_url",
        ] {
            assert!(!names_secret(key), "{key}");
        }
        for (text, shown) in [
            (
                "postgresql://user:pass@host/db",
                "postgresql://user:********@host/db",
            ),
            (
                "postgresql://user:p/w?d@host/db",
                "postgresql://user:********@host/db",
            ),
            (
                "postgresql://user@host/db?password=x&ssl=on",
                "postgresql://user@host/db?password=********&ssl=on",
            ),
            ("sqlite:///app/data/mls.db", "sqlite:///app/data/mls.db"),
            ("nsec1abc", "********"),
        ] {
            assert_eq!(masked_text(text), shown);
        }
    }
}
