//! `trellis bench`: drives any relay by its address, checks what it answers, and says what that cost.
//!
//! Invariant: nothing here knows what stands behind the address; what is known of the relay's process is what `/proc`
//! tells. Only the floor is measured with this relay's own code.

mod answer;
mod asking;
mod batches;
mod corpus;
mod delivery;
mod dice;
mod expected;
mod fanout;
mod floor;
mod frames;
mod generate;
mod idle;
mod ingest;
mod latency;
mod lines;
mod micro;
mod narrow;
mod process;
mod query;
mod questions;
mod records;
mod report;
mod signer;
mod socket;
mod subscription;
mod target;
mod thread_clock;
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
    /// Hand events to many subscribers: CPU of each delivery, time until the last has it.
    Fanout(fanout::Fanout),
    /// Keep connections open that only wait: memory of each, CPU of waiting.
    Idle(idle::Idle),
    /// Measure on this machine what no relay can do without.
    Micro(micro::Micro),
}

impl Bench {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Gen(generate) => generate.run(),
            What::Ingest(ingest) => ingest.run(),
            What::Query(query) => query.run(),
            What::Fanout(fanout) => fanout.run(),
            What::Idle(idle) => idle.run(),
            What::Micro(micro) => micro.run(),
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
