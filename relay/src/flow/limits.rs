//! `[rate_limiter]` in the flows: what a client that does something too often is told.
//!
//! Invariant: where there is no rule nothing is locked. A message over the limit is refused with `rate-limited:`; bytes
//! over the limit were read already, so it is the next ones that have to wait, unless that takes too long for a
//! connection to stand still.

use crate::extension::Viewer;
use crate::filter::Filter;
use crate::rate_limit::{Action, Actor, Limited, Limits};
use crate::reason::Reason;
use crate::relay::Relay;
use crate::session::{CloseCause, Session, Wait};
use crate::wire::RelayMessage;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::PoisonError;
use std::time::Duration;

/// Whether the client may do this once more. `kinds` are those it is about, `None` where it is about all.
pub(crate) fn check(
    session: &Session,
    action: Action,
    kinds: Option<&[u16]>,
) -> Result<(), Reason> {
    if !action.has_rules(&session.worker.config().rate_limiter) {
        return Ok(());
    }
    let viewer = session.viewer();
    let (relay, actor) = (&session.worker.relay, actor(&viewer));
    with_limits(relay, |limits, now_ms| {
        limits
            .check(now_ms, action, actor, kinds)
            .map_err(|limited| refusal(action, limited).0)
    })
}

/// The same for a message with filters; one that cannot be read counts as asking for everything.
pub(crate) fn check_filters<F: AsRef<[Filter]>>(
    session: &Session,
    action: Action,
    filters: &Result<F, Reason>,
) -> Result<(), Reason> {
    if !action.has_rules(&session.worker.config().rate_limiter) {
        return Ok(());
    }
    let filters = filters.as_ref().map_or(&[][..], AsRef::as_ref);
    let kinds: Option<Vec<Vec<u16>>> = filters.iter().map(|filter| filter.kinds.clone()).collect();
    match kinds.filter(|kinds| !kinds.is_empty()) {
        Some(kinds) => check(session, action, Some(&kinds.concat())),
        None => check(session, action, None),
    }
}

/// Whether an address may open one more connection; else why not, and after how many seconds it may.
pub(crate) fn check_connection(relay: &Relay, ip: IpAddr) -> Result<(), (Reason, u64)> {
    let action = Action::Connection;
    if !action.has_rules(&relay.config().rate_limiter) {
        return Ok(());
    }
    with_limits(relay, |limits, now_ms| {
        limits
            .check(now_ms, action, Actor { ip, keys: &[] }, None)
            .map_err(|limited| refusal(action, limited))
    })
}

/// A connection stands still for at most so long before it is closed instead.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often it looks whether there is room.
const LOOK_EVERY_MS: u64 = 1_000;

/// Counts the bytes of a message that has come. Adds to what it waits for, where nothing more may come for now.
pub(crate) fn count_bytes(session: &Rc<Session>, bytes: usize, wait: Option<Wait>) -> Option<Wait> {
    if !Action::Bytes.has_rules(&session.worker.config().rate_limiter) {
        return wait;
    }
    let viewer = session.viewer();
    let relay = &session.worker.relay;
    with_limits(relay, |limits, now_ms| {
        limits.add_bytes(now_ms, actor(&viewer), bytes as u64);
    });
    if room(session).is_ok() {
        return wait;
    }
    let session = session.clone();
    Some(Box::pin(async move {
        if let Some(wait) = wait {
            wait.await;
        }
        pause(&session).await;
    }))
}

/// Ends a connection that has sent more although it would be long before it may. The message before was answered.
pub(crate) fn end_where_spent(session: &Session) -> bool {
    if !Action::Bytes.has_rules(&session.worker.config().rate_limiter) {
        return false;
    }
    match room(session) {
        Err((reason, retry_after_ms)) if is_long(retry_after_ms) => {
            session.send(RelayMessage::Notice(&reason));
            session.close(CloseCause::RateLimited);
            true
        }
        _ => false,
    }
}

/// Waits until further bytes may come, if that is soon enough to wait for.
async fn pause(session: &Session) {
    let started = tokio::time::Instant::now();
    while let Err((_, retry_after_ms)) = room(session) {
        let is_over = started.elapsed() >= LONGEST_PAUSE || is_long(retry_after_ms);
        if is_over || session.closing().is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(retry_after_ms.min(LOOK_EVERY_MS))).await;
        // It is the relay that does not listen.
        session.heard();
    }
}

fn is_long(retry_after_ms: u64) -> bool {
    u128::from(retry_after_ms) > LONGEST_PAUSE.as_millis()
}

fn room(session: &Session) -> Result<(), (Reason, u64)> {
    let viewer = session.viewer();
    with_limits(&session.worker.relay, |limits, now_ms| {
        limits.room(now_ms, actor(&viewer)).map_err(|limited| {
            let retry_after_ms = limited.retry_after_ms;
            (refusal(Action::Bytes, limited).0, retry_after_ms)
        })
    })
}

fn actor(viewer: &Viewer) -> Actor<'_> {
    Actor {
        ip: viewer.ip(),
        keys: viewer.pubkeys(),
    }
}

fn with_limits<T>(relay: &Relay, ask: impl FnOnce(&mut Limits, u64) -> T) -> T {
    let now_ms = relay.clock.monotonic().as_millis() as u64;
    let mut limits = relay.limits.lock().unwrap_or_else(PoisonError::into_inner);
    ask(&mut limits, now_ms)
}

/// Counts the refusal; the words for it, and the seconds until the next try.
fn refusal(action: Action, limited: Limited<'_>) -> (Reason, u64) {
    metrics::counter!("trellis_rate_limited_total", "rule" => limited.rule.to_owned()).increment(1);
    let retry_after_s = limited.retry_after_ms.div_ceil(1000);
    let reason = Reason::rate_limited(format!(
        "too many {} ({}); try again in {retry_after_s} s",
        action.plural(),
        limited.rule
    ));
    (reason, retry_after_s)
}
