//! `DELETE /<sha256>` (BUD-12): a key gives up its claim to a blob, and the last claim takes the blob along.
//!
//! Invariant: the blob is the one that the path names. More `x` tags in the token are leave to delete others with it
//! elsewhere, and delete nothing here.

use super::{BLOB, hash_in};
use crate::BlossomPolicy;
use crate::auth::{self, Verb};
use crate::index::Released;
use crate::refusal::Refusal;
use crate::watch;
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use trellis_relay::extension::prelude::*;

pub(super) fn declare(api: &mut Api) {
    api.route(Method::DELETE, BLOB, delete)
        .summary("Give up a blob")
        .description("Signed by a token with `t` `delete` and the blob's `x`, or by NIP-98.")
        .answers_nothing(204)
        .fails(401, "A token is missing or not good for this.")
        .fails(403, "The blob is somebody else's.")
        .fails(404, "There is no such blob.");
}

async fn delete(request: HttpRequest, me: Current<BlossomPolicy>) -> Result<HttpResponse, Refusal> {
    let sha256 = hash_in(&request)?;
    let signer = auth::signer(&me, &request, Verb::Delete)?;
    signer.require(&sha256)?;
    match me.holdings.release(sha256, signer.pubkey).await? {
        Released::Removed(_) => {
            watch::removed("owner");
            Ok(HttpResponse::NoContent().finish())
        }
        Released::StillOwned(_) | Released::Kept(_) => Ok(HttpResponse::NoContent().finish()),
        Released::NotOwner => match me.holdings.index().blob(&sha256).await {
            Ok(Some(blob)) if !blob.is_hidden() => Err(Refusal::forbidden(
                "this blob is somebody else's; only whoever uploaded it can give it up",
            )),
            Ok(_) => Err(Refusal::NoBlob),
            Err(error) => Err(Refusal::inside(error)),
        },
    }
}
