//! What can be told of tables and names without building anything.

use super::super::compiled::Compiled;
use super::super::error::ExtensionError;
use super::super::table::{self, CoreKeys, Table};
use super::Tables;
use std::collections::BTreeMap;

/// Whether all tables are right, without building anything. Tables of extensions that are off are not looked into.
pub fn check(compiled: &[Compiled], tables: &Tables) -> Result<(), ExtensionError> {
    read(compiled, tables).map(drop)
}

/// Tables of extensions that shall be on, the core's keys taken out.
pub(super) type Wanted = BTreeMap<&'static str, (CoreKeys, Table)>;

/// Reads them.
pub(super) fn read(compiled: &[Compiled], tables: &Tables) -> Result<Wanted, ExtensionError> {
    let mut wanted = Wanted::new();
    for (name, table) in tables {
        let Some(extension) = compiled.iter().find(|it| it.name() == name) else {
            return Err(unknown(compiled, name));
        };
        let extension_name = extension.name();
        let wrong = |problem| ExtensionError::Config {
            extension: extension_name,
            problem,
        };
        let (keys, own) = table::split(table.clone()).map_err(wrong)?;
        if keys.enabled {
            extension.check(own.clone()).map_err(wrong)?;
            wanted.insert(extension_name, (keys, own));
        }
    }
    Ok(wanted)
}

fn unknown(compiled: &[Compiled], found: &str) -> ExtensionError {
    let names: Vec<_> = compiled.iter().map(Compiled::name).collect();
    ExtensionError::Unknown {
        found: found.to_owned(),
        nearest: crate::config::nearest(found, names.iter().copied()),
        compiled_in: names.join(", "),
    }
}

/// Names become keys in TOML and in the store.
pub(super) fn check_names(compiled: &[Compiled]) -> Result<(), ExtensionError> {
    for (i, extension) in compiled.iter().enumerate() {
        let name = extension.name();
        let is_good = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if name.is_empty() || !name.bytes().all(is_good) {
            let rule = "only lower case letters, digits and _ are allowed";
            return Err(ExtensionError::Name(name, rule));
        }
        if compiled[..i].iter().any(|other| other.name() == name) {
            return Err(ExtensionError::Name(name, "it is in the list twice"));
        }
    }
    Ok(())
}
