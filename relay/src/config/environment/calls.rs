//! The names by which other programs that hand out tokens for calls know the keys of `[extensions.livekit_token]`: each is its
//! key in upper case.
//!
//! Invariant: what is set here is what the extension makes of the same variable, which it reads itself, over the table and
//! over our own names; so operators are shown what is in force. A value that cannot be read sets nothing: the extension says
//! what is wrong with it.

use super::super::merge::Override;
use super::{Environment, text};
use crate::event::PublicKey;
use toml::Value;

/// Where the keys stand.
pub(super) const TABLE: [&str; 2] = ["extensions", "livekit_token"];

/// How a value is read.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Number,
    /// What commas separate.
    List,
    /// The same of public keys.
    People,
}

const NAMES: [(&str, Form); 22] = [
    ("LIVEKIT_URL", Form::Text),
    ("LIVEKIT_CLIENT_URL", Form::Text),
    ("LIVEKIT_API_KEY", Form::Text),
    ("LIVEKIT_API_SECRET", Form::Text),
    ("LIVEKIT_WEBHOOK_KEY", Form::Text),
    ("LIVEKIT_WEBHOOK_SECRET", Form::Text),
    ("OPERATOR_URL", Form::Text),
    ("RELAY_URL", Form::Text),
    ("BLOSSOM_URL", Form::Text),
    ("REDIS_URL", Form::Text),
    ("NOSTR_RELAYS", Form::List),
    ("AUTHORIZED_COMMUNITIES", Form::People),
    ("NIP98_TIME_WINDOW", Form::Number),
    ("JWT_EXPIRY_SECONDS", Form::Number),
    ("TOKEN_CACHE_TTL_SECONDS", Form::Number),
    ("CLOCK_TOLERANCE_SECONDS", Form::Number),
    ("RATE_LIMIT_TOKENS_PER_PUBKEY", Form::Number),
    ("RATE_LIMIT_TOKENS_PER_IP", Form::Number),
    ("RATE_LIMIT_PROXY_PER_PUBKEY", Form::Number),
    ("RATE_LIMIT_UPLOADS_PER_PUBKEY", Form::Number),
    ("RATE_LIMIT_COMMITS_PER_PUBKEY", Form::Number),
    ("RATE_LIMIT_WINDOW_SECONDS", Form::Number),
];

/// What the environment sets in the table.
pub(super) fn overrides(environment: &Environment) -> Vec<Override> {
    let set = |(name, form): &(&str, Form)| {
        let value = read(text(environment, name)?, *form)?;
        let [section, table] = TABLE.map(str::to_owned);
        Some(Override {
            path: vec![section, table, name.to_ascii_lowercase()],
            value,
            variable: (*name).to_owned(),
        })
    };
    NAMES.iter().filter_map(set).collect()
}

fn read(text: &str, form: Form) -> Option<Value> {
    let items = || {
        let items = text.split(',').map(str::trim);
        items.filter(|item| !item.is_empty())
    };
    match form {
        Form::Text => Some(Value::from(text)),
        Form::Number => text
            .parse::<u32>()
            .ok()
            .map(|it| Value::from(i64::from(it))),
        Form::People if items().any(|item| PublicKey::parse(item).is_err()) => None,
        Form::List | Form::People => Some(Value::Array(items().map(Value::from).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c13_what_cannot_be_read_is_left_to_the_extension() {
        assert_eq!(read("10", Form::Number), Some(Value::Integer(10)));
        for (text, form) in [
            ("ten", Form::Number),
            ("-1", Form::Number),
            ("5000000000", Form::Number),
            ("npub1nobody", Form::People),
        ] {
            assert_eq!(read(text, form), None, "{text}");
        }
    }
}
