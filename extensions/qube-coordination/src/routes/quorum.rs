//! `/networks/{network}/quorum`: actions, and who has agreed to them.

use super::shapes::Action;
use super::{Listing, Reader, find};
use crate::QubeCoordination;
use actix_web::web::{Path, Query};
use trellis_qube_protocol::ActionStatus;
use trellis_relay::extension::http::Api;
use trellis_relay::extension::prelude::*;

/// Which actions.
#[derive(Debug, Deserialize, JsonSchema)]
struct Which {
    /// Only those that are so far: "proposed", "quorum", "completed", "partially_failed", "missed_deadline", "superseded"
    /// or "expired".
    status: Option<String>,
}

pub(super) fn declare(api: &mut Api) {
    api.get("/networks/{network}/quorum", list)
        .summary("Actions and the votes for them, newest first")
        .answers::<PageOf<Action>>(200)
        .fails(404, "There is no such network.");
}

async fn list(
    me: Current<QubeCoordination>,
    reader: Reader,
    network: Path<String>,
    which: Query<Which>,
    page: Page<50, 500>,
) -> Result<Listing<Action>, ApiError> {
    let found = find(&me, &network)?;
    let network = found.network()?;
    let wanted = which.status.as_deref().map(status).transpose()?;
    let actions: Vec<_> = network
        .actions
        .iter()
        .filter(|action| wanted.is_none_or(|it| it == action.status))
        .collect();
    let (actions, next) = super::slice(&actions, &page, |it| it.key.to_string())?;
    let items = actions.into_iter().map(|it| Action::of(network, it));
    Ok(reader.list(items.collect(), next))
}

fn status(word: &str) -> Result<ActionStatus, ApiError> {
    serde_json::from_value(word.into()).map_err(|_| {
        ApiError::bad_request(
            "status must be proposed, quorum, completed, partially_failed, missed_deadline, superseded or expired",
        )
    })
}
