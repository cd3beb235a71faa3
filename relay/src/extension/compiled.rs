//! The list of extensions that a program is compiled with, and an extension with its type erased.

use super::backup::{BackupBlob, BackupFile};
use super::error::ExtensionError;
use super::failure::{BackupError, TaskError};
use super::hook::Registration;
use super::host::Host;
use super::registrar::Registrar;
use super::services::{Needs, Offer};
use super::table::{self, CoreKeys, Table};
use super::task::StopToken;
use super::{Examination, Extension, Findings, Health, Reload, instances, panics};
use futures_util::future::{BoxFuture, FutureExt};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// An instance to be, or what went wrong with it.
type Building = BoxFuture<'static, Result<Arc<dyn Instance>, String>>;

/// An extension that can be switched on. Function pointers of a generic function, so that the list is a plain `const` and
/// nothing is registered behind anyone's back.
///
/// ```
/// use trellis_relay::extension::{Compiled, prelude::*};
/// # struct Quiet;
/// # #[derive(Deserialize, JsonSchema)]
/// # #[serde(deny_unknown_fields)]
/// # struct Nothing {}
/// # impl Extension for Quiet {
/// #     const NAME: &'static str = "quiet";
/// #     type Config = Nothing;
/// #     async fn build(_: Nothing, _: Host) -> Result<Self, BuildError> { Ok(Quiet) }
/// #     fn register(&self, _: &mut Registrar<Self>) {}
/// # }
/// pub const EXTENSIONS: &[Compiled] = &[Compiled::of::<Quiet>()];
/// assert_eq!(EXTENSIONS[0].name(), "quiet");
/// ```
#[derive(Clone, Copy)]
pub struct Compiled {
    name: &'static str,
    version: &'static str,
    not_backed_up: &'static [&'static [u8]],
    needs: fn(&mut Needs),
    check: fn(Table) -> Result<(), String>,
    build: fn(Table, Host) -> Result<Building, String>,
    schema: fn() -> Value,
    examine: fn(Table, Examination) -> Result<BoxFuture<'static, Findings>, String>,
}

impl Compiled {
    /// One line of the list.
    pub const fn of<E: Extension>() -> Self {
        Compiled {
            name: E::NAME,
            version: E::VERSION,
            not_backed_up: E::NOT_BACKED_UP,
            needs: E::services,
            check: |table| read::<E>(table).map(drop),
            build: build::<E>,
            schema: inline_schema::<E::Config>,
            examine: examine::<E>,
        }
    }

    /// The name of its table.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What its author says; may be empty.
    pub const fn version(&self) -> &'static str {
        self.version
    }

    /// Whether the row with this key, of its own key space, goes into backups.
    pub(super) fn backs_up(&self, key: &[u8]) -> bool {
        !self
            .not_backed_up
            .iter()
            .any(|prefix| key.starts_with(prefix))
    }

    /// JSON Schema of its whole table, the core's keys included, without references.
    pub fn schema(&self) -> Value {
        let mut schema = (self.schema)();
        let core = inline_schema::<CoreKeys>();
        if let (Some(table), Some(core)) = (schema.as_object_mut(), core["properties"].as_object())
        {
            let properties = table.entry("properties").or_insert_with(|| json!({}));
            if let Some(properties) = properties.as_object_mut() {
                properties.extend(core.clone());
            }
        }
        schema
    }

    /// Whether a table is right, without building anything. An `Err` says what is wrong.
    pub fn check(&self, table: Table) -> Result<(), String> {
        let (_, own) = table::split(table)?;
        (self.check)(own)
    }

    /// What its `services` asks for.
    pub(super) fn needs(&self) -> Result<Needs, ExtensionError> {
        let mut needs = Needs::default();
        let asked = panics::contain_as(self.name, || (self.needs)(&mut needs));
        asked.map(|()| needs).map_err(|_| ExtensionError::Build {
            extension: self.name,
            problem: "its `services` panicked; the log says where".to_owned(),
        })
    }

    /// Reads the author's keys at once; the rest is in the future.
    pub(super) fn examine(
        &self,
        own: Table,
        at: Examination,
    ) -> Result<BoxFuture<'static, Findings>, String> {
        (self.examine)(own, at)
    }

    /// Reads the author's keys at once; the rest is in the future.
    pub(super) fn build(&self, own: Table, host: Host) -> Result<Building, String> {
        (self.build)(own, host)
    }
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Compiled({} {})", self.name, self.version)
    }
}

