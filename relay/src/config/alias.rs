//! Keys that are other names for keys elsewhere: `[server]`, and `auth.pubkey_whitelist`.
//!
//! Invariant: after loading only the one true place of a value is filled.

use super::merge::Tree;
use super::{Config, Origin, Problem};

/// Key of `[server]`, and the section and key it stands for.
const SERVER_KEYS: [(&str, &str, &str); 3] = [
    ("host", "network", "host"),
    ("port", "network", "port"),
    ("workers", "thread", "http"),
];

/// Moves the keys of `[server]` to where they belong. Two names with different values are a problem, unless one comes
/// from a variable and the other from the file: then the variable wins, as it would under one name.
pub(crate) fn move_server_keys(tree: &mut Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (alias, section, key) in SERVER_KEYS {
        let Some((value, origin)) = tree.take("server", alias) else {
            continue;
        };
        let name = format!("{section}.{key}");
        let Some(other) = tree.get(section, key) else {
            tree.put(section, key, value, origin);
            continue;
        };
        let other_origin = tree.origin(&name);
        if *other == value {
            continue;
        }
        match rank(&origin).cmp(&rank(other_origin)) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Greater => tree.put(section, key, value, origin),
            std::cmp::Ordering::Equal => problems.push(
                Problem::new(
                    &origin,
                    &format!("server.{alias}"),
                    format!("says the same thing as {name} ({other_origin}), which is {other}"),
                )
                .found(value.to_string())
                .allowed("one of the two, or the same value in both"),
            ),
        }
    }
    if tree
        .table
        .get("server")
        .and_then(toml::Value::as_table)
        .is_some_and(toml::Table::is_empty)
    {
        tree.table.remove("server");
    }
    problems
}

/// Gives the flat `auth.pubkey_whitelist` to whichever of `[auth.req]` and `[auth.event]` has none of its own.
pub(crate) fn spread_flat_whitelist(config: &mut Config, tree: &mut Tree) {
    let Some(keys) = config.auth.pubkey_whitelist.take() else {
        return;
    };
    let origin = tree.origin("auth.pubkey_whitelist").clone();
    for (list, name) in [
        (
            &mut config.auth.req.pubkey_whitelist,
            "auth.req.pubkey_whitelist",
        ),
        (
            &mut config.auth.event.pubkey_whitelist,
            "auth.event.pubkey_whitelist",
        ),
    ] {
        if list.is_none() {
            *list = Some(keys.clone());
            tree.set_origin(name, origin.clone());
        }
    }
}

/// Precedence among origins.
fn rank(origin: &Origin) -> u8 {
    match origin {
        Origin::Default => 0,
        Origin::File { .. } => 1,
        Origin::Environment { name } if !name.starts_with(super::environment::PREFIX) => 2,
        Origin::Environment { .. } => 3,
    }
}
