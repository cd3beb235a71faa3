//! Environment variables that set keys: `TRELLIS_<SECTION>__<KEY>`, and the names that deployments already use.
//!
//! Invariant: a variable that begins with `TRELLIS_` and sets nothing is a problem, never ignored; the exception are the
//! variables with which Kubernetes announces services to every container. An empty value of another name is as good as
//! none.

mod calls;

use super::merge::Override;
use super::schema::{self, TableKeys};
use super::{Origin, Problem, nearest, variable_text};
use serde_json::Value as Schema;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// Environment variables by name.
pub type Environment = BTreeMap<String, String>;

/// The process's environment; variables that are not text cannot be meant for the relay.
pub fn process_environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// What the names of our own variables begin with.
pub(crate) const PREFIX: &str = "TRELLIS_";

/// Names deployments already use, and the keys they set. Of several for one key the last that is set wins.
const PLAIN_NAMES: [(&str, &[&str]); 9] = [
    ("PORT", &["network", "port"]),
    ("LOG_LEVEL", &["log", "filter"]),
    ("RUST_LOG", &["log", "filter"]),
    ("METRICS_AUTH_KEY", &["metrics", "auth"]),
    ("NOSTR_AUTH_REQUIRED", &["auth", "required"]),
    ("ALLOWED_ORIGINS", &["network", "allowed_origins"]),
    ("AUX_DB_URL", &["extensions", "mls_gateway", "database_url"]),
    (
        "FIREBASE_PROJECT_ID",
        &["extensions", "mls_gateway", "project_id"],
    ),
    (
        "GOOGLE_CLOUD_PROJECT",
        &["extensions", "mls_gateway", "project_id"],
    ),
];

/// Names with secrets that extensions read by themselves.
const READ_BY_EXTENSIONS: [&str; 5] = [
    "LIVEKIT_API_KEY",
    "LIVEKIT_API_SECRET",
    "LIVEKIT_WEBHOOK_KEY",
    "LIVEKIT_WEBHOOK_SECRET",
    "REDIS_URL",
];

/// Whether a variable of this name configures the relay, and so may hold a secret of its operator: one of our own names, or
/// a name that deployments already use.
pub fn is_setting(name: &str) -> bool {
    name.starts_with(PREFIX)
        || name == LISTEN_ADDRESS
        || READ_BY_EXTENSIONS.contains(&name)
        || PLAIN_NAMES.iter().any(|(plain, _)| *plain == name)
}

/// The value of a variable, if it is set and not empty.
pub(crate) fn text<'e>(environment: &'e Environment, name: &str) -> Option<&'e str> {
    environment
        .get(name)
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
}

/// What the environment sets over `file`, in ascending precedence.
pub(crate) fn overrides(
    environment: &Environment,
    file: Option<&Table>,
) -> (Vec<Override>, Vec<Problem>) {
    let mut ours = Vec::new();
    let mut problems = Vec::new();
    for (name, raw) in environment {
        let Some(rest) = name
            .strip_prefix(PREFIX)
            .filter(|_| !announces_service(name, raw))
        else {
            continue;
        };
        match read_ours(name, rest, raw, file) {
            Some(item) => ours.push(item),
            None => problems.push(unknown(name)),
        }
    }
    let plain = PLAIN_NAMES
        .iter()
        .filter_map(|(name, path)| read_plain(name, path, environment, file, &ours));
    let mut all: Vec<Override> = listen_address(environment, file, &ours)
        .into_iter()
        .chain(plain)
        .collect();
    let for_calls = if has_table(&calls::TABLE.map(str::to_owned), file, &ours) {
        calls::overrides(environment)
    } else {
        Vec::new()
    };
    all.append(&mut ours);
    all.extend(for_calls);
    (all, problems)
}

/// A variable of our own: its name spells the way to the key. Nothing if there is no such key.
fn read_ours(name: &str, rest: &str, raw: &str, file: Option<&Table>) -> Option<Override> {
    let path: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
    let value = match target(&path)? {
        Target::Typed(schema) => variable_text::read_typed(raw, schema),
        Target::Untyped => {
            variable_text::read_untyped(raw, file.and_then(|table| look_up(table, &path)))
        }
    };
    let variable = name.to_owned();
    Some(Override {
        path,
        value,
        variable,
    })
}

fn unknown(name: &str) -> Problem {
    let known: Vec<String> = schema::known_keys()
        .iter()
        .map(|key| variable_of(key))
        .collect();
    let meant = nearest::nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
    let origin = Origin::Environment {
        name: name.to_owned(),
    };
    Problem::new(&origin, "", "unknown variable").nearest(meant)
}

/// A name deployments already use. Those for an extension count only where that extension has a table.
fn read_plain(
    name: &str,
    path: &[&str],
    environment: &Environment,
    file: Option<&Table>,
    ours: &[Override],
) -> Option<Override> {
    let raw = text(environment, name)?;
    let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
    let value = match target(&path)? {
        Target::Typed(schema) => variable_text::read_typed(raw, schema),
        Target::Untyped => {
            if !has_table(path.get(..2)?, file, ours) {
                return None;
            }
            Value::String(raw.to_owned())
        }
    };
    Some(Override {
        path,
        value,
        variable: name.to_owned(),
    })
}

/// Whether a table stands in the file, or the environment sets keys of it.
fn has_table(table: &[String], file: Option<&Table>, ours: &[Override]) -> bool {
    let in_file = file.is_some_and(|file| look_up(file, table).is_some());
    in_file || ours.iter().any(|item| item.path.starts_with(table))
}

/// The name by which other programs that hand out tokens for calls know where to listen: `host:port`, or `:port` for every
/// address. It counts where calls have a table, since others have it too.
const LISTEN_ADDRESS: &str = "LISTEN_ADDR";

