//! Who signed a request (NIP-98), with this extension's words for what is wrong.
//!
//! Invariant: a header is good for one request, and what it says is repeated in no answer and no log.

use crate::failure::{Code, Failure, Whose};
use actix_web::HttpRequest;
use actix_web::http::header;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use trellis_relay::extension::prelude::*;
use trellis_relay::nips::nip98::Nip98Error;

/// Who signed a request. `body` is the whole body, which the signature must cover unless it is empty.
pub(crate) fn signer(request: &HttpRequest, body: &[u8]) -> Result<PublicKey, Failure> {
    require_header(request)?;
    Ok(Nip98::check(request, body)?.pubkey)
}

/// Refuses what nobody has signed, before its body is read.
pub(crate) fn require_header(request: &HttpRequest) -> Result<(), Failure> {
    match request.headers().contains_key(header::AUTHORIZATION) {
        true => Ok(()),
        false => Err(Failure::new(
            Code::AuthRequired,
            "sign this request (NIP-98): the Authorization header must be Nostr, a space, and a base64 event of kind 27235",
        )),
    }
}

/// When a request was signed, in seconds since 1970, by its header, which has been found right before.
pub(crate) fn signed_at_s(request: &HttpRequest) -> Option<u64> {
    let header = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let (_, event) = header.trim().split_once(' ')?;
    let event = STANDARD.decode(event.trim()).ok()?;
    Some(Event::parse(&event).ok()?.created_at())
}

impl From<Nip98Error> for Failure {
    fn from(error: Nip98Error) -> Self {
        let code = match &error {
            Nip98Error::Header | Nip98Error::NoAddress => Code::AuthRequired,
            Nip98Error::Event(_)
            | Nip98Error::Kind(_)
            | Nip98Error::Url { .. }
            | Nip98Error::Method(_)
            | Nip98Error::Payload => Code::InvalidSignature(Whose::Header),
            Nip98Error::Time { .. } | Nip98Error::BeforeStart(_) => {
                Code::TimestampOutOfRange(Whose::Header)
            }
            Nip98Error::Replayed => Code::AuthReplayed,
            Nip98Error::Banned => Code::UserBanned,
            Nip98Error::Busy => Code::RateLimited,
        };
        let failure = Failure::new(code, error.to_string());
        match code {
            Code::RateLimited => failure.retry_after_s(60),
            _ => failure,
        }
    }
}
