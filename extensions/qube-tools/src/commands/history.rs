//! `trellis qube history`

use crate::out::{json, print, progress};
use crate::reader::Reader;
use crate::reading::{ledger_now, state};
use crate::span::{ago, now_s};
use crate::table::Table;

#[derive(Debug, clap::Args)]
pub(crate) struct History {
    #[command(flatten)]
    reader: Reader,
    /// The newest so many.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

impl History {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let settings = self.reader.settle()?;
        let network = settings.network()?;
        let ledger = ledger_now(&settings).await?;
        if settings.apis.is_empty() {
            progress("only what stands on the relays: --api URL adds what was replaced");
        }
        let now_s = now_s();
        let mut actions = state(&ledger, &network.id)
            .map(|state| state.actions)
            .unwrap_or_default();
        actions.truncate(self.limit);
        if settings.json {
            return json(&actions);
        }
        let mut table = Table::new(&[
            "FIRST VOTE",
            "KEY",
            "ACTION",
            "VERSION",
            "VOTES",
            "QUORUM",
            "DONE",
            "FAILED",
            "STATUS",
        ]);
        for action in &actions {
            table.row([
                ago(action.first_at, now_s),
                action.key.short(),
                action.directive.action.kind().to_string(),
                action.directive.version.tagged(),
                action.ever_voted.len().to_string(),
                action
                    .quorum_at
                    .map_or("-".to_owned(), |at_s| ago(at_s, now_s)),
                format!("{}/{}", action.acks.success, action.expected),
                action.acks.failure.to_string(),
                action.status.to_string(),
            ]);
        }
        print(table)
    }
}