fn listen_address(
    environment: &Environment,
    file: Option<&Table>,
    ours: &[Override],
) -> Vec<Override> {
    let table = calls::TABLE.map(str::to_owned);
    let Some(raw) = text(environment, LISTEN_ADDRESS) else {
        return Vec::new();
    };
    if !has_table(&table, file, ours) {
        return Vec::new();
    }
    let (host, port) = raw.rsplit_once(':').unwrap_or(("", raw));
    let host = match host.trim_matches(['[', ']']) {
        "" => "0.0.0.0",
        host => host,
    };
    // What is no port stays a text, and is refused like any other that is.
    let port = port.parse().map_or_else(
        |_| Value::from(port),
        |port: u16| Value::from(i64::from(port)),
    );
    let set = |key: &str, value| Override {
        path: vec!["network".to_owned(), key.to_owned()],
        value,
        variable: LISTEN_ADDRESS.to_owned(),
    };
    vec![set("host", Value::from(host)), set("port", port)]
}

/// What a path leads to.
enum Target {
    /// A key whose type is known.
    Typed(&'static Schema),
    /// A key in a table that is free, or an extension's.
    Untyped,
}

fn target(path: &[String]) -> Option<Target> {
    let mut schema = schema::root();
    for (depth, part) in path.iter().enumerate() {
        schema = match schema::table_keys(schema)? {
            TableKeys::Fixed(properties) => properties.get(part)?,
            TableKeys::Map(values) if !part.is_empty() => values,
            TableKeys::Free if path[depth..].iter().all(|part| !part.is_empty()) => {
                return Some(Target::Untyped);
            }
            TableKeys::Map(_) | TableKeys::Free => return None,
        };
    }
    Some(Target::Typed(schema))
}

fn look_up<'t>(table: &'t Table, path: &[String]) -> Option<&'t Value> {
    let (first, rest) = path.split_first()?;
    let value = table.get(first)?;
    if rest.is_empty() {
        Some(value)
    } else {
        look_up(value.as_table()?, rest)
    }
}

/// The variable that sets a key.
fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// True for the variables by which Kubernetes and Docker links announce a service that happens to be called `trellis`
/// or `trellis-something`.
fn announces_service(name: &str, value: &str) -> bool {
    let address = value.starts_with("tcp://") || value.starts_with("udp://");
    let service = name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_");
    let port = name.ends_with("_PORT") && address;
    let part_of_port = name.contains("_PORT_") && (name.contains("_TCP") || name.contains("_UDP"));
    !name.contains("__") && (service || port || part_of_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c13_values_take_the_type_of_their_key() {
        let typed = |key: &str, raw: &str| {
            let path: Vec<String> = key.split('.').map(str::to_owned).collect();
            match target(&path) {
                Some(Target::Typed(schema)) => variable_text::read_typed(raw, schema),
                _ => panic!("{key} has a type"),
            }
        };
        assert_eq!(typed("network.port", "9000"), Value::Integer(9000));
        assert_eq!(typed("network.host", "9000"), Value::String("9000".into()));
        assert_eq!(typed("auth.required", "YES"), Value::Boolean(true));
        assert_eq!(typed("limitation.default_limit", "7"), Value::Integer(7));
        assert_eq!(
            typed("network.allowed_origins", "a, b,")
                .as_array()
                .map(Vec::len),
            Some(2)
        );
        assert_eq!(
            typed("protection.read_protected_kinds", "4,1059")[1],
            Value::Integer(1059)
        );
        assert_eq!(
            typed("protection.read_protected_kinds", "[4, [10, 20]]")[1][0],
            Value::Integer(10)
        );
        assert_eq!(typed("pow.1", "20"), Value::Integer(20));
        assert_eq!(typed("network.port", "many"), Value::String("many".into()));
    }

    #[test]
    fn c13_service_announcements_are_no_settings() {
        assert!(announces_service("TRELLIS_PORT", "tcp://10.0.0.1:8080"));
        assert!(announces_service("TRELLIS_SERVICE_HOST", "10.0.0.1"));
        assert!(announces_service(
            "TRELLIS_RELAY_PORT_8080_TCP_ADDR",
            "10.0.0.1"
        ));
        assert!(!announces_service("TRELLIS_PORT", "8080"));
        assert!(!announces_service("TRELLIS_NETWORK__PORT", "8080"));
    }

    #[test]
    fn l15_the_listening_address_counts_where_calls_have_a_table() {
        let file: Table = toml::from_str("[extensions.livekit_token]").expect("a table");
        let set = |text: &str, file: Option<&Table>| {
            let environment = [(LISTEN_ADDRESS.to_owned(), text.to_owned())];
            let (set, problems) = overrides(&environment.into(), file);
            assert!(problems.is_empty());
            set.into_iter().map(|it| it.value).collect::<Vec<_>>()
        };
        let address = |host: &str, port: i64| [Value::from(host), Value::from(port)];
        assert_eq!(set(":8080", Some(&file)), address("0.0.0.0", 8080));
        assert_eq!(set("127.0.0.1:9", Some(&file)), address("127.0.0.1", 9));
        assert_eq!(set("[::1]:9", Some(&file)), address("::1", 9));
        let wrong = [Value::from("here"), Value::from("there")];
        assert_eq!(set("here:there", Some(&file)), wrong);
        assert_eq!(set(":8080", None), []);
    }

    #[test]
    fn l15_secrets_of_calls_are_known_as_settings() {
        assert!(is_setting("LIVEKIT_API_SECRET") && is_setting("LIVEKIT_WEBHOOK_SECRET"));
        assert!(is_setting("REDIS_URL") && is_setting("LISTEN_ADDR"));
        assert!(!is_setting("LIVEKIT_SERVER_BIN"));
    }
}
