//! File and environment laid over each other by the `config` crate, and back into one TOML table with origins.
//!
//! Invariant: every leaf of [`Tree::table`] has an entry in its origins. A leaf is anything but a table; a list is one
//! leaf, since a later layer replaces it whole.

use super::Origin;
use super::source_file::SourceFile;
use config::{FileFormat, Format, Map, Source, Value, ValueKind};
use std::collections::BTreeMap;
use std::fmt;

/// What file and environment say together; secrets are in the clear, so `Debug` shows keys only.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Tree {
    /// The values.
    pub(crate) table: toml::Table,
    origins: BTreeMap<String, Origin>,
}

/// One value that an environment variable sets.
#[derive(Clone)]
pub(crate) struct Override {
    /// The tables and the key.
    pub(crate) path: Vec<String>,
    /// The value, in the type its key wants where that was possible.
    pub(crate) value: toml::Value,
    /// The variable.
    pub(crate) variable: String,
}

/// The layers, lowest first.
pub(crate) struct Layers {
    /// The file.
    pub(crate) file: Option<SourceFile>,
    /// The environment, in ascending precedence.
    pub(crate) overrides: Vec<Override>,
}

/// How an environment variable is told from a file in the one string that the `config` crate keeps.
const VARIABLE_MARK: &str = "environment variable ";

impl Layers {
    /// Lays the layers over each other.
    pub(crate) fn merge(self) -> Tree {
        let mut builder = config::Config::builder();
        if let Some(file) = &self.file {
            let uri = file.path.to_string_lossy().into_owned();
            // The text parsed before, so an error here could only come from numbers beyond 64 bits, which were refused.
            builder = builder.add_source(Layer(
                FileFormat::Toml
                    .parse(Some(&uri), &file.text)
                    .unwrap_or_default(),
            ));
        }
        for item in self.overrides {
            builder = builder.add_source(Layer(item.into_map()));
        }
        let merged = builder
            .build()
            .map(|merged| merged.cache)
            .unwrap_or_default();
        let mut tree = Tree::default();
        if let ValueKind::Table(map) = merged.kind {
            let no_lines = BTreeMap::new();
            let lines = self.file.as_ref().map_or(&no_lines, |file| &file.lines);
            tree.table = into_table(map, "", lines, &mut tree.origins);
        }
        if let Some(file) = self.file {
            tree.note_inner_lines(file);
        }
        tree
    }
}

impl Tree {
    /// Where the value of a key came from. Parts of a list came from where the list did.
    pub(crate) fn origin(&self, key: &str) -> &Origin {
        let mut end = key.len();
        loop {
            if let Some(origin) = self.origins.get(&key[..end]) {
                return origin;
            }
            // Nothing is known of this part: ask for the element it is in, then for the list.
            match (key[..end].rfind('['), key[..end].rfind(']')) {
                (Some(_), Some(close)) if close + 1 < end => end = close + 1,
                (Some(open), Some(_)) => end = open,
                _ => return &Origin::Default,
            }
        }
    }

