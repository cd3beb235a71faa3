//! The HTTP routes: what the relay knows of the fleet, for programs, as JSON or CSV.
//!
//! Invariant: nothing is shown that cannot be asked for by REQ or computed from it; what strangers have written (node ids,
//! errors) is quoted as the format wants it. Answers are bounded by their pages, and how often one address asks by the
//! operator.

mod acks;
mod actions;
mod audit;
mod csv;
mod export;
mod fleet;
mod networks;
mod quorum;
mod reader;
mod report;
mod shapes;
mod signals;

pub(crate) use reader::{Listing, Reader};

use crate::QubeCoordination;
use crate::config::Settings;
use crate::dashboard;
use std::sync::Arc;
use trellis_qube_protocol::{FleetState, NetworkId, NetworkState};
use trellis_relay::extension::prelude::*;

/// Mounts the routes.
pub(crate) fn register(settings: &Settings, hooks: &mut Registrar<QubeCoordination>) {
    hooks.api(Mount::prefix(&settings.api_prefix), |api| {
        api.about(
            "The fleet: networks, the directives of their developers, the quorum behind them, and what nodes report. All of \
             it follows from signed events, which /audit/export gives as they were signed.",
        )
        .service_tokens(&settings.service_tokens);
        networks::declare(api);
        fleet::declare(api);
        signals::declare(api);
        quorum::declare(api);
        acks::declare(api);
        actions::declare(api);
        report::declare(api);
        audit::declare(api);
        export::declare(api);
        if settings.dashboard_path.is_some() {
            dashboard::declare_live(api);
        }
    });
}

/// The fleet, and one network's place in it.
struct Found {
    id: NetworkId,
    state: Arc<FleetState>,
}

impl Found {
    fn network(&self) -> Result<&NetworkState, ApiError> {
        self.state.network(&self.id).ok_or_else(unknown)
    }
}

/// The network that a path names.
fn find(me: &QubeCoordination, name: &str) -> Result<Found, ApiError> {
    let id: NetworkId = name.parse().map_err(|_| unknown())?;
    match me.networks.contains_key(&id) {
        true => Ok(Found {
            id,
            state: me.holdings.state(),
        }),
        false => Err(unknown()),
    }
}

fn unknown() -> ApiError {
    ApiError::not_found("there is no such network here; GET /networks lists those there are")
}

fn bad_cursor() -> ApiError {
    ApiError::bad_request("cursor must be the `next` of a page before; leave it out to begin anew")
}

/// The part of a list that a page asks for, and the cursor of the next. A cursor names the last item and its number: where
/// that item is gone, the list goes on at the number.
fn slice<T: Clone, const D: usize, const M: usize>(
    all: &[T],
    page: &Page<D, M>,
    name: impl Fn(&T) -> String,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let after: Option<String> = page.after_as()?;
    let begin = match after
        .as_deref()
        .map(|it| it.split_once('/').unwrap_or((it, "")))
    {
        None => 0,
        Some((number, last)) => {
            let number: usize = number.parse().map_err(|_| bad_cursor())?;
            let found = all.iter().position(|item| name(item) == last);
            found.map_or(number, |at| at + 1).min(all.len())
        }
    };
    let found: Vec<T> = all[begin..].iter().take(page.fetch()).cloned().collect();
    let end = begin + found.len().min(page.limit());
    let page = page.of(found, |last| {
        format!("{}/{}", end.saturating_sub(1), name(last))
    });
    Ok((page.items, page.next))
}
