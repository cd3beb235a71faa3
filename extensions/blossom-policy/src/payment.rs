//! Whether an upload has to be paid for (BUD-07): a service of the operator's is asked, which knows prices and money.
//!
//! The service gets a POST with JSON `{"pubkey", "size", "type", "proofs"}`. It answers with a status alone: 2xx, the blob may
//! come; 402, it has to be paid for, with `X-Cashu`, `X-Lightning` or other headers that clients understand; 400, the proof
//! of payment is none, with a sentence in `X-Reason`. Whatever else it says, or that it says nothing, refuses the upload.
//!
//! Invariant: it is told nothing of the blob's hash and of the address that it comes from.

use crate::BlossomPolicy;
use crate::intake::Offering;
use crate::policy::Way;
use crate::refusal::Refusal;
use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use trellis_relay::extension::HttpResponse;

/// The methods of payment whose headers are passed on, both ways.
const METHODS: [&str; 2] = ["x-cashu", "x-lightning"];
/// A request or a proof of payment has so many characters at most.
const PAYMENT_CHARS_MAX: usize = 8 << 10;

/// Whether the client may have paid by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// HEAD is asked before anybody pays.
    Ignored,
    /// The proof is passed on, and is used up by that.
    Taken,
}

/// Asks, where there is somebody to ask.
pub(crate) async fn ask(
    me: &BlossomPolicy,
    offering: &Offering<'_>,
    proof: Proof,
) -> Result<(), Refusal> {
    let payment = me.config().payment.clone();
    let Some(url) = &payment.url else {
        return Ok(());
    };
    let proofs = match proof {
        Proof::Ignored => Map::new(),
        Proof::Taken => proofs(offering.request),
    };
    let question = json!({
        "pubkey": offering.signer.pubkey.to_hex(),
        "route": match offering.way {
            Way::Upload => "upload",
            Way::Media => "media",
            Way::Mirror => "mirror",
        },
        "size": offering.size_bytes,
        "type": offering.declared.as_ref().map(|it| it.as_str()),
        "proofs": proofs,
    });
    let mut request = me.host.http_client().post(url).json(&question);
    if let Some(token) = &payment.token {
        request = request.header("authorization", &format!("Bearer {}", token.reveal()));
    }
    let answer = request.timeout(payment.timeout.duration()).send().await;
    let answer = answer.map_err(|error| {
        tracing::warn!("the payment service cannot be asked: {error}");
        Refusal::busy("nobody can say at the moment whether this has to be paid for")
    })?;
    match answer.status() {
        200..=299 => Ok(()),
        402 => Err(Refusal::Payment {
            text: "this upload has to be paid for first".into(),
            offers: offers(&answer),
        }),
        400 => {
            let reason = answer
                .header("x-reason")
                .unwrap_or("the payment is not good");
            Err(Refusal::bad_request(reason.to_owned()))
        }
        status => {
            tracing::warn!(
                status,
                "the payment service does not say whether an upload is paid for"
            );
            Err(Refusal::busy(
                "nobody can say at the moment whether this has to be paid for",
            ))
        }
    }
}

/// What the client says of its payment, by method.
fn proofs(request: &HttpRequest) -> Map<String, Value> {
    let found = METHODS.iter().filter_map(|method| {
        let proof = request.headers().get(*method)?.to_str().ok()?;
        let is_fit = proof.len() <= PAYMENT_CHARS_MAX;
        is_fit.then(|| ((*method).to_owned(), proof.into()))
    });
    found.collect()
}

/// What there is to pay, by method.
fn offers(answer: &HttpResponse) -> Vec<(HeaderName, HeaderValue)> {
    let found = METHODS.iter().filter_map(|method| {
        let wanted = answer.header(method)?;
        let value = HeaderValue::from_str(wanted).ok()?;
        Some((HeaderName::from_static(method), value))
    });
    found.collect()
}
