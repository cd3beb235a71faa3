//! The methods that ban, allow and block.
//!
//! Invariant: `true` is answered when the decision is durable and in force; what it asks to be removed may still be on its
//! way out.

use super::params::Params;
use crate::decisions::{Decision, subject};
use crate::moderation::{Moderation, Row, Standing, Subject, Verdict};
use crate::moderator;
use crate::relay::Relay;
use crate::store::{Cause, Write};
use crate::writer::{Origin, Submission};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::oneshot;

type Answer = Result<Value, String>;

pub(super) async fn ban_pubkey(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let key = params.pubkey(0)?;
    if key == relay.keys.public_key() {
        return Err(params.wrong(0, "somebody else's key; this one is the relay's own"));
    }
    let subject = Subject::Pubkey(key);
    let standing = Standing {
        verdict: Verdict::Denied,
        reason: params.reason(1)?,
        to_purge: true,
    };
    decide(relay, params, subject, standing).await
}

pub(super) async fn unban_pubkey(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let key = params.pubkey(0)?;
    let reason = params.reason(1)?;
    take_back(relay, params, Subject::Pubkey(key), &reason, move |now| {
        now.banned_pubkeys.contains(&key)
    })
    .await
}

pub(super) async fn allow_pubkey(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let subject = Subject::Pubkey(params.pubkey(0)?);
    decide(relay, params, subject, allowed(params.reason(1)?)).await
}

pub(super) async fn unallow_pubkey(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let key = params.pubkey(0)?;
    let reason = params.reason(1)?;
    let listed = !relay.moderation().allowed_pubkeys.is_empty();
    let answer = take_back(relay, params, Subject::Pubkey(key), &reason, move |now| {
        now.allowed_pubkeys.contains(&key)
    })
    .await;
    if listed && relay.moderation().allowed_pubkeys.is_empty() {
        tracing::warn!("the list of allowed public keys is empty now, and keeps nobody out");
    }
    answer
}

pub(super) async fn ban_event(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let id = params.event_id(0)?;
    decide(relay, params, Subject::Event(id), denied(params.reason(1)?)).await?;
    let (reply, answer) = oneshot::channel();
    let submission = Submission {
        write: Write::Remove(id, Cause::Admin),
        origin: Origin::Internal(Some(reply)),
        permit: None,
    };
    let stopping = || "the relay is stopping".to_owned();
    relay.writer.submit(submission).map_err(|_| stopping())?;
    answer.await.map_err(|_| stopping())?;
    match relay.store.contains(&id) {
        Ok(false) => Ok(json!(true)),
        _ => Err(
            "the event is refused from now on, but the stored one is kept: an extension guards it"
                .to_owned(),
        ),
    }
}

pub(super) async fn allow_event(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let subject = Subject::Event(params.event_id(0)?);
    decide(relay, params, subject, allowed(params.reason(1)?)).await
}

/// Makes sure that a kind is taken; never keeps another one out.
pub(super) async fn allow_kind(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let kind = params.kind(0)?;
    let reason = params.reason(1)?;
    let noted = noted(relay, params, &subject::kinds(&[kind]), &reason);
    let change = moderator::change(relay, Some(noted), move |now| {
        if now.takes_kind(kind) {
            return Vec::new();
        }
        let listed = (!now.allowed_kinds.is_empty()).then(|| allowed(reason));
        vec![Row::of(&Subject::Kind(kind), listed.as_ref())]
    });
    done(change.await)
}

/// Makes sure that a kind is not taken; never lets another one in.
pub(super) async fn disallow_kind(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let kind = params.kind(0)?;
    let now = relay.moderation();
    if now.allowed_kinds.len() == 1 && now.allowed_kinds.contains(kind) {
        return Err(format!(
            "kind {kind} is the only one that is allowed, and without it every other would be let in; call \
             allowonlykinds with those that shall be allowed"
        ));
    }
    decide(
        relay,
        params,
        Subject::Kind(kind),
        denied(params.reason(1)?),
    )
    .await
}

