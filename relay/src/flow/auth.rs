//! AUTH (NIP-42): a challenge on connect, and what follows when a client has answered it.

use super::event::admissions_done;
use crate::event::{Event, peek_id};
use crate::nips::nip42::{self, Expected};
use crate::reason::Reason;
use crate::session::{Session, Wait};
use crate::wire::RelayMessage;
use serde_json::value::RawValue;
use std::rc::Rc;

/// Sends the challenge. It is good for the whole connection, and several keys may answer it.
pub(crate) fn greet(session: &Session) {
    session.send(RelayMessage::Auth(&const_hex::encode(session.challenge)));
}

/// Checks an answer to the challenge; on success later messages act for the key as well.
pub fn authenticate(session: &Rc<Session>, raw: &RawValue) -> Option<Wait> {
    if let Some(wait) = admissions_done(session) {
        let (session, raw) = (session.clone(), raw.to_owned());
        return Some(Box::pin(async move {
            wait.await;
            if let Some(wait) = answer(&session, &raw) {
                wait.await;
            }
        }));
    }
    answer(session, raw)
}

fn answer(session: &Rc<Session>, raw: &RawValue) -> Option<Wait> {
    let json = raw.get().as_bytes();
    let event = match Event::parse(json) {
        Ok(event) => event,
        Err(error) => {
            let reason = Reason::invalid(error.to_string());
            match peek_id(json) {
                Some(id) => session.send(RelayMessage::Ok {
                    id: &id,
                    accepted: false,
                    reason: Some(&reason),
                }),
                None => session.send(RelayMessage::Notice(&reason)),
            }
            return None;
        }
    };
    if let Err(reason) = check(session, &event) {
        metrics::counter!("trellis_auth_failures_total", "reason" => reason.prefix.as_str())
            .increment(1);
        ok(session, &event, Some(&reason));
        return None;
    }
    session.add_pubkey(*event.pubkey());
    // OK says that the open subscriptions give what the key may see.
    let Some(narrowed) = super::narrowing::narrow_again(session) else {
        ok(session, &event, None);
        return None;
    };
    let session = session.clone();
    Some(Box::pin(async move {
        narrowed.await;
        ok(&session, &event, None);
    }))
}

fn ok(session: &Session, event: &Event, reason: Option<&Reason>) {
    session.send(RelayMessage::Ok {
        id: event.id(),
        accepted: reason.is_none(),
        reason,
    });
}

fn check(session: &Session, event: &Event) -> Result<(), Reason> {
    let config = session.worker.config();
    let challenge = const_hex::encode(session.challenge);
    let Some(relay) = session.relay_address(&config) else {
        return Err(Reason::restricted(NO_ADDRESS));
    };
    let expected = Expected {
        challenge: &challenge,
        relay,
        now: session.worker.relay.clock.now_s(),
    };
    nip42::check(event, &expected)?;
    event
        .verify()
        .map_err(|error| Reason::invalid(error.to_string()))?;
    let viewer = session.viewer();
    if viewer.pubkeys().len() >= MAX_PUBKEYS && !viewer.is(event.pubkey()) {
        return Err(Reason::restricted(format!(
            "a connection may authenticate at most {MAX_PUBKEYS} keys"
        )));
    }
    Ok(())
}

const NO_ADDRESS: &str = "this relay does not know its own address, so nobody can authenticate; its operator must set \
                          network.relay_url";

/// Keys that may authenticate on one connection: bots that act for many people open several connections.
const MAX_PUBKEYS: usize = 64;
