//! `PUT /mirror` (BUD-04): a blob that is fetched from another server.
//!
//! Invariant: nobody is asked for a blob before its sender is known, counted and allowed to store; what comes goes the way of
//! every upload.

use crate::BlossomPolicy;
use crate::auth::{self, Verb};
use crate::blob::{Descriptor, MimeType};
use crate::intake::{self, Kept, Offering};
use crate::mirroring::{Origin, Source};
use crate::policy::Way;
use crate::rates;
use crate::refusal::Refusal;
use crate::watch;
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use trellis_relay::extension::prelude::*;

/// What is to be fetched.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "BlossomMirror")]
struct Wanted {
    /// Where it is: https.
    url: String,
}

pub(super) fn declare(api: &mut Api) {
    api.route(Method::PUT, "/mirror", put)
        .summary("Store a blob that another server has")
        .description(
            "Signed by a token of BUD-11 with `t` `upload` and the blob's `x`, or by NIP-98.",
        )
        .takes(|inputs| {
            inputs.body::<Wanted>();
        })
        .answers::<Descriptor>(201)
        .answers::<Descriptor>(200)
        .fails(400, "The URL is not one to be fetched.")
        .fails(401, "A token is missing or not good for this.")
        .fails(403, "The operator's rules do not allow it.")
        .fails(
            409,
            "The other server has another blob than was signed for.",
        )
        .fails(413, "The blob is too large.")
        .fails(
            415,
            "Blobs of this type are not stored, or it is of another type than is said.",
        )
        .fails(429, "Too many uploads, or the quota is used up.")
        .fails(502, "The other server does not give it.");
}

async fn put(
    request: HttpRequest,
    payload: web::Payload,
    me: Current<BlossomPolicy>,
) -> Result<HttpResponse, Refusal> {
    let result = mirror(&me, &request, payload).await;
    watch::uploaded("mirror", &result);
    Ok(result?.answer(&request))
}

async fn mirror(
    me: &BlossomPolicy,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Kept, Refusal> {
    let config = me.config();
    if !config.mirror.enabled {
        return Err(Refusal::Off);
    }
    let (signer, body) = auth::signer_of_body(me, request, payload, Verb::Upload).await?;
    let place = intake::count(me, request, &signer)?;
    // Servers that are slow on purpose leave places for uploads.
    let _mirror = me.mirrors.take(&rates::address(request)?)?;
    let wanted: Wanted = serde_json::from_slice(&body).map_err(|_| {
        Refusal::bad_request(
            "the body must be JSON with the blob's URL: {\"url\": \"https://...\"}",
        )
    })?;
    let source = Source::read(&wanted.url, config.mirror.https_only)?;
    let mut offering = Offering {
        way: Way::Mirror,
        request,
        signer: &signer,
        declared: None,
        size_bytes: None,
        announced: None,
    };
    let terms = intake::judge(me, &offering).await?;
    if source
        .sha256()
        .is_some_and(|hash| me.block_lists.is_blocked(hash.as_bytes(), None, None))
    {
        return Err(Refusal::Blocked);
    }
    let origin = Origin::ask(&me.strangers, source, &config.mirror, terms.max_bytes).await?;
    offering.size_bytes = origin.size_bytes();
    offering.declared =
        origin.mime_type(|it| *it != MimeType::OCTET_STREAM || config.encrypted.allow);
    let admitted = intake::admit_counted(me, offering, place).await?;
    let spooled = origin.receive(&me.spool, admitted.receive(me)).await?;
    intake::keep(me, admitted, spooled).await
}
