//! `trellis qube acks`

use crate::out::{json, line, print};
use crate::reader::Reader;
use crate::reading::{ledger_now, state};
use crate::settings::misuse;
use crate::span::{ago, now_s};
use crate::table::{Table, shortened};
use serde_json::json;
use trellis_qube_protocol::AckRecord;

#[derive(Debug, clap::Args)]
pub(crate) struct Acks {
    #[command(flatten)]
    reader: Reader,
    /// The action, by the beginning of its key; without it the one that reached its quorum last.
    #[arg(value_name = "KEY")]
    key: Option<String>,
}

impl Acks {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let settings = self.reader.settle()?;
        let network = settings.network()?;
        let ledger = ledger_now(&settings).await?;
        let now_s = now_s();
        let state = state(&ledger, &network.id).ok_or_else(|| misuse("no such network"))?;
        let action = match &self.key {
            None => state.current_action(),
            Some(begin) => state
                .actions
                .iter()
                .find(|action| action.key.to_string().starts_with(begin)),
        };
        let action = action.ok_or_else(|| match &self.key {
            Some(begin) => misuse(format!(
                "{begin:?} begins the key of no action; `quorum` and `history` list them"
            )),
            None => misuse("nothing was agreed on yet; `quorum` and `history` list proposals"),
        })?;
        let records = ledger.acks(&network.id, &action.key);
        if settings.json {
            let shown: Vec<_> = records.iter().map(shown).collect();
            return json(&json!({"action": action, "reports": shown}));
        }
        let (kind, version) = (
            action.directive.action.kind(),
            action.directive.version.tagged(),
        );
        let (success, failure, expected) =
            (action.acks.success, action.acks.failure, action.expected);
        line(format_args!(
            "{kind} of {} to {version}: {}",
            network.id, action.status
        ))?;
        line(format_args!(
            "{success} succeeded, {failure} failed, {expected} expected"
        ))?;
        let mut table = Table::new(&["NODE", "STATUS", "WHEN", "ERROR"]);
        for record in &records {
            table.row([
                shortened(record.node_id.as_str()),
                record.ack.status.to_string(),
                ago(record.ack.action_at, now_s),
                record.ack.error.clone().unwrap_or_default(),
            ]);
        }
        if !table.is_empty() {
            print(table)?;
        }
        for node in &action.overdue {
            line(format_args!("overdue: {node}"))?;
        }
        Ok(())
    }
}

fn shown(record: &AckRecord) -> serde_json::Value {
    json!({
        "node_id": record.node_id,
        "pubkey": record.pubkey,
        "signal": record.signal,
        "counts": record.counts,
        "ack": record.ack,
    })
}
