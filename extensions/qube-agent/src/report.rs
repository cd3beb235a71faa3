//! The signed report of how an action ended (kind 3333).

use crate::history::{Entry, Outcome};
use crate::task::Task;
use nostr::event::FinalizeEvent as _;
use nostr::event::{Event, EventBuilder, Kind, Tag};
use nostr::key::Keys;
use nostr::types::Timestamp;
use std::collections::BTreeMap;
use trellis_qube_protocol::{KIND_ACK, MAX_ERROR_BYTES, NodeId, Report, Status, tags};

/// A report that cannot be signed.
#[derive(Debug, thiserror::Error)]
#[error("the report cannot be signed: {0}")]
pub(crate) struct SignError(String);

/// What the history keeps of an action that ended now, with its report.
pub(crate) fn entry(
    task: &Task,
    mut outcome: Outcome,
    node_id: &NodeId,
    keys: &Keys,
    now_s: u64,
) -> Result<Entry, SignError> {
    if let Outcome::Failure { error } | Outcome::Refused { error, .. } = &mut outcome {
        *error = bounded(error);
    }
    let report = Report {
        developer: task.developer,
        network: task.directive.network.clone(),
        version: task.directive.version.clone(),
        action: task.directive.action.kind(),
        status: match outcome.error() {
            None => Status::Success,
            Some(error) => Status::Failure {
                error: error.to_owned(),
            },
        },
        node_id: node_id.clone(),
        action_at: now_s,
    };
    Ok(Entry {
        directive: task.directive.clone(),
        developer: task.developer,
        outcome,
        action_at: now_s,
        decided_at: task.decided_at,
        report: Some(event(&report, keys, now_s)?),
        delivered: BTreeMap::new(),
    })
}

fn event(report: &Report, keys: &Keys, now_s: u64) -> Result<Event, SignError> {
    let tags = tags::ack_tags(report)
        .into_iter()
        .map(Tag::parse)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| SignError(error.to_string()))?;
    let builder = EventBuilder::new(Kind::from(KIND_ACK), tags::ack_content(report))
        .tags(tags)
        .custom_created_at(Timestamp::from(now_s));
    sign(builder, keys)
}

/// Signs an event.
pub(crate) fn sign(builder: EventBuilder, keys: &Keys) -> Result<Event, SignError> {
    builder
        .finalize(keys)
        .map_err(|error| SignError(error.to_string()))
}

/// An error as a report carries it: one line, not too long.
fn bounded(error: &str) -> String {
    let line: String = error
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let line = line.trim();
    let end = line.floor_char_boundary(MAX_ERROR_BYTES.min(line.len()));
    match &line[..end] {
        "" => "unknown".to_owned(),
        text => text.to_owned(),
    }
}
