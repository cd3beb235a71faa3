//! How large and how deep a JSON value is. Nothing here recurses: a value that an extension has nested a million levels
//! deep would overflow the stack of whoever writes, copies or merely drops it.

use serde_json::Value;

/// What a value may be at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// As text, roughly: escapes are not counted.
    pub(super) bytes: usize,
    /// Lists and objects in one another.
    pub(super) depth: usize,
}

/// What is wrong with the value, as the end of a sentence.
pub(super) fn check(value: &Value, bounds: Bounds) -> Result<(), String> {
    let mut bytes = 0;
    let mut left = vec![(value, 0)];
    while let Some((value, depth)) = left.pop() {
        if depth > bounds.depth {
            return Err(format!("is nested deeper than {} levels", bounds.depth));
        }
        bytes += match value {
            Value::String(text) => text.len() + 2,
            Value::Object(fields) => fields.keys().map(|name| name.len() + 4).sum(),
            Value::Array(values) => values.len() + 2,
            _ => 4,
        };
        if bytes > bounds.bytes {
            return Err(format!("is larger than {} bytes", bounds.bytes));
        }
        match value {
            Value::Array(values) => left.extend(values.iter().map(|value| (value, depth + 1))),
            Value::Object(fields) => left.extend(fields.values().map(|value| (value, depth + 1))),
            _ => {}
        }
    }
    Ok(())
}

/// Drops a value that may be nested deeply.
pub(super) fn dismantle(value: Value) {
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(values) => left.extend(values),
            Value::Object(fields) => left.extend(fields.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
}
