//! The JSON Schema of the configuration, and what can be read off it: known keys and what a key allows.
//!
//! Invariant: the schema is derived from the types, so what it says about keys is what loading accepts.

use super::Config;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings
        .into_generator()
        .into_root_schema_for::<Config>()
        .to_value()
});

/// The JSON Schema of the whole file; `extensions` holds the schema of each extension's own table, by name.
pub fn schema(extensions: BTreeMap<String, Value>) -> Value {
    let mut whole = SCHEMA.clone();
    whole["properties"]["extensions"]["properties"] = extensions.into_iter().collect();
    whole
}

/// The schema of the core's keys.
pub(crate) fn root() -> &'static Value {
    &SCHEMA
}

/// The part of a schema that describes a value that is there: `none` is taken out.
pub(crate) fn present(schema: &Value) -> &Value {
    let some = schema["anyOf"]
        .as_array()
        .and_then(|choices| choices.iter().find(|choice| choice["type"] != "null"));
    match some {
        Some(some) if schema.get("x-allowed").is_none() => some,
        _ => schema,
    }
}

/// What a table may hold.
pub(crate) enum TableKeys<'s> {
    /// These keys and no others.
    Fixed(&'s serde_json::Map<String, Value>),
    /// Any keys, with values like this.
    Map(&'s Value),
    /// Anything.
    Free,
}

/// What a table with this schema may hold; nothing if the schema wants no table.
pub(crate) fn table_keys(schema: &Value) -> Option<TableKeys<'_>> {
    let schema = present(schema);
    if let Some(properties) = schema["properties"].as_object() {
        return Some(TableKeys::Fixed(properties));
    }
    match &schema["additionalProperties"] {
        Value::Object(_) => Some(TableKeys::Map(&schema["additionalProperties"])),
        Value::Bool(true) => Some(TableKeys::Free),
        _ => None,
    }
}

/// The schema of a list's elements, if they are tables with fixed keys.
pub(crate) fn table_items(schema: &Value) -> Option<&Value> {
    let items = &present(schema)["items"];
    matches!(table_keys(items), Some(TableKeys::Fixed(_))).then_some(items)
}

/// True if a value of this JSON type may stand here.
pub(crate) fn takes(schema: &Value, json_type: &str) -> bool {
    match &present(schema)["type"] {
        Value::String(only) => only == json_type,
        Value::Array(types) => types.iter().any(|one| one == json_type),
        _ => false,
    }
}

/// What may stand here, in words.
pub(crate) fn allowed(schema: &Value) -> String {
    let schema = present(schema);
    if let Some(words) = schema["x-allowed"].as_str() {
        return words.to_owned();
    }
    let names = names(schema);
    if !names.is_empty() {
        return names.join(" or ");
    }
    let takes = |json_type| takes(schema, json_type);
    if takes("boolean") {
        return "true or false".to_owned();
    }
    if takes("integer") {
        return match (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
            (min, Some(max)) => format!("a whole number from {} to {max}", min.unwrap_or(0)),
            (Some(1), None) if schema["format"] == "uint32" => {
                format!("a whole number from 1 to {}", u32::MAX)
            }
            (min, None) if schema["format"] == "uint32" => {
                format!("a whole number from {} to {}", min.unwrap_or(0), u32::MAX)
            }
            (min, None) => format!("a whole number from {}", min.unwrap_or(0)),
        };
    }
    if takes("array") {
        return match table_items(schema) {
            Some(_) => "a list of tables".to_owned(),
            None => format!("a list, each {}", allowed(&schema["items"])),
        };
    }
    if takes("object") {
        "a table".to_owned()
    } else {
        "text in quotes".to_owned()
    }
}

/// Every key that takes a value, with its tables; those below free tables and maps are not known here.
pub(crate) fn known_keys() -> Vec<String> {
    let mut keys = Vec::new();
    collect_keys(root(), "", &mut keys);
    keys
}

fn collect_keys(schema: &Value, prefix: &str, keys: &mut Vec<String>) {
    if let Some(TableKeys::Fixed(properties)) = table_keys(schema) {
        for (key, inner) in properties {
            let path = if prefix.is_empty() {
                key.clone()
            } else {
                format!("{prefix}.{key}")
            };
            collect_keys(table_items(inner).unwrap_or(inner), &path, keys);
        }
    } else {
        keys.push(prefix.to_owned());
    }
}

/// The names an enumeration allows, in quotes.
fn names(schema: &Value) -> Vec<String> {
    let listed = schema["enum"].as_array().into_iter().flatten();
    let described = schema["oneOf"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|choice| {
            choice
                .get("const")
                .into_iter()
                .chain(choice["enum"].as_array().into_iter().flatten())
        });
    listed
        .chain(described)
        .filter(|name| !name.is_null())
        .map(Value::to_string)
        .collect()
}
