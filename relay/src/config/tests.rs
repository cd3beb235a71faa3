//! The shipped `config/trellis.toml` documents exactly the keys there are, with the defaults they have.

use super::*;
use std::path::PathBuf;

const FILE: &str = "config/trellis.toml";

fn text() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(FILE);
    std::fs::read_to_string(path).expect(FILE)
}

/// The file with every key set that is commented out because its default is "none".
fn uncommented() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| !c.is_whitespace()) => {
            format!("{setting}\n")
        }
        _ => format!("{line}\n"),
    };
    text().lines().map(line).collect()
}

fn look_up<'t>(value: &'t toml::Value, key: &str) -> Option<&'t toml::Value> {
    key.split('.').try_fold(value, |value, part| match value {
        toml::Value::Array(items) => items.first()?.get(part),
        table => table.get(part),
    })
}

#[test]
fn c12_the_shipped_file_equals_the_defaults() {
    let loaded = load_text(FILE.as_ref(), &text(), &Environment::new()).expect(FILE);
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.notes, Vec::<String>::new());
}

#[test]
fn c12_every_key_stands_in_the_shipped_file() {
    let table = toml::Value::Table(toml::from_str(&uncommented()).expect("TOML"));
    let missing: Vec<String> = schema::known_keys()
        .into_iter()
        .filter(|key| look_up(&table, key).is_none())
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn c12_every_key_of_the_shipped_file_is_known_and_its_example_readable() {
    // The placeholders that are refused while they stand there.
    let own_key = [
        "replace_with_secure_metrics_key",
        "replace_with_a_long_random_token",
        "replace_with_the_servers_token",
        "replace_with_the_services_token",
        "replace_with_the_id_of_the_key",
        "replace_with_the_key",
        "replace_with_the_secret_of_that_key",
        "your_api_key",
        "your_webhook_key",
    ]
    .iter()
    .fold(uncommented(), |text, placeholder| {
        text.replace(placeholder, "5f4dcc3b5aa765d61d8327deb882cf99")
    });
    if let Err(error) = load_text(FILE.as_ref(), &own_key, &Environment::new()) {
        // The examples of [server] stand beside the defaults they are other names for, as do the two forms of one list.
        panic!("{error}");
    }
}

#[test]
fn c12_every_key_is_documented_with_its_default() {
    let whole = schema(BTreeMap::new());
    for key in schema::known_keys().iter().filter(|key| key.contains('.')) {
        let property = key.split('.').fold(&whole, |schema, part| {
            let schema = schema::table_items(schema).unwrap_or(schema);
            &schema["properties"][part]
        });
        let words = property["description"].as_str().unwrap_or_default();
        let required = key.starts_with("rate_limiter.")
            && ["name", "period", "limit"].contains(&key.rsplit('.').next().unwrap_or_default());
        assert!(required || words.contains("Default"), "{key}: {words}");
    }
}

#[test]
fn c12_defaults_survive_being_written_and_read() {
    let written = toml::to_string(&Config::default()).expect("TOML");
    assert_eq!(
        toml::from_str::<Config>(&written).expect("config"),
        Config::default()
    );
}
