//! Whether each key is known and each value readable, one by one, so that all problems are found in one go.
//!
//! Invariant: nothing is decided by text alone; the words come from the schema, the verdict from reading the value with
//! the key's own type. Not here: rules between keys, which are in [`super::validate`].

use super::merge::Tree;
use super::schema::{self, TableKeys};
use super::{Config, Origin, Problem, mask, nearest};
use serde::Deserialize;
use serde_json::Value as Schema;
use toml::{Table, Value};

/// What looking at every leaf found.
pub(crate) struct Leaves {
    /// Everything that is wrong.
    pub(crate) problems: Vec<Problem>,
    /// Whether every known key could be read, so that rules between keys can be looked at too.
    pub(crate) all_readable: bool,
}

/// Looks at every leaf, except those that already have a problem.
pub(crate) fn leaves(tree: &Tree, reported: &[Problem]) -> Leaves {
    let mut walk = Walk {
        tree,
        reported,
        found: Leaves {
            problems: Vec::new(),
            all_readable: true,
        },
    };
    walk.table(schema::root(), &tree.table, &mut Vec::new());
    walk.found
}

/// The same tables with only the keys that are known.
pub(crate) fn without_unknown_keys(table: &Table) -> Table {
    prune(schema::root(), table)
}

/// A step on the way to a value.
#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

struct Walk<'t> {
    tree: &'t Tree,
    reported: &'t [Problem],
    found: Leaves,
}

impl Walk<'_> {
    fn table(&mut self, schema: &Schema, table: &Table, path: &mut Vec<Step>) {
        match schema::table_keys(schema) {
            Some(TableKeys::Fixed(properties)) => {
                for (key, value) in table {
                    path.push(Step::Key(key.clone()));
                    match properties.get(key) {
                        Some(inner) => self.value(inner, value, path),
                        None => self.unknown(properties, path, key),
                    }
                    path.pop();
                }
                for key in schema::present(schema)["required"]
                    .as_array()
                    .into_iter()
                    .flatten()
                {
                    if let Some(key) = key.as_str().filter(|key| !table.contains_key(*key)) {
                        self.missing(&properties[key], path, key);
                    }
                }
            }
            Some(TableKeys::Map(inner)) => {
                for (key, value) in table {
                    path.push(Step::Key(key.clone()));
                    self.leaf(inner, value, path);
                    path.pop();
                }
            }
            Some(TableKeys::Free) | None => {}
        }
    }

    fn value(&mut self, schema: &Schema, value: &Value, path: &mut Vec<Step>) {
        match (value, schema::table_items(schema)) {
            (Value::Table(table), _) if schema::table_keys(schema).is_some() => {
                self.table(schema, table, path)
            }
            (Value::Array(items), Some(item_schema)) => {
                for (i, item) in items.iter().enumerate() {
                    path.push(Step::Index(i));
                    match item {
                        Value::Table(table) => self.table(item_schema, table, path),
                        _ => self.unreadable(item_schema, item, path),
                    }
                    path.pop();
                }
            }
            _ => self.leaf(schema, value, path),
        }
    }

    fn leaf(&mut self, schema: &Schema, value: &Value, path: &[Step]) {
        if !in_range(schema, value) || Config::deserialize(only(value, path)).is_err() {
            self.unreadable(schema, value, path);
        }
    }

    fn unreadable(&mut self, schema: &Schema, value: &Value, path: &[Step]) {
        let key = name(path);
        self.found.all_readable = false;
        // A list is read whole, while a placeholder in it is reported by element.
        let told = |problem: &Problem| {
            problem
                .key
                .strip_prefix(&key)
                .is_some_and(|rest| !rest.starts_with('_'))
        };
        if self.reported.iter().any(told) {
            return;
        }
        let found = mask::toml_text(&key, value);
        let problem = Problem::new(self.tree.origin(&key), &key, "cannot be read").found(found);
        self.found
            .problems
            .push(problem.allowed(schema::allowed(schema)));
    }

    fn missing(&mut self, schema: &Schema, path: &[Step], key: &str) {
        let table = name(path);
        let problem = Problem::new(
            self.tree.origin(&table),
            &format!("{table}.{key}"),
            "is missing",
        );
        self.found
            .problems
            .push(problem.allowed(schema::allowed(schema)));
        self.found.all_readable = false;
    }

    fn unknown(&mut self, siblings: &serde_json::Map<String, Schema>, path: &[Step], key: &str) {
        let full = name(path);
        let table = full.strip_suffix(key).unwrap_or_default();
        let origin = match self.tree.origin(&full) {
            Origin::Default => first_origin(self.tree, &full),
            origin => origin.clone(),
        };
        let meant = nearest::key(key, table, siblings.keys().map(String::as_str));
        self.found
            .problems
            .push(Problem::new(&origin, &full, "unknown key").nearest(meant));
    }
}

/// The origin of the first value below a table, which has none itself.
fn first_origin(tree: &Tree, table: &str) -> Origin {
    tree.origins_below(table)
        .next()
        .cloned()
        .unwrap_or_default()
}

/// A configuration in which this value alone is set.
fn only(value: &Value, path: &[Step]) -> Value {
    path.iter()
        .rev()
        .fold(value.clone(), |inner, step| match step {
            Step::Key(key) => Value::Table(Table::from_iter([(key.clone(), inner)])),
            Step::Index(_) => Value::Array(vec![inner]),
        })
}

/// Bounds that the schema states beyond what the type holds.
fn in_range(schema: &Schema, value: &Value) -> bool {
    let schema = schema::present(schema);
    let Some(number) = value.as_integer() else {
        return true;
    };
    schema["minimum"].as_i64().is_none_or(|min| number >= min)
        && schema["maximum"].as_i64().is_none_or(|max| number <= max)
}

fn name(path: &[Step]) -> String {
    let mut name = String::new();
    for step in path {
        match step {
            Step::Key(key) if name.is_empty() => name.push_str(key),
            Step::Key(key) => name.extend([".", key]),
            Step::Index(i) => name.push_str(&format!("[{i}]")),
        }
    }
    name
}

fn prune(schema: &Schema, table: &Table) -> Table {
    let Some(TableKeys::Fixed(properties)) = schema::table_keys(schema) else {
        return table.clone();
    };
    let known = table
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), prune_value(properties.get(key)?, value))));
    known.collect()
}

fn prune_value(schema: &Schema, value: &Value) -> Value {
    match (value, schema::table_items(schema)) {
        (Value::Table(table), _) => Value::Table(prune(schema, table)),
        (Value::Array(items), Some(item_schema)) => Value::Array(
            items
                .iter()
                .map(|item| prune_value(item_schema, item))
                .collect(),
        ),
        _ => value.clone(),
    }
}
