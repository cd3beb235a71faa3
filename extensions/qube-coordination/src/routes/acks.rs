//! `/networks/{network}/acks`: reports as they were signed, newest first, each with the directive that it belongs to.
//!
//! Invariant: reports come from the store, page by page, and a request reads a bounded number of them: a page may have fewer
//! items than were asked for and still go on.

use super::csv::{Row, cell};
use super::{Listing, Reader, find};
use crate::QubeCoordination;
use crate::fields;
use crate::holdings::resolved_key;
use actix_web::web::{Path, Query};
use std::str::FromStr;
use std::sync::Arc;
use trellis_qube_protocol::{Ack, ActionKey, EventId, KIND_ACK, StatusKind};
use trellis_relay::extension::http::Api;
use trellis_relay::extension::prelude::*;

/// Events that are read from the store at a time, and times for one request.
const READ: usize = 500;
const READS_MAX: usize = 10;
/// Events of one query of the store at most.
const QUERY_MAX: usize = 10_000;

/// A report.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Report {
    /// The event's id.
    id: String,
    /// How the node's operator calls it.
    node_id: String,
    /// The key that signed it: 64 hex digits.
    pubkey: String,
    /// When it was signed. Unix seconds.
    created_at: u64,
    /// When the action was done. Unix seconds.
    action_at: u64,
    /// "upgrade" or "reboot".
    action: String,
    /// Without a leading v.
    version: String,
    /// "success" or "failure".
    status: String,
    /// What went wrong.
    error: Option<String>,
    /// Whose directive it names.
    developer: String,
    /// The directive that it belongs to; missing where none is known.
    signal: Option<String>,
    /// The action that this is a vote for.
    action_key: Option<String>,
}

/// Which reports.
#[derive(Debug, Deserialize, JsonSchema)]
struct Which {
    /// Of this node.
    node_id: Option<String>,
    /// "success" or "failure".
    status: Option<String>,
    /// On the action with this key.
    action: Option<String>,
}

pub(super) fn declare(api: &mut Api) {
    api.get("/networks/{network}/acks", list)
        .summary("Reports of nodes, newest first")
        .description(
            "A page may have fewer items than its limit and still have a next one: go on until `next` is missing.",
        )
        .answers::<PageOf<Report>>(200)
        .fails(404, "There is no such network.");
}

async fn list(
    me: Current<QubeCoordination>,
    reader: Reader,
    network: Path<String>,
    which: Query<Which>,
    page: Page<100, 1_000>,
) -> Result<Listing<Report>, ApiError> {
    let id = find(&me, &network)?.id;
    let status: Option<StatusKind> = match &which.status {
        None => None,
        Some(word) => Some(
            serde_json::from_value(word.as_str().into())
                .map_err(|_| ApiError::bad_request("status must be success or failure"))?,
        ),
    };
    let key: Option<ActionKey> = match &which.action {
        None => None,
        Some(word) => Some(word.parse().map_err(|_| {
            ApiError::bad_request("action must be the key of an action, 64 hex digits")
        })?),
    };
    let fits = |ack: &Ack, report: &Report| {
        ack.report.network == id
            && status.is_none_or(|it| it == ack.report.status.kind())
            && which
                .node_id
                .as_deref()
                .is_none_or(|it| it == ack.report.node_id.as_str())
            && key.is_none_or(|it| report.action_key.as_deref() == Some(&*it.to_string()))
    };
    let mut place: Place = page.after_as()?.unwrap_or_default();
    let mut items = Vec::new();
    let mut is_over = false;
    for _ in 0..READS_MAX {
        let events = stored(&me, place, READ).await?;
        is_over = events.len() < READ;
        for event in &events {
            place.pass(event);
            if let Ok(ack) = fields::ack(event) {
                let report = Report::of(&me, &ack);
                if fits(&ack, &report) {
                    items.push(report);
                }
            }
            if items.len() == page.limit() {
                break;
            }
        }
        if is_over || items.len() == page.limit() {
            break;
        }
    }
    for report in items.iter_mut().filter(|it| it.signal.is_none()) {
        report.signal = stored_signal(&me, &report.id).await?;
    }
    let is_full = items.len() == page.limit();
    let next = (is_full || !is_over).then(|| super::export::cursor(&place.to_string()));
    Ok(reader.list(items, next))
}

