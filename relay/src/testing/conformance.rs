//! What every extension should survive, whatever it does: its table, its life, and a storm of what clients may send.
//!
//! Not here: whether an extension does what it is for, which its own tests show.

mod calls;
mod changes;
mod harm;
mod life;
mod paper;
mod report;
mod storm;
mod surface;

pub use report::{Problem, Report};

use super::{Setup, TestRelay};
use crate::extension::{Compiled, Extension, Table};

/// Puts an extension through what every extension should survive, and panics with all that was wrong and what would be
/// right. `table` is the inside of its `[extensions.NAME]` as TOML.
///
/// - its schema is generated; an unknown key is refused, and the nearest one named
/// - it is built, reloaded, rebuilt, switched off (its routes answer 404, its hooks are gone, it stops in time) and on
/// - random events of its kinds, requests and HTTP calls, by strangers and by those who have logged in, bring no hook to
///   fault, with `on_fault` closed and open; `stored` hooks come to the last row
/// - its management methods and subcommands answer odd parameters, in time
/// - it is called for the kinds that it named and for no other
/// - it comes through a store that fails for a while, and through a crash
///
/// ```
/// # use trellis_relay::extension::prelude::*;
/// # struct Quiet;
/// # #[derive(Deserialize, JsonSchema)]
/// # #[serde(deny_unknown_fields)]
/// # struct Config {
/// #     /// So many.
/// #     #[allow(dead_code)]
/// #     max: u32,
/// # }
/// # impl Extension for Quiet {
/// #     const NAME: &'static str = "quiet";
/// #     type Config = Config;
/// #     async fn build(_: Config, _: Host) -> Result<Self, BuildError> { Ok(Quiet) }
/// #     fn register(&self, hooks: &mut Registrar<Self>) {
/// #         hooks.admit(1, |_, _, _| Ok(Admit::Accept));
/// #     }
/// # }
/// use trellis_relay::testing::conformance;
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let report = conformance::<Quiet>("max = 3").await;
/// println!("{report}");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn conformance<E: Extension>(table: &str) -> Report {
    let report = Conformance::of::<E>(table).run().await;
    report.assert_passed();
    report
}

/// The same in steps, for an extension that takes another table over, for one that needs others beside it, or for who wants
/// to read the report.
#[derive(Debug)]
#[must_use = "run it"]
pub struct Conformance {
    extension: Compiled,
    table: Table,
    changed: Option<Table>,
    beside: Vec<Compiled>,
    config: toml::Table,
}

impl Conformance {
    /// For this extension with the inside of its table as TOML.
    pub fn of<E: Extension>(table: &str) -> Self {
        Conformance {
            extension: Compiled::of::<E>(),
            table: parse(table),
            changed: None,
            beside: Vec::new(),
            config: toml::Table::new(),
        }
    }

    /// With another right table of it as TOML, which it is given while it runs: what its `reload` does with that is checked.
    /// Keys that are the core's stay as they are.
    pub fn changed(mut self, table: &str) -> Self {
        self.changed = Some(parse(table));
        self
    }

    /// With another extension beside it, such as the one whose services it needs, and the inside of that one's table.
    pub fn beside<E: Extension>(mut self, table: &str) -> Self {
        self.beside.push(Compiled::of::<E>());
        let tables = self.config.entry("extensions");
        let tables = tables.or_insert_with(|| toml::Table::new().into());
        let tables = tables.as_table_mut().unwrap();
        tables.insert(E::NAME.to_owned(), parse(table).into());
        self
    }

    /// Runs everything. The report says what was wrong.
    pub async fn run(self) -> Report {
        let mut report = Report::new(self.extension.name());
        if self.check_paper(&mut report) {
            self.check_life(&mut report).await;
        }
        report
    }

    /// The table that [`Conformance::changed`] gave, with the core's keys as they are.
    fn changed_table(&self) -> Option<Table> {
        let mut table = self.changed.clone()?;
        for key in paper::CORE_KEYS {
            table.remove(key);
            if let Some(value) = self.table.get(key) {
                table.insert(key.to_owned(), value.clone());
            }
        }
        Some(table)
    }

    fn name(&self) -> &'static str {
        self.extension.name()
    }

    fn setup(&self) -> Setup {
        let all: Vec<Compiled> = self
            .beside
            .iter()
            .copied()
            .chain([self.extension])
            .collect();
        TestRelay::setup().extensions(&all)
    }

    /// The whole configuration with this table for the extension.
    fn config(&self, table: &Table) -> String {
        let mut config = self.config.clone();
        let tables = config.entry("extensions");
        let tables = tables.or_insert_with(|| toml::Table::new().into());
        let tables = tables.as_table_mut().unwrap();
        tables.insert(self.name().to_owned(), table.clone().into());
        toml::to_string(&config).unwrap()
    }

    /// The same with one key of the table set.
    fn config_with(&self, key: &str, value: impl Into<toml::Value>) -> String {
        let mut table = self.table.clone();
        table.insert(key.to_owned(), value.into());
        self.config(&table)
    }
}

fn parse(table: &str) -> Table {
    match table.parse() {
        Ok(table) => table,
        Err(error) => panic!("the table is no TOML: {error}"),
    }
}