fn build<E: Extension>(own: Table, host: Host) -> Result<Building, String> {
    let config = read::<E>(own)?;
    let built = async move {
        let extension = E::build(config, host).await.map_err(|error| error.0)?;
        let instance = Arc::new(Erased(Arc::new(extension))) as Arc<dyn Instance>;
        instances::keep(E::NAME, &instance);
        Ok(instance)
    };
    Ok(built.boxed())
}

fn examine<E: Extension>(
    own: Table,
    at: Examination,
) -> Result<BoxFuture<'static, Findings>, String> {
    let config = read::<E>(own)?;
    Ok(E::examine(config, at).boxed())
}

/// The author's keys. How they are read is an author's code, too.
fn read<E: Extension>(own: Table) -> Result<E::Config, String> {
    let read = panics::contain_as(E::NAME, || table::parse::<E::Config>(own));
    read.unwrap_or_else(|_| Err("its Config panicked while it was read".to_owned()))
}

/// It will stand inside a larger schema, where a reference would lead nowhere.
fn inline_schema<C: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
    });
    let schema = settings.into_generator().into_root_schema_for::<C>();
    schema.to_value()
}

/// The object-safe face of an [`Extension`].
pub(super) trait Instance: Send + Sync {
    fn register(&self) -> (Vec<Registration>, Vec<Offer>);
    fn start(&self, stop: StopToken) -> BoxFuture<'static, Result<(), TaskError>>;
    fn reload(&self, own: Table) -> Result<Reload, String>;
    fn shutdown(&self) -> BoxFuture<'static, ()>;
    fn health(&self) -> Health;
    fn back_up(&self, into: PathBuf) -> BoxFuture<'static, Result<Vec<BackupFile>, BackupError>>;
    fn back_up_blobs(
        &self,
        after: Option<[u8; 32]>,
        max: usize,
    ) -> BoxFuture<'static, Result<Vec<BackupBlob>, BackupError>>;
    /// Whether anybody beside this holds the author's type: a hook, a route, a task, a service.
    fn is_used(&self) -> bool;
}

struct Erased<E>(Arc<E>);

impl<E: Extension> Instance for Erased<E> {
    fn register(&self) -> (Vec<Registration>, Vec<Offer>) {
        let mut registrar = Registrar::new(self.0.clone());
        self.0.register(&mut registrar);
        registrar.into_parts()
    }

    fn start(&self, stop: StopToken) -> BoxFuture<'static, Result<(), TaskError>> {
        let extension = self.0.clone();
        async move { extension.start(stop).await }.boxed()
    }

    fn reload(&self, own: Table) -> Result<Reload, String> {
        Ok(self.0.reload(&read::<E>(own)?))
    }

    fn shutdown(&self) -> BoxFuture<'static, ()> {
        let extension = self.0.clone();
        async move { extension.shutdown().await }.boxed()
    }

    fn health(&self) -> Health {
        self.0.health()
    }

    fn back_up(&self, into: PathBuf) -> BoxFuture<'static, Result<Vec<BackupFile>, BackupError>> {
        let extension = self.0.clone();
        async move { extension.back_up(&into).await }.boxed()
    }

    fn back_up_blobs(
        &self,
        after: Option<[u8; 32]>,
        max: usize,
    ) -> BoxFuture<'static, Result<Vec<BackupBlob>, BackupError>> {
        let extension = self.0.clone();
        async move { extension.back_up_blobs(after, max).await }.boxed()
    }

    fn is_used(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}
