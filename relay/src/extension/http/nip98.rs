//! Extractors: who signed a request (NIP-98).
//!
//! Invariant: a header serves one request, which it names by method and URL, and whose body it covers: with a body that no
//! extractor looks at a request is refused. The URL is the one by which clients know the relay, as `network.relay_url`
//! says, or the Host name of the mount. A banned key has signed nothing, and of what nobody has signed no body is read. The
//! check itself is in `nips/nip98`.

use super::describe::Describe;
use super::error::ApiError;
use super::limits;
use super::operation::Inputs;
use super::reading;
use super::surroundings::Surroundings;
use crate::event::PublicKey;
use crate::nips::nip98::{Nip98Error, sha256};
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::fmt;

/// Extractor: the key that signed a request without a body.
///
/// ```
/// use trellis_relay::extension::prelude::*;
/// async fn whoami(signer: Nip98) -> String {
///     signer.pubkey.to_hex()
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nip98 {
    /// Who signed.
    pub pubkey: PublicKey,
}

impl Nip98 {
    /// The check of all these extractors, for a handler that words its own errors. `body` is the whole body, which the
    /// signature must cover; each header passes once.
    ///
    /// ```
    /// use actix_web::{HttpRequest, HttpResponse, web::Bytes};
    /// use trellis_relay::extension::prelude::*;
    /// async fn token(request: HttpRequest, body: Bytes) -> HttpResponse {
    ///     match Nip98::check(&request, &body) {
    ///         Ok(signer) => HttpResponse::Ok().body(signer.pubkey.to_hex()),
    ///         Err(error) => HttpResponse::Unauthorized().body(error.to_string()),
    ///     }
    /// }
    /// ```
    pub fn check(request: &HttpRequest, body: &[u8]) -> Result<Self, Nip98Error> {
        // A handler that is mounted elsewhere is at no address that could be signed.
        let surroundings = Surroundings::of(request).map_err(|_| Nip98Error::NoAddress)?;
        let body_sha256 = sha256(body);
        let wanted = (!body.is_empty()).then_some(&body_sha256);
        let signed = surroundings.check_signed(request, wanted)?;
        // Somebody may have taken away a body that was signed for.
        if signed.payload_sha256.is_some_and(|it| it != body_sha256) {
            return Err(Nip98Error::Payload);
        }
        let pubkey = signed.pubkey;
        Ok(Nip98 { pubkey })
    }
}

impl FromRequest for Nip98 {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let signer = match has_body(request) {
            true => Err(no_body_wanted()),
            false => Self::check(request, &[]).map_err(ApiError::from),
        };
        // Only for who signed it the body is another extractor's no more.
        let unread = signer.is_ok().then(|| (payload.take(), request.clone()));
        Box::pin(async move {
            if let Some((payload, request)) = unread
                && !reading::is_empty(&request, payload).await?
            {
                return Err(no_body_wanted());
            }
            signer
        })
    }
}

fn no_body_wanted() -> ApiError {
    ApiError::bad_request("this route takes no body")
}

impl Describe for Nip98 {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.nip98();
    }
}

/// Extractor: the key that signed a request, and its body, which the `payload` tag covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nip98Bytes {
    /// Who signed.
    pub pubkey: PublicKey,
    /// The whole body, at most as long as the scope allows.
    pub body: Bytes,
}

impl FromRequest for Nip98Bytes {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        // What nobody has signed is not read.
        let signed = Surroundings::of(request)
            .and_then(|surroundings| Ok(surroundings.check_signed(request, None)?));
        let unread = signed.map(|signed| (signed, payload.take(), request.clone()));
        Box::pin(async move {
            let (signed, payload, request) = unread?;
            if has_body(&request) && signed.payload_sha256.is_none() {
                return Err(Nip98Error::Payload.into());
            }
            let (body, sha256) = reading::read_and_hash(&request, payload).await?;
            let pubkey = signed.pubkey;
            match signed.payload_sha256 {
                None if body.is_empty() => Ok(Nip98Bytes { pubkey, body }),
                Some(covered) if covered == sha256 => Ok(Nip98Bytes { pubkey, body }),
                _ => Err(Nip98Error::Payload.into()),
            }
        })
    }
}