/// Lets no other kinds in than these; `"all"` ends the list. Additions come first, so that a crash between two batches of
/// the store never leaves a list that lacks a kind of both the old one and the new one.
pub(super) async fn allow_only_kinds(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    if params.len() == 0 {
        return Err(
            "allowonlykinds takes at least one kind; [\"all\"] ends the list and lets every kind in"
                .to_owned(),
        );
    }
    // Some clients send kinds as text, and a kind with a slip of the pen must not be taken for a reason.
    let last = params.len() - 1;
    let said = params.value(last).as_str().filter(|_| last > 0);
    let is_reason =
        |said: &str| said != "all" && said.trim_start().starts_with(char::is_alphabetic);
    let (named, reason) = match said.is_some_and(is_reason) {
        true => (last, params.reason(last)?),
        false => (last + 1, String::new()),
    };
    let wanted: BTreeSet<u16> = match named {
        1 if params.value(0) == "all" => BTreeSet::new(),
        many => (0..many)
            .map(|at| params.kind(at))
            .collect::<Result<_, String>>()?,
    };
    let kinds: Vec<u16> = wanted.iter().copied().collect();
    let about = match kinds.is_empty() {
        true => "kinds:all".to_owned(),
        false => subject::kinds(&kinds),
    };
    let noted = noted(relay, params, &about, &reason);
    let change = moderator::change(relay, Some(noted), move |now| {
        let dropped = now
            .allowed_kinds
            .iter()
            .filter(|kind| !wanted.contains(kind));
        let dropped = dropped.map(|kind| Row::of(&Subject::Kind(kind), None));
        let standing = allowed(reason);
        let listed = wanted
            .iter()
            .map(|kind| Row::of(&Subject::Kind(*kind), Some(&standing)));
        listed.chain(dropped).collect()
    });
    done(change.await)
}

pub(super) async fn block_address(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let subject = Subject::Address(params.address(0)?);
    decide(relay, params, subject, denied(params.reason(1)?)).await
}

pub(super) async fn unblock_address(relay: &Arc<Relay>, params: &Params<'_>) -> Answer {
    let range = params.address(0)?;
    let reason = params.reason(1)?;
    let subject = Subject::Address(range);
    take_back(relay, params, subject, &reason, move |now| {
        now.blocked_addresses.has(&range)
    })
    .await
}

fn allowed(reason: String) -> Standing {
    Standing {
        verdict: Verdict::Allowed,
        reason,
        to_purge: false,
    }
}

fn denied(reason: String) -> Standing {
    Standing {
        verdict: Verdict::Denied,
        ..allowed(reason)
    }
}

async fn decide(
    relay: &Arc<Relay>,
    params: &Params<'_>,
    subject: Subject,
    standing: Standing,
) -> Answer {
    let noted = noted(relay, params, &told(&subject), &standing.reason);
    let change = moderator::change(relay, Some(noted), move |_| {
        vec![Row::of(&subject, Some(&standing))]
    });
    done(change.await)
}

/// Takes a decision back where it is the one that is meant.
async fn take_back(
    relay: &Arc<Relay>,
    params: &Params<'_>,
    subject: Subject,
    reason: &str,
    is_meant: impl FnOnce(&Moderation) -> bool + 'static,
) -> Answer {
    let noted = noted(relay, params, &told(&subject), reason);
    let change = moderator::change(relay, Some(noted), move |now| {
        let row = is_meant(now).then(|| Row::of(&subject, None));
        row.into_iter().collect()
    });
    done(change.await)
}

/// What the log of decisions is told of a call.
fn noted(relay: &Relay, params: &Params<'_>, subject: &str, reason: &str) -> Decision {
    let now_s = relay.clock.now_s();
    Decision::new(now_s, "management", params.method(), subject, reason)
}

/// A subject as the log of decisions names it.
fn told(subject: &Subject) -> String {
    match subject {
        Subject::Pubkey(key) => subject::pubkey(key),
        Subject::Event(id) => subject::event(id),
        Subject::Kind(kind) => subject::kinds(&[*kind]),
        Subject::Address(_) => subject::ADDRESS.to_owned(),
    }
}

/// `true`, as NIP-86 has it, or what is wrong.
pub(super) fn done(changed: Result<(), moderator::ChangeError>) -> Answer {
    match changed {
        Ok(()) => Ok(json!(true)),
        Err(error) => Err(error.to_string()),
    }
}
