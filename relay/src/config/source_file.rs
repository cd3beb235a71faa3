//! The text of a configuration file: its tables, and the line each key stands on.
//!
//! Not here: what the keys mean. A syntax error is told by line and column without quoting the line, which may hold a
//! secret.

use super::{Origin, Problem};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// A configuration file that is valid TOML.
pub(crate) struct SourceFile {
    /// The file, as it was given.
    pub(crate) path: PathBuf,
    /// Its text, without a byte order mark.
    pub(crate) text: String,
    /// Its tables.
    pub(crate) table: toml::Table,
    /// The line of each key, counted from 1; keys with their tables, elements of lists as `list[0]`.
    pub(crate) lines: BTreeMap<String, usize>,
}

impl SourceFile {
    /// Reads TOML, or says everything that is wrong with its syntax.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, Vec<Problem>> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (tables, errors) = DeTable::parse_recoverable(text);
        let syntax = |error: &toml::de::Error| {
            let line = error.span().map(|span| line_of(text, span.start));
            let origin = Origin::File {
                path: path.to_owned(),
                line,
            };
            Problem::new(&origin, "", format!("not valid TOML: {}", error.message()))
        };
        if !errors.is_empty() {
            return Err(errors.iter().map(syntax).collect());
        }
        let table = toml::from_str(text).map_err(|error| vec![syntax(&error)])?;
        let mut lines = BTreeMap::new();
        note_lines(text, tables.get_ref(), "", &mut lines);
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
            table,
            lines,
        })
    }
}

fn note_lines(text: &str, table: &DeTable<'_>, prefix: &str, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let path = if prefix.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{prefix}.{}", key.get_ref())
        };
        lines.insert(path.clone(), line_of(text, key.span().start));
        match value.get_ref() {
            DeValue::Table(inner) => note_lines(text, inner, &path, lines),
            DeValue::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    let path = format!("{path}[{i}]");
                    lines.insert(path.clone(), line_of(text, item.span().start));
                    if let DeValue::Table(inner) = item.get_ref() {
                        note_lines(text, inner, &path, lines);
                    }
                }
            }
            _ => {}
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .as_bytes()
        .iter()
        .take(offset)
        .filter(|byte| **byte == b'\n')
        .count()
}
