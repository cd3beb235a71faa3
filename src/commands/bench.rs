//! `trellis bench`: drives any relay by its address, checks what it answers, and says what that cost.
//!
//! Invariant: nothing here knows what stands behind the address; what is known of the relay's process is what `/proc`
//! tells. Only the floor is measured with this relay's own code.

mod answer;
mod asking;
mod batches;
mod corpus;
mod dice;
mod expected;
mod floor;
mod frames;
mod generate;
mod ingest;
mod latency;
mod lines;
mod process;
mod query;
mod questions;
mod records;
mod report;
mod signer;
mod socket;
mod target;
mod upload;
mod words;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write made-up events to measure with.
    Gen(generate::Generate),
    /// Publish events: CPU, memory and time of each.
    Ingest(ingest::Ingest),
    /// Ask twelve classes of questions, and check every answer.
    Query(query::Query),
}

impl Bench {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Gen(generate) => generate.run(),
            What::Ingest(ingest) => ingest.run(),
            What::Query(query) => query.run(),
        }
    }
}

/// Everything that speaks to a relay runs on one thread, so that a core that is left to it is enough.
fn on_one_thread(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.context("start")?.block_on(work)
}

fn now_secs() -> anyhow::Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(since.context("the clock is before 1970")?.as_secs())
}
