//! The text of an environment variable as a TOML value.
//!
//! Not here: which key a variable sets.

use super::schema;
use serde_json::Value as Schema;
use toml::{Table, Value};

/// Reads the text of a variable as the type its key wants. What cannot be read stays text, for the check to refuse.
pub(crate) fn read_typed(raw: &str, schema: &Schema) -> Value {
    let text = raw.trim();
    let takes = |json_type| schema::takes(schema, json_type);
    let read = if takes("array") {
        let items = &schema::present(schema)["items"];
        if text.starts_with('[') {
            read_toml(text)
        } else {
            Some(Value::Array(split(text, |item| read_typed(item, items))))
        }
    } else if takes("object") {
        read_toml(text).filter(Value::is_table)
    } else if takes("boolean") {
        read_switch(text).map(Value::Boolean)
    } else if takes("integer") && !takes("string") {
        text.parse().ok().map(Value::Integer)
    } else {
        None
    };
    read.unwrap_or_else(|| Value::String(raw.to_owned()))
}

/// Reads the text of a variable whose key has no known type: as what the file has there, or else as it looks.
pub(crate) fn read_untyped(raw: &str, in_file: Option<&Value>) -> Value {
    let text = raw.trim();
    let read = match in_file {
        Some(Value::String(_)) => None,
        Some(Value::Array(_)) if !text.starts_with('[') => {
            Some(Value::Array(split(text, |item| {
                Value::String(item.to_owned())
            })))
        }
        _ => read_toml(text),
    };
    read.unwrap_or_else(|| Value::String(raw.to_owned()))
}

fn split(text: &str, read: impl Fn(&str) -> Value) -> Vec<Value> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(read)
        .collect()
}

fn read_switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// A TOML value standing alone.
fn read_toml(text: &str) -> Option<Value> {
    toml::from_str::<Table>(&format!("value = {text}"))
        .ok()
        .filter(|table| table.len() == 1)?
        .remove("value")
}
