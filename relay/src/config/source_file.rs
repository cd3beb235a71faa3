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
        let starts = LineStarts::of(text);
        let (tables, errors) = DeTable::parse_recoverable(text);
        let syntax = |error: &toml::de::Error| {
            let line = error.span().map(|span| starts.line_of(span.start));
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
        note_lines(&starts, tables.get_ref(), "", &mut lines);
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
            table,
            lines,
        })
    }
}

fn note_lines(
    starts: &LineStarts,
    table: &DeTable<'_>,
    prefix: &str,
    lines: &mut BTreeMap<String, usize>,
) {
    for (key, value) in table {
        let path = if prefix.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{prefix}.{}", key.get_ref())
        };
        lines.insert(path.clone(), starts.line_of(key.span().start));
        match value.get_ref() {
            DeValue::Table(inner) => note_lines(starts, inner, &path, lines),
            DeValue::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    let path = format!("{path}[{i}]");
                    lines.insert(path.clone(), starts.line_of(item.span().start));
                    if let DeValue::Table(inner) = item.get_ref() {
                        note_lines(starts, inner, &path, lines);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Where each line begins, so that a list of many thousands costs no walk through the text for each element.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn of(text: &str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        LineStarts(std::iter::once(0).chain(ends).collect())
    }

    /// The line of a byte, counted from 1.
    fn line_of(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c12_lines_are_counted_from_one() {
        let starts = LineStarts::of("a\nbc\n\nd");
        let lines: Vec<usize> = (0..=7).map(|offset| starts.line_of(offset)).collect();
        assert_eq!(lines, [1, 1, 2, 2, 2, 3, 4, 4]);
    }
}