impl Describe for Nip98Bytes {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.nip98();
        inputs.body_of("application/octet-stream");
    }
}

/// Extractor: the key that signed a request, and its body of JSON, which the `payload` tag covers.
///
/// ```
/// use trellis_relay::extension::prelude::*;
/// #[derive(Deserialize, JsonSchema)]
/// struct Note {
///     text: String,
/// }
/// async fn note(note: Nip98Json<Note>) -> String {
///     format!("{} says {}", note.pubkey.to_hex(), note.body.text)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nip98Json<T> {
    /// Who signed.
    pub pubkey: PublicKey,
    /// What the body says.
    pub body: T,
}

impl<T: DeserializeOwned + 'static> FromRequest for Nip98Json<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = Nip98Bytes::from_request(request, payload);
        Box::pin(async move {
            let Nip98Bytes { pubkey, body } = bytes.await?;
            let body = limits::read_json(&body)?;
            Ok(Nip98Json { pubkey, body })
        })
    }
}

impl<T: JsonSchema> Describe for Nip98Json<T> {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.nip98();
        inputs.body::<T>();
    }
}

/// Extractor: the key that signed a request whose body is read as a stream, of any length: the handler counts. What is read
/// is worth something only once [`Nip98Stream::covers`] has said so.
///
/// ```
/// use futures_util::StreamExt as _;
/// use trellis_relay::extension::prelude::*;
/// async fn length(mut upload: Nip98Stream) -> Result<String, ApiError> {
///     let (mut hash, mut bytes) = (Sha256::default(), 0);
///     while let Some(chunk) = upload.body.next().await {
///         let chunk = chunk.map_err(ApiError::internal)?;
///         bytes += chunk.len();
///         if bytes > 100 << 20 {
///             return Err(ApiError::too_large(100 << 20));
///         }
///         hash.update(&chunk);
///     }
///     upload.covers(&hash.finish())?;
///     Ok(format!("{bytes} bytes"))
/// }
/// # #[derive(Default)]
/// # struct Sha256;
/// # impl Sha256 {
/// #     fn update(&mut self, _: &[u8]) {}
/// #     fn finish(self) -> [u8; 32] { [0; 32] }
/// # }
/// ```
pub struct Nip98Stream {
    /// Who signed.
    pub pubkey: PublicKey,
    /// The body, of any length.
    pub body: web::Payload,
    payload_sha256: [u8; 32],
}

impl Nip98Stream {
    /// Whether the body that was signed for has this hash. Refuse what came otherwise.
    pub fn covers(&self, body_sha256: &[u8; 32]) -> Result<(), ApiError> {
        match self.payload_sha256 == *body_sha256 {
            true => Ok(()),
            false => Err(Nip98Error::Payload.into()),
        }
    }

    /// The hash of the body that was signed for, which [`Nip98Stream::covers`] compares.
    pub fn payload_sha256(&self) -> &[u8; 32] {
        &self.payload_sha256
    }
}

impl FromRequest for Nip98Stream {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let signed = Surroundings::of(request)
            .and_then(|surroundings| Ok(surroundings.check_signed(request, None)?));
        let body = web::Payload::from_request(request, payload);
        Box::pin(async move {
            let signed = signed?;
            // Without it nothing that comes could be covered.
            let payload_sha256 = signed.payload_sha256.ok_or(Nip98Error::Payload)?;
            let body = body
                .await
                .map_err(|error| ApiError::internal(error.to_string()))?;
            Ok(Nip98Stream {
                pubkey: signed.pubkey,
                body,
                payload_sha256,
            })
        })
    }
}

impl fmt::Debug for Nip98Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nip98Stream")
    }
}

impl Describe for Nip98Stream {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.nip98();
        inputs.body_of("application/octet-stream");
    }
}

/// Whether a body comes with a request, as far as its head tells.
fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH);
    let is_empty = length.is_none_or(|length| length.as_bytes().iter().all(|byte| *byte == b'0'));
    !is_empty || headers.contains_key(header::TRANSFER_ENCODING)
}
