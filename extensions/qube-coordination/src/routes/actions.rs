//! `/actions/{key}`: one action, with each node's newest report on it.

use super::Reader;
use super::shapes::Action;
use crate::QubeCoordination;
use actix_web::web::{Json, Path};
use trellis_qube_protocol::{AckRecord, ActionKey};
use trellis_relay::extension::http::Api;
use trellis_relay::extension::prelude::*;

/// An action and what nodes report on it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct WithReports {
    /// The action.
    action: Action,
    /// Nodes that should have reported by now.
    overdue: Vec<String>,
    /// Each node's newest report.
    reports: Vec<Report>,
    /// What to send as `cursor` for more reports; missing on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A node's newest report on the action.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Report {
    /// How the node's operator calls it.
    node_id: String,
    /// The key that it reports with: 64 hex digits.
    pubkey: String,
    /// The directive that the report belongs to.
    signal: String,
    /// The report's id.
    ack: String,
    /// When it was signed. Unix seconds.
    created_at: u64,
    /// When the action was done. Unix seconds.
    action_at: u64,
    /// "success" or "failure".
    status: String,
    /// What went wrong.
    error: Option<String>,
}

pub(super) fn declare(api: &mut Api) {
    api.get("/actions/{key}", one)
        .summary("An action, and what nodes report on it")
        .answers::<WithReports>(200)
        .fails(404, "There is no such action.");
}

async fn one(
    me: Current<QubeCoordination>,
    _reader: Reader,
    key: Path<String>,
    page: Page<1_000, 5_000>,
) -> Result<Json<WithReports>, ApiError> {
    let unknown = || ApiError::not_found("there is no action with this key");
    let key: ActionKey = key
        .parse()
        .map_err(|_| ApiError::bad_request("the key of an action has 64 lowercase hex digits"))?;
    let state = me.holdings.state();
    let (network, action) = state.action(&key).ok_or_else(unknown)?;
    let records = me.holdings.ledger().acks(&network.id, &key);
    let (records, next) = super::slice(&records, &page, |it| it.ack.id.to_string())?;
    Ok(Json(WithReports {
        action: Action::of(network, action),
        overdue: action.overdue.iter().map(ToString::to_string).collect(),
        reports: records.iter().map(Report::of).collect(),
        next,
    }))
}

impl Report {
    fn of(record: &AckRecord) -> Self {
        let ack = &record.ack;
        Report {
            node_id: record.node_id.to_string(),
            pubkey: record.pubkey.to_string(),
            signal: record.signal.to_string(),
            ack: ack.id.to_string(),
            created_at: ack.created_at,
            action_at: ack.action_at,
            status: ack.status.as_str().to_owned(),
            error: ack.error.clone(),
        }
    }
}
