//! The [`Extension`] trait, and everything that stands between an extension and the relay.
//!
//! An extension is a type with a name and a config; in `register` it asks for the hooks it wants, each for certain kinds.
//! The core calls a hook for nothing else, contains its faults, bounds what it answers, and swaps the whole extension when
//! its table in the config changes. What cannot be contained is a synchronous hook that never returns, and the end of the
//! process: see docs/extensions/faults.md. What is not here: when the flows call which hook (`flow`), and who opens sockets
//! (`server`).

mod access_news;
mod answer;
mod audience;
mod backup;
mod breaker;
mod checkup;
mod commit;
mod compiled;
mod error;
mod examination;
mod extension_host;
mod failure;
mod follow;
mod group_membership;
#[cfg(doctest)]
mod guide;
mod handle;
mod haste;
mod hook;
mod hooks;
mod host;
pub mod http;
mod information;
mod instances;
mod json_size;
mod loops;
mod metrics;
mod narrow;
mod order;
mod outbound;
pub mod ownership;
mod panics;
mod patience;
mod payment;
mod plan;
pub mod prelude;
mod pubkeys;
mod rate;
mod registrar;
mod relay_side;
mod replays;
mod running;
mod services;
mod shared;
mod table;
mod task;
mod verdict;
mod viewer;
mod watchdog;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

pub use crate::config::Pubkey;
pub use crate::kinds::Kinds;
pub use access_news::AccessNews;
pub use audience::Audience;
pub use backup::{
    BACKUP_FILES_MAX, BackedUp, BackupBlob, BackupFile, BackupFiles, StoredCursors, is_backed_up,
};
pub use breaker::BreakerSettings;
pub use commit::{COMMIT_BYTES_MAX, COMMIT_ROWS_MAX, CommitError, CommitHooks, CommitTx};
pub use compiled::Compiled;
pub use error::ExtensionError;
pub use examination::{Endpoint, Examination, Finding, Findings, Grade, examine};
pub use extension_host::{Applied, ExtensionHost, HostOptions, Tables, check};
pub use failure::{BackupError, BuildError, HookError, TaskError};
pub use group_membership::{GroupFacts, GroupMembership, GroupsUnavailable};
pub use handle::{ExplainedHook, ExtensionStatus, HostHandle};
pub use hook::{OnFault, Phase, StartAt};
pub use hooks::Hooks;
pub use host::{Host, Restored};
pub use http::{Current, Mount};
pub use metrics::ExtensionMetrics;
pub use narrow::{Narrow, Narrowed};
pub use outbound::{HttpClient, HttpRequest, HttpResponse, OutboundError, OutboundSocket};
pub use payment::{Fee, Payment, PaymentMethod, PaymentMethods};
pub use plan::Plan;
pub use pubkeys::Pubkeys;
pub use rate::RateLimiter;
pub use registrar::{HOOKS_MAX, Registrar};
pub use relay_side::{Core, ReadJob};
pub use services::{Needs, ServiceRef};
pub use shared::{Local, SharedHooks};
pub use table::Table;
pub use task::{Backoff, StopToken};
pub use verdict::{Access, AccessRequest, Admit, AdmitRequest, Commit, Removal, SessionNote, Verb};
pub use viewer::Viewer;

