//! Values that a sample file left for the operator to fill in, and that nobody filled in.
//!
//! Invariant: such a value stops the start. Not looked at: free text for people (names, descriptions and the policy), and the
//! tables of extensions that are switched off.

use super::merge::Tree;
use super::{Problem, mask};
use toml::Value;

/// Keys that hold free text for people.
const FREE_TEXT: [&str; 4] = [
    "information.name",
    "information.description",
    "operation.notice",
    "description",
];

/// A table of nothing else.
const FREE_TABLE: &str = "policy";

/// Beginnings of texts that ask to be replaced.
const REQUESTS: [&str; 10] = [
    "your-",
    "your_",
    "yourdomain",
    "replace_with",
    "replace-with",
    "replace_me",
    "replace-me",
    "changeme",
    "change_me",
    "change-me",
];

/// Every placeholder that is left.
pub(crate) fn find(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let looked_at = tree.table.iter();
    for (section, value) in looked_at.filter(|(section, _)| *section != FREE_TABLE) {
        search(tree, section, value, &mut problems);
    }
    problems
}

fn search(tree: &Tree, key: &str, value: &Value, problems: &mut Vec<Problem>) {
    match value {
        Value::String(text) if is_placeholder(text) => problems.push(
            Problem::new(
                tree.origin(key),
                key,
                "still holds the sample's placeholder",
            )
            .found(mask::toml_text(key, value))
            .allowed("your own value, or leave the key out"),
        ),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                search(tree, &format!("{key}[{i}]"), item, problems);
            }
        }
        Value::Table(table) => {
            let off = key.starts_with("extensions.")
                && table.get("enabled") == Some(&Value::Boolean(false));
            for (name, inner) in table.iter().filter(|_| !off) {
                let path = format!("{key}.{name}");
                if !FREE_TEXT.contains(&path.as_str()) && !FREE_TEXT.contains(&name.as_str()) {
                    search(tree, &path, inner, problems);
                }
            }
        }
        _ => {}
    }
}

/// True for text that only stands for a value: `npub1...`, `<host>`, `your-gcp-project`, `admin_pubkey_1_hex`.
fn is_placeholder(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let bracketed = text
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .is_some_and(|(name, _)| !name.is_empty() && !name.contains(char::is_whitespace));
    let asks = REQUESTS.iter().any(|request| {
        text.match_indices(request)
            .any(|(at, _)| begins_a_part(&text[..at]))
    });
    let names_a_key = ["pubkey-", "pubkey_"].iter().any(|word| {
        text.split_once(word).is_some_and(|(_, rest)| {
            rest.starts_with(|c: char| c.is_ascii_digit()) || rest.starts_with("hex")
        })
    });
    bracketed
        || asks
        || names_a_key
        || text == "..."
        || text.starts_with("npub1...")
        || text.starts_with("nsec1...")
}

/// True at the beginning of a text and, in an address, of a user, password or host name.
fn begins_a_part(before: &str) -> bool {
    before.is_empty() || before.ends_with("//") || before.ends_with([':', '@', '.'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c12_placeholders_are_told_from_values() {
        for placeholder in [
            "npub1...",
            "your-gcp-project",
            "your-allowed-pubkey-1",
            "allowed-pubkey-2",
            "your_system_relay_pubkey_hex",
            "admin_pubkey_1_hex",
            "replace_with_secure_metrics_key",
            "<project>",
            "https://<host>/hook",
            "https://sidecar.yourdomain.com",
            "postgresql://your-user@host/db",
            "CHANGEME",
        ] {
            assert!(is_placeholder(placeholder), "{placeholder}");
        }
        for value in [
            "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg",
            "my-gcp-project",
            "a < b > c",
            "wss://relay.example.com",
            "colour-your-life",
            "https://relay.example.com/your-data",
            "pubkey",
            "session_pubkey",
            "",
        ] {
            assert!(!is_placeholder(value), "{value}");
        }
    }
}
