//! Who asks for a token, and the body of the request.
//!
//! Invariant: the address is counted first, nothing is read that nobody has signed, and a body is bounded in length and time.

use super::excluded;
use crate::LivekitToken;
use crate::failure::{Code, Failure, Whose};
use crate::signer::{require_header, signed_at_s, signer};
use actix_web::web::{self, Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use std::time::Duration;
use trellis_relay::extension::prelude::*;

/// Bodies may have so many bytes: two events.
const BODY_BYTES_MAX: usize = 128 << 10;
/// A body has to come in this time.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Who asks.
pub(super) struct Asker {
    pub(super) me: Current<LivekitToken>,
    pub(super) pubkey: PublicKey,
    body: Bytes,
}

impl Asker {
    /// Reads a request whose signature may be `window_s` off.
    pub(super) async fn of(
        request: &HttpRequest,
        payload: web::Payload,
        window_s: impl FnOnce(&LivekitToken) -> u64,
    ) -> Result<Self, Failure> {
        let me = extract::<Current<LivekitToken>>(request)?;
        let address = extract::<ClientIp>(request)?;
        me.rates.take_address(&address)?;
        require_header(request)?;
        let body = read(payload).await?;
        let pubkey = signer(request, &body)?;
        let (now_s, window_s) = (me.host.clock().now_s(), window_s(&me));
        let off_s = signed_at_s(request).unwrap_or_default().abs_diff(now_s);
        if off_s > window_s {
            let text = format!(
                "the authorization event is {off_s} s off; at most {window_s} s are allowed: check the clock"
            );
            return Err(Failure::new(Code::TimestampOutOfRange(Whose::Header), text));
        }
        me.rates.take_key(&pubkey)?;
        let allowed = me.host.may_read(address.0, &pubkey);
        allowed.map_err(|reason| excluded(&reason))?;
        Ok(Asker { me, pubkey, body })
    }

    /// What the body says.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let text = format!("the body is not what is wanted: {error}");
            Failure::new(Code::InvalidRequest, text)
        })
    }
}

fn extract<T>(request: &HttpRequest) -> Result<T, Failure>
where
    T: FromRequest<Error = ApiError, Future = std::future::Ready<Result<T, ApiError>>>,
{
    T::extract(request).into_inner().map_err(|error| {
        let text = error.to_string();
        Failure::new(Code::LivekitUnavailable, text)
    })
}

async fn read(mut payload: web::Payload) -> Result<Bytes, Failure> {
    let whole = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| unreadable("the body cannot be read"))?;
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                let text = format!("the body may have {BODY_BYTES_MAX} bytes");
                return Err(Failure::new(Code::TooLarge, text));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    let late = |_| Err(unreadable("the body did not come in time"));
    let whole = tokio::time::timeout(BODY_PATIENCE, whole).await;
    whole.unwrap_or_else(late)
}

fn unreadable(text: &str) -> Failure {
    Failure::new(Code::InvalidRequest, text)
}