/// A part of the relay that can be switched on in TOML.
///
/// ```
/// use trellis_relay::extension::prelude::*;
///
/// pub struct ShortNotes {
///     config: Config,
/// }
///
/// #[derive(Deserialize, JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// pub struct Config {
///     /// Notes may have so many bytes.
///     max_bytes: usize,
/// }
///
/// impl Extension for ShortNotes {
///     const NAME: &'static str = "short_notes"; // [extensions.short_notes]
///     type Config = Config;
///
///     async fn build(config: Config, _host: Host) -> Result<Self, BuildError> {
///         Ok(ShortNotes { config })
///     }
///
///     fn register(&self, hooks: &mut Registrar<Self>) {
///         hooks.admit(1, |me, event, _viewer| {
///             if event.content_json().len() > me.config.max_bytes {
///                 return Ok(Reason::blocked("this note is too long").into());
///             }
///             Ok(Admit::Accept)
///         });
///     }
/// }
/// ```
pub trait Extension: Sized + Send + Sync + 'static {
    /// Lower case letters, digits and `_`: the table is `[extensions.<NAME>]`.
    const NAME: &'static str;

    /// The extension's own version; usually `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str = "";

    /// How keys of rows begin that no backup takes: what is over when the relay is, such as calls under way, and what lets
    /// somebody in. It holds whether the extension is on or off. An empty prefix stands for all rows.
    ///
    /// ```
    /// const NOT_BACKED_UP: &[&[u8]] = &[b"call/", b"token/"];
    /// ```
    const NOT_BACKED_UP: &'static [&'static [u8]] = &[];

    /// The table, as a type. It must refuse unknown keys: `#[serde(deny_unknown_fields)]`. The core takes its own keys
    /// (`enabled`, `on_fault`, `priority`, `timeout_ms`, `max_concurrent`) out of the table before.
    type Config: DeserializeOwned + JsonSchema + Send + 'static;

    /// Services this extension offers and cannot do without. They order the builds, hence no `self`.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// trait Membership: Send + Sync {}
    /// fn services(needs: &mut Needs) {
    ///     needs.requires::<dyn Membership>();
    /// }
    /// ```
    fn services(_needs: &mut Needs) {}

    /// Makes an instance, at the start and whenever the table changes. May do I/O. An error stops the start, or leaves
    /// the old instance in place. The start waits for as long as it takes; a relay that runs waits for 30 seconds.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// struct Greeter { greeting: String }
    /// async fn build(greeting: String, host: Host) -> Result<Greeter, BuildError> {
    ///     if greeting.is_empty() {
    ///         return Err("greeting: found nothing, wanted some text".into());
    ///     }
    ///     tracing::info!(extension = host.name(), "ready to greet");
    ///     Ok(Greeter { greeting })
    /// }
    /// ```
    fn build(
        config: Self::Config,
        host: Host,
    ) -> impl Future<Output = Result<Self, BuildError>> + Send;

    /// Asks for hooks. `&self`, since kinds may come from the config. Called once for each instance.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn register<E: Extension>(hooks: &mut Registrar<E>) {
    ///     hooks
    ///         .admit(1, |_me, _event, _viewer| Ok(Admit::Accept))
    ///         .deliver(1, |_me, _event, viewer| Ok(viewer.is_authenticated()));
    /// }
    /// ```
    fn register(&self, hooks: &mut Registrar<Self>);

    /// A task that runs while the instance does, on the extension's own threads. `Ok` ends it for good; an error or a
    /// panic starts it again after a while. It should end soon after `stop`.
    ///
    /// ```
    /// use std::{sync::Arc, time::Duration};
    /// use trellis_relay::extension::prelude::*;
    /// struct Ticker;
    /// async fn start(_me: Arc<Ticker>, stop: StopToken) -> Result<(), TaskError> {
    ///     while !stop.is_stopped() {
    ///         tokio::select! {
    ///             () = stop.stopped() => {}
    ///             () = tokio::time::sleep(Duration::from_secs(60)) => tracing::info!("tick"),
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    fn start(
        self: Arc<Self>,
        _stop: StopToken,
    ) -> impl Future<Output = Result<(), TaskError>> + Send {
        async { Ok(()) }
    }

    /// The table has changed: take over what can be changed in place and answer [`Reload::Applied`], or leave everything
    /// as it is and be built anew. Where it does not answer within five seconds, another instance is built.
    ///
    /// ```
    /// use std::sync::Mutex;
    /// use trellis_relay::extension::prelude::*;
    /// struct Words { banned: Mutex<Vec<String>> }
    /// fn reload(me: &Words, new: &Vec<String>) -> Reload {
    ///     match me.banned.lock() {
    ///         Ok(mut banned) => banned.clone_from(new),
    ///         Err(_) => return Reload::Rebuild,
    ///     }
    ///     Reload::Applied
    /// }
    /// ```
    fn reload(&self, _new: &Self::Config) -> Reload {
        Reload::Rebuild
    }

    /// The instance is out of use: say goodbye to others. Cut off at a deadline.
    ///
    /// ```
    /// async fn shutdown() {
    ///     tracing::info!("the last batch is sent");
    /// }
    /// ```
    fn shutdown(&self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// For `/health`; asked often, so from memory. Where it does not answer within two seconds, the extension counts as
    /// degraded, and is not asked again until it has.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn health(is_connected: bool) -> Health {
    ///     match is_connected {
    ///         true => Health::Ok,
    ///         false => Health::Down("the database does not answer".to_owned()),
    ///     }
    /// }
    /// ```
    fn health(&self) -> Health {
        Health::Ok
    }

    /// For `trellis doctor`: what an operator should know before clients come, by the table alone. Asks others whom the
    /// extension needs whether they are there and let it in, changes nothing, and works whether or not a relay runs on the
    /// same data. Cut off after 20 seconds, whatever `--timeout` says.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// async fn examine(greeting: String, at: Examination) -> Findings {
    ///     let mut found = Findings::default();
    ///     let file = at.data_dir().join("greeter.db");
    ///     match file.exists() || greeting.is_empty() {
    ///         true => found.ok("greetings", "who was greeted is remembered"),
    ///         false => found.warn("greetings", "nobody was greeted yet", "start the relay"),
    ///     }
    ///     found
    /// }
    /// ```
    fn examine(_config: Self::Config, _at: Examination) -> impl Future<Output = Findings> + Send {
        async { Findings::default() }
    }

    /// Copies the files that the extension keeps beside the store to `into`, an empty directory, for a backup; rows are in
    /// it anyway. Each copy has to be whole and to agree with the others, whatever is written meanwhile. Asked as often as
    /// every few seconds, while all goes on; it may take minutes, and is cut off then. An error leaves the copies of an
    /// earlier backup in force.
    ///
    /// A restore puts the copies where they belong before the extension is built, and sets the `stored` hooks back to where
    /// they were before the copies were made. Rows may be newer than the copies.
    ///
    /// ```
    /// use std::path::{Path, PathBuf};
    /// use trellis_relay::extension::prelude::*;
    /// struct Diary { file: PathBuf }
    /// async fn back_up(me: &Diary, into: &Path) -> Result<Vec<BackupFile>, BackupError> {
    ///     let written = into.join("diary.txt");
    ///     std::fs::copy(&me.file, &written)?;
    ///     Ok(vec![BackupFile { written, restore_to: me.file.clone() }])
    /// }
    /// ```
    fn back_up(
        &self,
        _into: &Path,
    ) -> impl Future<Output = Result<Vec<BackupFile>, BackupError>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Names files whose content never changes, by their SHA-256 and in that order, from after `after` on, at most `max`. A
    /// backup takes each once, from where it is, and asks until it is given none. Asked about once a day.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use std::ops::Bound::{Excluded, Unbounded};
    /// use std::path::PathBuf;
    /// use trellis_relay::extension::prelude::*;
    /// struct Pictures { by_sha256: BTreeMap<[u8; 32], PathBuf> }
    /// async fn back_up_blobs(
    ///     me: &Pictures,
    ///     after: Option<[u8; 32]>,
    ///     max: usize,
    /// ) -> Result<Vec<BackupBlob>, BackupError> {
    ///     let from = after.map_or(Unbounded, Excluded);
    ///     let page = me.by_sha256.range((from, Unbounded)).take(max);
    ///     let blob = |(sha256, path): (&[u8; 32], &PathBuf)| BackupBlob {
    ///         sha256: *sha256,
    ///         path: path.clone(),
    ///         restore_to: path.clone(),
    ///     };
    ///     Ok(page.map(blob).collect())
    /// }
    /// ```
    fn back_up_blobs(
        &self,
        _after: Option<[u8; 32]>,
        _max: usize,
    ) -> impl Future<Output = Result<Vec<BackupBlob>, BackupError>> + Send {
        async { Ok(Vec::new()) }
    }
}

/// The answer of [`Extension::reload`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// The instance works by the new table.
    Applied,
    /// Build another one.
    Rebuild,
}

/// How an extension is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Well.
    Ok,
    /// Working, with something amiss.
    Degraded(String),
    /// Not working: `/health` answers 503.
    Down(String),
}
