//! `trellis export`: stored events as JSON lines, from the store of a relay that does not run.

use super::{ConfigFile, store};
use anyhow::Context as _;
use clap::Args;
use std::io::{self, BufWriter, ErrorKind};
use trellis_relay::clock::{Clock as _, SystemClock};
use trellis_relay::extension::Compiled;
use trellis_relay::filter::{Filter, FilterLimits};
use trellis_relay::store::Order;
use trellis_relay::store::jsonl::{ExportError, ExportOptions, export};

#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    config: ConfigFile,
    /// Only events that match this filter (NIP-01), as JSON: '{"kinds":[1],"limit":10}'.
    #[arg(short, long, value_name = "JSON")]
    filter: Option<String>,
    /// Oldest first; without it newest first.
    #[arg(long)]
    oldest_first: bool,
}

impl Export {
    pub(super) fn run(self, extensions: &'static [Compiled]) -> anyhow::Result<()> {
        let filter = match &self.filter {
            Some(json) => Filter::parse(json, &FilterLimits { values: usize::MAX })
                .with_context(|| format!("--filter {json}"))?,
            None => Filter::default(),
        };
        // Matching is by the store, which knows nothing of words: all events would come out.
        anyhow::ensure!(
            filter.search.is_none(),
            "--filter: an export cannot search (NIP-50); leave the key \"search\" out"
        );
        let loaded = self.config.load(extensions)?;
        let store = store::open_existing(&loaded.config)?;
        let options = ExportOptions {
            filter,
            order: match self.oldest_first {
                true => Order::OldestFirst,
                false => Order::NewestFirst,
            },
            now: SystemClock.now_s(),
        };
        let out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
        match export(&store, &options, out) {
            // Whoever read has read enough.
            Err(ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => Ok(result.map(drop)?),
        }
    }
}