/// The directive that a report belonged to when it came, where that is not known here any more: its author directs the network
/// no longer, say.
async fn stored_signal(me: &QubeCoordination, ack: &str) -> Result<Option<String>, ApiError> {
    let id: EventId = ack.parse().map_err(ApiError::internal)?;
    let row = me.host.kv_get(&resolved_key(&id)).await?;
    let id = row.and_then(|row| <[u8; 32]>::try_from(row).ok());
    Ok(id.map(|id| EventId::from_bytes(id).to_string()))
}

/// How far the stored reports were read, newest first: those signed before, or so many of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The second that was reached, and how many of it were read.
    reached: Option<(u64, usize)>,
}

impl Place {
    pub(super) fn pass(&mut self, event: &Event) {
        let second = event.created_at();
        let passed = match self.reached {
            Some((reached, passed)) if reached == second => passed,
            _ => 0,
        };
        self.reached = Some((second, passed + 1));
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (second, passed) = self.reached.unwrap_or((u64::MAX, 0));
        write!(f, "{second}/{passed}")
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (second, passed) = text.split_once('/').ok_or(())?;
        let reached = (second.parse().map_err(drop)?, passed.parse().map_err(drop)?);
        Ok(Place {
            reached: Some(reached),
        })
    }
}

/// Stored reports from a place on. It fails rather than end early where more of one second have been imported past the hooks than
/// a query gives.
pub(super) async fn stored(
    me: &QubeCoordination,
    place: Place,
    max: usize,
) -> Result<Vec<Arc<Event>>, ApiError> {
    let (until, passed) = match place.reached {
        Some((second, passed)) => (Some(second), passed),
        None => (None, 0),
    };
    let limit = max.saturating_add(passed);
    if limit > QUERY_MAX {
        return Err(ApiError::internal(
            "more reports say that they were signed in one second than can be listed",
        ));
    }
    let filter = Filter {
        kinds: Some(vec![KIND_ACK]),
        until,
        limit: Some(limit),
        ..Filter::default()
    };
    let mut events = me.host.query(filter).await?;
    // Those of the second that were read already; the list may have lost some of them.
    let again = events
        .iter()
        .take(passed)
        .take_while(|event| Some(event.created_at()) == until)
        .count();
    events.drain(..again);
    Ok(events)
}

impl Report {
    pub(super) fn of(me: &QubeCoordination, ack: &Ack) -> Self {
        let ledger = me.holdings.ledger();
        let signal = ledger.resolve(ack);
        let action_key = signal.and_then(|id| ledger.signal(&id).map(|it| it.key()));
        let report = &ack.report;
        Report {
            id: ack.id.to_string(),
            node_id: report.node_id.to_string(),
            pubkey: ack.node.to_string(),
            created_at: ack.created_at,
            action_at: report.action_at,
            action: report.action.as_str().to_owned(),
            version: report.version.to_string(),
            status: report.status.kind().as_str().to_owned(),
            error: report.status.error().map(str::to_owned),
            developer: report.developer.to_string(),
            signal: signal.map(|it| it.to_string()),
            action_key: action_key.map(|it| it.to_string()),
        }
    }
}

impl Row for Report {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "node_id",
        "pubkey",
        "created_at",
        "action_at",
        "action",
        "version",
        "status",
        "error",
        "developer",
        "signal",
        "action_key",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.node_id.clone(),
            self.pubkey.clone(),
            self.created_at.to_string(),
            self.action_at.to_string(),
            self.action.clone(),
            self.version.clone(),
            self.status.clone(),
            cell(&self.error),
            self.developer.clone(),
            cell(&self.signal),
            cell(&self.action_key),
        ]
    }
}
