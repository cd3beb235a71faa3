//! `/networks/{network}/report`: each action in numbers, for reports to people.

use super::csv::{Row, cell};
use super::{Listing, Reader, find};
use crate::QubeCoordination;
use actix_web::web::Path;
use trellis_qube_protocol::ActionState;
use trellis_relay::extension::http::Api;
use trellis_relay::extension::prelude::*;

/// An action in numbers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Line {
    /// Its key.
    key: String,
    /// "upgrade" or "reboot".
    action: String,
    /// Without a leading v.
    version: String,
    /// How far it is.
    status: String,
    /// When the first vote was signed. Unix seconds.
    first_at: u64,
    /// When enough agreed. Unix seconds.
    quorum_at: Option<u64>,
    /// From the first vote to the quorum. Seconds.
    quorum_after_s: Option<u64>,
    /// Developers whose vote stands.
    votes: usize,
    /// Developers who ever voted for it.
    ever_voted: usize,
    /// Nodes that are expected to report on it.
    expected: usize,
    /// Nodes whose newest report says success.
    success: usize,
    /// Nodes whose newest report says failure.
    failure: usize,
    /// Expected nodes that have not reported.
    missing: usize,
    /// Nodes that should have reported by now.
    overdue: usize,
    /// Success among those that have reported. Percent, rounded down.
    success_percent: Option<usize>,
}

pub(super) fn declare(api: &mut Api) {
    api.get("/networks/{network}/report", list)
        .summary("Actions in numbers, newest first")
        .answers::<PageOf<Line>>(200)
        .fails(404, "There is no such network.");
}

async fn list(
    me: Current<QubeCoordination>,
    reader: Reader,
    network: Path<String>,
    page: Page<100, 1_000>,
) -> Result<Listing<Line>, ApiError> {
    let found = find(&me, &network)?;
    let actions: Vec<&ActionState> = found.network()?.actions.iter().collect();
    let (actions, next) = super::slice(&actions, &page, |it| it.key.to_string())?;
    Ok(reader.list(actions.into_iter().map(Line::of).collect(), next))
}

impl Line {
    fn of(action: &ActionState) -> Self {
        let reported = action.acks.total();
        Line {
            key: action.key.to_string(),
            action: action.directive.action.kind().as_str().to_owned(),
            version: action.directive.version.to_string(),
            status: action.status.as_str().to_owned(),
            first_at: action.first_at,
            quorum_at: action.quorum_at,
            quorum_after_s: action
                .quorum_at
                .map(|at| at.saturating_sub(action.first_at)),
            votes: action.votes.len(),
            ever_voted: action.ever_voted.len(),
            expected: action.expected,
            success: action.acks.success,
            failure: action.acks.failure,
            missing: action.expected.saturating_sub(reported),
            overdue: action.overdue.len(),
            success_percent: (action.acks.success * 100).checked_div(reported),
        }
    }
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] = &[
        "key",
        "action",
        "version",
        "status",
        "first_at",
        "quorum_at",
        "quorum_after_s",
        "votes",
        "ever_voted",
        "expected",
        "success",
        "failure",
        "missing",
        "overdue",
        "success_percent",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.key.clone(),
            self.action.clone(),
            self.version.clone(),
            self.status.clone(),
            self.first_at.to_string(),
            cell(&self.quorum_at),
            cell(&self.quorum_after_s),
            self.votes.to_string(),
            self.ever_voted.to_string(),
            self.expected.to_string(),
            self.success.to_string(),
            self.failure.to_string(),
            self.missing.to_string(),
            self.overdue.to_string(),
            cell(&self.success_percent),
        ]
    }
}
