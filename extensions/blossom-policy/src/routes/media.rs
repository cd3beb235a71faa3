//! `PUT /media` (BUD-05), which takes a picture's metadata out before it is stored, and `HEAD /media`.
//!
//! Invariant: what comes in is judged as every upload is, and what is made of it once more; the first is not kept. Pictures are
//! worked on in memory, so how long they may be (`media.max_bytes`) and how many of them at a time are bounded: a picture has
//! its turn for as long as it is in memory, whether or not anybody waits for it still.

use super::upload;
use crate::BlossomPolicy;
use crate::auth::Verb;
use crate::blob::Descriptor;
use crate::intake::{self, Kept};
use crate::policy::Way;
use crate::refusal::Refusal;
use crate::spool::{Receive, Spooled};
use crate::stripping::{StrippingError, strip};
use crate::watch;
use actix_web::http::Method;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use std::convert::Infallible;
use std::io::{self, Read as _};
use tokio::sync::{Semaphore, SemaphorePermit};
use trellis_relay::extension::prelude::*;

/// Pictures that are worked on at a time, whatever the number of relays in a process.
static TURNS: Semaphore = Semaphore::const_new(2);

pub(super) fn declare(api: &mut Api) {
    api.route(Method::PUT, "/media", put)
        .summary("Store a picture without its metadata")
        .description("Signed by a token of BUD-11 with `t` `media` and the body's `x`, or by NIP-98 with `payload`.")
        .takes(|inputs| {
            inputs.header("X-SHA-256", "What the body hashes to, if that is known before.");
            inputs.body_of("application/octet-stream");
        })
        .answers::<Descriptor>(201)
        .answers::<Descriptor>(200)
        .fails(401, "A token is missing or not good for this.")
        .fails(403, "The operator's rules do not allow it.")
        .fails(404, "This server stores files as they are alone.")
        .fails(413, "The picture is too large.")
        .fails(415, "It is no picture whose metadata can be removed.")
        .fails(422, "The picture is broken.");
    api.route(Method::HEAD, "/media", head)
        .summary("Whether a picture would be stored")
        .takes(|inputs| {
            inputs.header("X-SHA-256", "What it hashes to.");
            inputs.header("X-Content-Length", "Its bytes.");
            inputs.header("X-Content-Type", "Its type.");
        })
        .answers_nothing(200);
}

async fn put(
    request: HttpRequest,
    payload: web::Payload,
    me: Current<BlossomPolicy>,
) -> Result<HttpResponse, Refusal> {
    let result = receive(&me, &request, payload).await;
    watch::uploaded("media", &result);
    Ok(result?.answer(&request))
}

async fn head(request: HttpRequest, me: Current<BlossomPolicy>) -> Result<HttpResponse, Refusal> {
    match me.config().media.strip {
        true => upload::look(&me, &request, Way::Media, Verb::Media).await,
        false => Err(Refusal::Off),
    }
}

async fn receive(
    me: &BlossomPolicy,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Kept, Refusal> {
    if !me.config().media.strip {
        upload::drain(payload).await;
        return Err(Refusal::Off);
    }
    let (admitted, payload) = upload::admit(me, request, payload, Way::Media, Verb::Media).await?;
    let wanted = admitted.receive(me);
    let spooled = me.spool.receive(payload, &wanted).await?;
    admitted.check_hash(&spooled.sha256())?;
    let mime_type = intake::check(me, &admitted, &spooled).await?.mime_type;
    let (stripped, turn) = stripped(spooled, mime_type).await?;
    let wanted = Receive {
        declared_bytes: Some(stripped.len() as u64),
        ..wanted
    };
    let whole = stream::once(async { Ok::<_, Infallible>(stripped) });
    let spooled = me.spool.receive(whole, &wanted).await?;
    drop(turn);
    intake::keep_as_is(me, admitted, spooled).await
}

/// The picture alone, with the turn that it has until it is out of memory. What came in is removed, whatever becomes of it.
async fn stripped(
    spooled: Spooled,
    mime_type: String,
) -> Result<(Bytes, SemaphorePermit<'static>), Refusal> {
    let turn = TURNS.acquire().await.map_err(Refusal::inside)?;
    let work = move || -> io::Result<_> {
        let mut picture = Vec::with_capacity(usize::try_from(spooled.size_bytes()).unwrap_or(0));
        spooled.open()?.read_to_end(&mut picture)?;
        drop(spooled);
        // The work goes on where nobody waits for it any more, so the turn is its own.
        Ok((strip(&mime_type, picture.into()), turn))
    };
    let stripped = tokio::task::spawn_blocking(work).await;
    let (stripped, turn) = stripped
        .map_err(Refusal::inside)?
        .map_err(Refusal::inside)?;
    match stripped {
        Ok(stripped) => Ok((stripped, turn)),
        Err(error @ StrippingError::NoPicture) => Err(Refusal::Type(error.to_string().into())),
        Err(error @ StrippingError::Broken) => {
            Err(Refusal::Unprocessable(error.to_string().into()))
        }
    }
}
