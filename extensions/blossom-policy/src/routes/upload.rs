//! `PUT /upload` (BUD-02), and `HEAD /upload`, which decides the same of what will be sent (BUD-06).
//!
//! Invariant: of who may not upload nothing is read but the little that lets them hear so.

use crate::BlossomPolicy;
use crate::auth::{self, Signer, Verb};
use crate::blob::{BlobHash, Descriptor, MimeType};
use crate::intake::{self, Kept, Offering};
use crate::policy::Way;
use crate::refusal::Refusal;
use crate::watch;
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use std::time::Duration;
use trellis_relay::extension::prelude::*;

/// So much is read of what is refused: clients send before they listen, and what is cut off they take for a broken line.
const DRAINED_BYTES: usize = 1 << 20;
const DRAINED_IN: Duration = Duration::from_secs(2);

/// Where the size and the type are told.
#[derive(Clone, Copy)]
struct Headers {
    size: &'static str,
    mime_type: &'static str,
}

/// Of the body of a request.
const OF_BODY: Headers = Headers {
    size: "content-length",
    mime_type: "content-type",
};
/// Of a body that is to come (BUD-06).
const TO_COME: Headers = Headers {
    size: "x-content-length",
    mime_type: "x-content-type",
};

pub(super) fn declare(api: &mut Api) {
    api.route(Method::PUT, "/upload", put)
        .summary("Store a blob")
        .description("Signed by a token of BUD-11 with `t` `upload` and the blob's `x`, or by NIP-98 with `payload`.")
        .takes(|inputs| {
            inputs.header("X-SHA-256", "What the body hashes to, if that is known before.");
            inputs.body_of("application/octet-stream");
        })
        .answers::<Descriptor>(201)
        .answers::<Descriptor>(200)
        .fails(401, "A token is missing or not good for this.")
        .fails(403, "The operator's rules do not allow it.")
        .fails(409, "X-SHA-256 is another hash than the body's.")
        .fails(411, "Content-Length is missing.")
        .fails(413, "The blob is too large.")
        .fails(415, "Blobs of this type are not stored, or it is of another type than is said.")
        .fails(429, "Too many uploads, or the quota is used up.")
        .fails(507, "The server is full.");
    api.route(Method::HEAD, "/upload", head)
        .summary("Whether a blob would be stored")
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
    watch::uploaded("upload", &result);
    Ok(result?.answer(&request))
}

async fn head(request: HttpRequest, me: Current<BlossomPolicy>) -> Result<HttpResponse, Refusal> {
    look(&me, &request, Way::Upload, Verb::Upload).await
}

async fn receive(
    me: &BlossomPolicy,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Kept, Refusal> {
    let (admitted, payload) = admit(me, request, payload, Way::Upload, Verb::Upload).await?;
    let spooled = me.spool.receive(payload, &admitted.receive(me)).await?;
    intake::keep(me, admitted, spooled).await
}

/// Leave to send the body of a request, and the body, unread. The body of whoever gets none is done with.
pub(super) async fn admit(
    me: &BlossomPolicy,
    request: &HttpRequest,
    payload: web::Payload,
    way: Way,
    verb: Verb,
) -> Result<(intake::Admitted, web::Payload), Refusal> {
    let admitted = async {
        let signer = auth::signer_of_blob(me, request, verb).await?;
        let offering = offering(request, &signer, way, OF_BODY)?;
        intake::admit(me, offering).await
    };
    match admitted.await {
        Ok(admitted) => Ok((admitted, payload)),
        Err(refusal) => {
            drain(payload).await;
            Err(refusal)
        }
    }
}

/// What would be said to a blob with these headers: nothing but yes, or why not.
pub(super) async fn look(
    me: &BlossomPolicy,
    request: &HttpRequest,
    way: Way,
    verb: Verb,
) -> Result<HttpResponse, Refusal> {
    let signer = auth::signer(me, request, verb)?;
    let offering = offering(request, &signer, way, TO_COME)?;
    match intake::look_at(me, &offering).await {
        Ok(()) => Ok(HttpResponse::Ok().finish()),
        Err(Refusal::NoLength(_)) => Err(Refusal::NoLength("X-Content-Length")),
        Err(refusal) => Err(refusal),
    }
}

/// What the headers say.
fn offering<'r>(
    request: &'r HttpRequest,
    signer: &'r Signer,
    way: Way,
    headers: Headers,
) -> Result<Offering<'r>, Refusal> {
    let text = |name: &str| -> Result<Option<&'r str>, Refusal> {
        let found = request.headers().get(name).map(|value| value.to_str());
        found
            .transpose()
            .map_err(|_| Refusal::bad_request(format!("{name} cannot be read")))
    };
    let size_bytes = text(headers.size)?.map(|found| {
        let is_number = found.bytes().all(|byte| byte.is_ascii_digit());
        let size_bytes = found.parse().ok().filter(|_| is_number);
        size_bytes.ok_or_else(|| {
            Refusal::bad_request(format!("{} must be a number of bytes", headers.size))
        })
    });
    let declared = text(headers.mime_type)?.map(|found| {
        MimeType::parse(found).ok_or_else(|| {
            let problem = format!("{} must be a type such as image/png", headers.mime_type);
            Refusal::Type(problem.into())
        })
    });
    let announced = text("x-sha-256")?.map(|found| {
        found.parse::<BlobHash>().map_err(|_| {
            Refusal::bad_request("X-SHA-256 must be a sha256: 64 hex digits in lower case")
        })
    });
    Ok(Offering {
        way,
        request,
        signer,
        declared: declared.transpose()?,
        size_bytes: size_bytes.transpose()?,
        announced: announced.transpose()?,
    })
}

/// Reads a little of a body that nobody wants, so that the client gets to hear why.
pub(super) async fn drain(mut payload: web::Payload) {
    let drain = async {
        let mut left_bytes = DRAINED_BYTES;
        while let Some(Ok(chunk)) = payload.next().await {
            left_bytes = left_bytes.saturating_sub(chunk.len());
            if left_bytes == 0 {
                return;
            }
        }
    };
    // Whoever is slower hears it or not.
    let _ = tokio::time::timeout(DRAINED_IN, drain).await;
}
