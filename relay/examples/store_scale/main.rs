//! Measures how the cost of the store grows with what it holds.
//!
//! ```sh
//! cargo run --release -p trellis-relay --example store_scale -- DIRECTORY grow EVENTS [live|scattered]
//! cargo run --release -p trellis-relay --example store_scale -- DIRECTORY ingest [SHARE]
//! cargo run --release -p trellis-relay --example store_scale -- DIRECTORY query
//! cargo run --release -p trellis-relay --example store_scale -- DIRECTORY check|compact|export
//! cargo run --release -p trellis-relay --example store_scale -- - lines EVENTS > FILE
//! ```
//! `grow` fills a directory up to a number of events, which the other commands then measure. Events have the kinds 0, 1,
//! 3, 7, 445, 1059 and 30023, 3.8 indexed tags in the mean, and authors of whom few write most. Their ids look like hashes
//! and signatures are left out: what is measured is the store alone, and the making of events is not counted. `live` times
//! rise with the row, `scattered` ones do not. `lines` prints such events signed, for `trellis import`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod events;
mod filters;
mod ingest;
mod lines;
mod query;
mod usage;

use ingest::{grow, ingest};
use lines::print_lines;
use query::{export, query};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;
use trellis_relay::store::Store;
use trellis_relay::store::lmdb::{LmdbOptions, LmdbStore};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize| arguments.get(at).map(String::as_str);
    if argument(1) == Some("lines") {
        return print_lines(argument(2).unwrap().parse().unwrap());
    }
    let directory = Path::new(argument(0).unwrap());
    let options = LmdbOptions::default();
    let store = LmdbStore::open(directory, options).unwrap();
    match argument(1).unwrap() {
        "grow" => {
            let until = argument(2).unwrap().parse().unwrap();
            grow(&store, until, argument(3) == Some("scattered"));
        }
        "ingest" => ingest(
            &store,
            argument(2).map_or(1.0, |share| share.parse().unwrap()),
        ),
        "query" => query(&store),
        "check" => {
            let since = Instant::now();
            let report = store.check().unwrap();
            println!("{report:?} in {:.1?}", since.elapsed());
        }
        "compact" => {
            let since = Instant::now();
            let report = store.compact(&mut |_| ControlFlow::Continue(())).unwrap();
            println!("{report:?} in {:.1?}", since.elapsed());
        }
        "export" => export(&store),
        other => println!("what is {other}?"),
    }
    report_size(&store);
}

fn report_size(store: &LmdbStore) {
    let stats = store.stats().unwrap();
    println!(
        "{} events, {} bytes an event",
        stats.events,
        stats.used_bytes / stats.events.max(1)
    );
}
