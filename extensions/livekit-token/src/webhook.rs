//! `POST /webhook/livekit`: LiveKit tells what happens in its rooms.
//!
//! Invariant: nothing is believed that LiveKit has not signed, for this very body and for now; an event that comes again
//! changes nothing, and one that could not be dealt with is answered 503, so that LiveKit sends it again. What was begun is
//! gone through with, though LiveKit may not wait for the answer. No answer and no log says what was in it.

mod event;
mod seen;
mod signature;
#[cfg(test)]
mod tests;

pub(crate) use seen::Seen;

use crate::failure::{Code, Failure, Whose};
use crate::{LivekitToken, porter, watch};
use actix_web::http::Method;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use event::WebhookEvent;
use porter::Trouble;
use seen::Begun;
use trellis_relay::extension::prelude::*;

/// Declares the route.
pub(crate) fn declare(api: &mut Api) {
    api.route(Method::POST, "/webhook/livekit", receive)
        .summary("LiveKit tells what happens in its rooms")
        .description("Signed by LiveKit; for `webhook.urls` of its configuration.")
        .takes(|inputs| {
            inputs.header("Authorization", "LiveKit's JSON Web Token for this body");
            inputs.body_of("application/webhook+json");
        })
        .answers_nothing(200)
        .fails(401, "LiveKit has not signed this body, or not lately.")
        .fails(503, "It could not be dealt with now; send it again.");
}

async fn receive(
    me: Current<LivekitToken>,
    request: HttpRequest,
    body: Bytes,
) -> Result<HttpResponse, Failure> {
    let token = request.headers().get(AUTHORIZATION);
    let token = token.and_then(|value| value.to_str().ok()).unwrap_or("");
    let (settings, now_s) = (me.settings(), me.host.clock().now_s());
    signature::check(&settings, token, &body, now_s).inspect_err(|_| {
        watch::webhook("", "forged");
    })?;
    // What LiveKit says is taken as far as it is understood.
    let Ok(event) = serde_json::from_slice::<WebhookEvent>(&body) else {
        watch::webhook("", "taken");
        return Ok(HttpResponse::Ok().finish());
    };
    let dealing = match me.webhooks.begin(&event.id) {
        Begun::New(dealing) => dealing,
        Begun::UnderWay => return Err(unfinished()),
        Begun::Done => {
            watch::webhook(&event.event, "repeated");
            return Ok(HttpResponse::Ok().finish());
        }
    };
    let me = me.into_inner();
    let dealt = tokio::spawn(async move {
        act(&me, &event).await.inspect_err(|trouble| {
            tracing::warn!("a webhook could not be dealt with: {trouble}");
        })?;
        dealing.done();
        watch::webhook(&event.event, "taken");
        Ok::<(), Trouble>(())
    });
    match dealt.await {
        Ok(Ok(())) => Ok(HttpResponse::Ok().finish()),
        Ok(Err(_)) | Err(_) => Err(unfinished()),
    }
}

fn unfinished() -> Failure {
    let text = "this cannot be dealt with now; send it again";
    Failure::new(Code::LivekitUnavailable, text)
}

async fn act(me: &LivekitToken, event: &WebhookEvent) -> Result<(), Trouble> {
    let Some(room) = event.room() else {
        return Ok(());
    };
    porter::ask_about(me, &room).await;
    match (&*event.event, event.session()) {
        ("room_finished", _) => return porter::finished(me, &room).await,
        ("participant_joined", Some(session)) => porter::joined(me, &room, &session).await?,
        ("participant_left" | "participant_connection_aborted", Some(session))
            if porter::is_ours(me, &room) =>
        {
            porter::left(me, &room, &session.sid).await;
        }
        _ => {}
    }
    match event.is_recorded() {
        true => porter::close_recorded(me, &room).await,
        false => Ok(()),
    }
}

fn forged() -> Failure {
    Failure::new(
        Code::InvalidSignature(Whose::Header),
        "the Authorization header must be LiveKit's token for this body",
    )
}