    /// The origins of everything below a table.
    pub(crate) fn origins_below<'t>(&'t self, table: &'t str) -> impl Iterator<Item = &'t Origin> {
        let below = move |key: &str| {
            key.strip_prefix(table)
                .is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        self.origins
            .iter()
            .filter(move |(key, _)| below(key))
            .map(|(_, origin)| origin)
    }

    /// Notes the lines of tables and of what is inside lists, so that problems there can name them. A list that a
    /// variable replaced keeps the variable as the origin of all its parts.
    fn note_inner_lines(&mut self, file: SourceFile) {
        for (key, line) in file.lines {
            let list = key.split('[').next().unwrap_or_default();
            let replaced = matches!(self.origins.get(list), Some(Origin::Environment { .. }));
            if !replaced {
                let origin = Origin::File {
                    path: file.path.clone(),
                    line: Some(line),
                };
                self.origins.entry(key).or_insert(origin);
            }
        }
    }

    /// Says where the value of a key came from.
    pub(crate) fn set_origin(&mut self, key: &str, origin: Origin) {
        self.origins.insert(key.to_owned(), origin);
    }

    /// Takes a value out of a section.
    pub(crate) fn take(&mut self, section: &str, key: &str) -> Option<(toml::Value, Origin)> {
        let value = self.table.get_mut(section)?.as_table_mut()?.remove(key)?;
        let origin = self
            .origins
            .remove(&format!("{section}.{key}"))
            .unwrap_or_default();
        Some((value, origin))
    }

    /// Puts a value into a section.
    pub(crate) fn put(&mut self, section: &str, key: &str, value: toml::Value, origin: Origin) {
        let section_value = self
            .table
            .entry(section.to_owned())
            .or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if let Some(table) = section_value.as_table_mut() {
            table.insert(key.to_owned(), value);
            self.origins.insert(format!("{section}.{key}"), origin);
        }
    }

    /// The value of a key in a section.
    pub(crate) fn get(&self, section: &str, key: &str) -> Option<&toml::Value> {
        self.table.get(section)?.get(key)
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.origins.keys()).finish()
    }
}

#[derive(Clone)]
struct Layer(Map<String, Value>);

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

impl Override {
    fn into_map(self) -> Map<String, Value> {
        let uri = format!("{VARIABLE_MARK}{}", self.variable);
        let mut value = from_toml(&uri, self.value);
        let mut path = self.path.into_iter();
        let Some(first) = path.next() else {
            return Map::new();
        };
        for key in path.rev() {
            value = Value::new(Some(&uri), Map::from_iter([(key, value)]));
        }
        Map::from_iter([(first, value)])
    }
}

fn from_toml(uri: &String, value: toml::Value) -> Value {
    let kind: ValueKind = match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => {
            ValueKind::Array(items.into_iter().map(|item| from_toml(uri, item)).collect())
        }
        toml::Value::Table(table) => ValueKind::Table(
            table
                .into_iter()
                .map(|(key, value)| (key, from_toml(uri, value)))
                .collect(),
        ),
    };
    Value::new(Some(uri), kind)
}

fn into_table(
    map: Map<String, Value>,
    prefix: &str,
    lines: &BTreeMap<String, usize>,
    origins: &mut BTreeMap<String, Origin>,
) -> toml::Table {
    let mut table = toml::Table::new();
    for (key, value) in map {
        let path = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        let origin = match value.origin() {
            Some(uri) => match uri.strip_prefix(VARIABLE_MARK) {
                Some(name) => Origin::Environment {
                    name: name.to_owned(),
                },
                None => Origin::File {
                    path: uri.into(),
                    line: lines.get(&path).copied(),
                },
            },
            None => Origin::Default,
        };
        if let ValueKind::Table(inner) = value.kind {
            let inner = into_table(inner, &path, lines, origins);
            table.insert(key, toml::Value::Table(inner));
        } else if let Some(plain) = into_toml(value) {
            origins.insert(path, origin);
            table.insert(key, plain);
        }
    }
    table
}

fn into_toml(value: Value) -> Option<toml::Value> {
    Some(match value.kind {
        ValueKind::Nil => return None,
        ValueKind::Boolean(flag) => toml::Value::Boolean(flag),
        ValueKind::I64(number) => toml::Value::Integer(number),
        ValueKind::Float(number) => toml::Value::Float(number),
        ValueKind::String(text) => toml::Value::String(text),
        ValueKind::Array(items) => {
            toml::Value::Array(items.into_iter().filter_map(into_toml).collect())
        }
        ValueKind::Table(map) => toml::Value::Table(
            map.into_iter()
                .filter_map(|(key, value)| Some((key, into_toml(value)?)))
                .collect(),
        ),
        // No layer makes these: TOML's numbers have 64 bits.
        other => toml::Value::String(other.to_string()),
    })
}
