//! What stands before every look at events, whatever the verb: reading the filters, limits, access, `request` hooks.

use crate::config::Config;
use crate::extension::{Access, AccessRequest, Narrowed, Verb, Viewer};
use crate::filter::{Filter, FilterLimits};
use crate::reason::Reason;
use crate::session::Session;
use futures_util::future::LocalBoxFuture;
use serde_json::value::RawValue;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One look at the filters of a message. Looks are in the order in which they were begun, and each filter in each look has
/// a number of its own in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Look(u64);

impl Look {
    /// Begins one.
    pub(crate) fn at(filters: &[Filter]) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Look(NEXT.fetch_add(filters.len().max(1) as u64, Relaxed))
    }

    /// The number under which hooks are asked about the filter at this place of the message.
    fn request_id(self, place: usize) -> u64 {
        self.0 + place as u64
    }
}

/// Reads the filters of a message.
pub(super) fn read_filters(session: &Session, raw: &[&RawValue]) -> Result<Rc<[Filter]>, Reason> {
    let config = session.worker.config();
    let max = config.limitation.max_filters as usize;
    if raw.len() > max {
        return Err(Reason::invalid(format!(
            "{} filters in one message, at most {max} are allowed",
            raw.len()
        )));
    }
    let limits = FilterLimits {
        values: config.limitation.max_filter_values as usize,
    };
    raw.iter()
        .map(|filter| {
            let filter = Filter::parse_raw(filter, &limits)
                .map_err(|error| Reason::invalid(error.to_string()))?;
            match filter.search {
                Some(_) => Err(Reason::unsupported("this relay does not search (NIP-50)")),
                None => Ok(filter),
            }
        })
        .collect()
}

/// Asks the core's rules and then the extensions what of the filters the viewer may see. What is narrowed here is a
/// courtesy that saves work; `visibility` protects.
pub(super) fn narrow(
    session: &Session,
    verb: Verb,
    original: &[Filter],
    look: Look,
) -> Result<Arc<[Narrowed]>, Reason> {
    let config = session.worker.config();
    let viewer = session.viewer();
    let policy = session.worker.access();
    if !policy.is_open() {
        policy
            .may_req(viewer.ip(), viewer.pubkeys())
            .map_err(Reason::from)?;
    }
    let hooks = session.worker.hooks();
    original
        .iter()
        .enumerate()
        .map(|(place, filter)| {
            let mut filter = filter.clone();
            protect(&mut filter, &config, &viewer)?;
            hooks.request_again(look.request_id(place), &viewer, verb, filter)
        })
        .collect()
}

/// Private kinds (`[protection]`): a filter for nothing else needs a key, and finds what is addressed to it.
fn protect(filter: &mut Filter, config: &Config, viewer: &Viewer) -> Result<(), Reason> {
    let protected = &config.protection.read_protected_kinds;
    let only_protected = filter
        .kinds
        .as_ref()
        .is_some_and(|kinds| !kinds.is_empty() && kinds.iter().all(|k| protected.contains(*k)));
    if !only_protected {
        return Ok(());
    }
    if viewer.pubkeys().is_empty() {
        return Err(Reason::auth_required(
            "these kinds are shown to their recipients only; authenticate (NIP-42)",
        ));
    }
    let own: Vec<String> = viewer.pubkeys().iter().map(|key| key.to_hex()).collect();
    let recipients = filter.tags.entry(b'p').or_insert_with(|| own.clone());
    recipients.retain(|key| own.contains(key));
    filter.normalize();
    Ok(())
}

/// Async `request` hooks load what `request` and `deliver` will need; none where no extension has any for these filters.
/// Where the extensions change meanwhile, those in force at the end have been asked. `is_again` tells them that the
/// filters are of a subscription that is open.
pub(super) fn load(
    session: &Rc<Session>,
    verb: Verb,
    filters: &Rc<[Filter]>,
    is_again: bool,
) -> Option<Loading> {
    let (mut generation, mut answer) = ask(session, verb, filters, is_again)?;
    let (session, filters) = (session.clone(), filters.clone());
    Some(Box::pin(async move {
        loop {
            let answered = answer.await;
            // Who was switched on meanwhile has not been asked, and who was replaced may have been cut off.
            if session.worker.hooks().generation() == generation {
                return answered;
            }
            match ask(&session, verb, &filters, is_again) {
                Some(again) => (generation, answer) = again,
                None => return (Look::at(&filters), Ok(())),
            }
        }
    }))
}

/// What came of [`load`], whether or not there was anybody to ask.
pub(super) async fn loaded(loading: Option<Loading>, filters: &[Filter]) -> Loaded {
    match loading {
        Some(loading) => loading.await,
        None => (Look::at(filters), Ok(())),
    }
}

/// Asks the async hooks in force now, and says which generation they are of.
fn ask(
    session: &Session,
    verb: Verb,
    filters: &[Filter],
    is_again: bool,
) -> Option<(u64, Loading)> {
    let hooks = session.worker.hooks();
    let asked: Vec<(usize, Filter)> = filters
        .iter()
        .enumerate()
        .filter(|(_, filter)| hooks.wants_request_async(filter))
        .map(|(place, filter)| (place, filter.clone()))
        .collect();
    if asked.is_empty() {
        return None;
    }
    let viewer = session.viewer();
    let generation = hooks.generation();
    let look = Look::at(filters);
    let answer = async move {
        for (place, filter) in asked {
            let request = AccessRequest {
                request_id: look.request_id(place),
                viewer: viewer.clone(),
                verb,
                is_again,
                filter: Arc::new(filter),
            };
            if let Access::Close(reason) = hooks.request_async(request).await {
                return (look, Err(reason));
            }
        }
        (look, Ok(()))
    };
    Some((generation, Box::pin(answer)))
}

/// What [`load`] waits for.
pub(super) type Loading = LocalBoxFuture<'static, Loaded>;

/// The look that is to be gone on with, unless it was refused.
pub(super) type Loaded = (Look, Result<(), Reason>);
