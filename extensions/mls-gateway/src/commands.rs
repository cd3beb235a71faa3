//! `trellis mls ...`: what an operator does to the gateway's own data.
//!
//! Each command is one file. They take and print plain text; whoever may run the program may read and write what the gateway
//! stores. What they change other instances hear of as they hear of any change.

mod export;
mod groups;
mod import;
mod lines;
mod rebuild;
mod stock;
mod words;

use crate::MlsGateway;
use crate::archive::CATCH_UP;
use std::sync::Arc;
use trellis_relay::extension::prelude::*;
use words::Words;

const USAGE: &str = "\
mls import --groups FILE --mailboxes FILE [--dry-run]   take over groups and letters from JSON lines
mls export --groups FILE --mailboxes FILE               write them as JSON lines; one FILE may be -
mls rebuild [--apply] [GROUP ...]                       compute rosters from the stored roster events
mls groups                                              list groups
mls stock                                               list owners and their live KeyPackages";

/// Rows of one page.
const PAGE_ROWS: usize = 500;

/// Registers the subcommand.
pub(crate) fn register(hooks: &mut Registrar<MlsGateway>) {
    let about = "groups, mailboxes and rosters: import, export, rebuild, groups, stock";
    hooks.command("mls", about, async |me: Arc<MlsGateway>, mut words| {
        if words.is_empty() {
            return Err(format!("mls wants to know what to do:\n{USAGE}"));
        }
        // For the epochs that messages have named.
        me.host.catch_up(CATCH_UP).await;
        let rest = Words::new(words.split_off(1));
        match words[0].as_str() {
            "import" => import::run(&me, rest).await,
            "export" => export::run(&me, rest).await,
            "rebuild" => rebuild::run(&me, rest).await,
            "groups" => groups::run(&me, rest).await,
            "stock" => stock::run(&me, rest).await,
            "help" | "--help" | "-h" => Ok(USAGE.to_owned()),
            unknown => Err(format!("mls cannot {unknown:?}; it can:\n{USAGE}")),
        }
    });
}

/// An error with what it comes from, for a terminal. A driver's own error may hold a row, which is the operator's anyway.
fn in_full(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |line, error| format!("{line}: {error}"))
}
