//! Times and ids of the events of one filter that its viewer is shown.
//!
//! Invariant: nothing is found that a query would not show at that moment (`shown`). Not here: what is done with them.

use super::Refusal;
use crate::flow::count::Allowance;
use crate::flow::req::Filters;
use crate::flow::shown;
use crate::session::Session;
use crate::store::Position;

/// Finds them page by page, newest first, up to the filter's limit.
pub(super) async fn gather(
    session: &Session,
    filters: &Filters,
    take: &mut Take<'_>,
    clock: &mut Allowance,
) -> Result<(), Refusal> {
    let limit = filters[0].filter.limit.unwrap_or(usize::MAX);
    shown::each_page(session, filters, limit, clock, |found| {
        take(found.into_iter().map(|found| found.position).collect())
    })
    .await
}

/// Takes one page of what was found, or says why that is too much.
pub(super) type Take<'t> = dyn FnMut(Vec<Position>) -> Result<(), Refusal> + 't;
