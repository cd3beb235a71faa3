//! Extractors: who asks, where people sign with a key and services bear a token.

use super::describe::Describe;
use super::error::ApiError;
use super::limits;
use super::nip98::{Nip98, Nip98Json};
use super::operation::Inputs;
use super::reading;
use super::service_token::{ServiceToken, bearer};
use crate::event::PublicKey;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::future::ready;

/// Extractor: who asks: a key that signed the request ([`Nip98`]), or a service ([`ServiceToken`]).
///
/// ```
/// use trellis_relay::extension::prelude::*;
/// fn may_read(caller: &Caller, owner: &PublicKey) -> bool {
///     match caller {
///         Caller::Key(pubkey) => pubkey == owner,
///         Caller::Service(_) => true,
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody with this key.
    Key(PublicKey),
    /// The service of this name.
    Service(String),
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if bearer(request).is_some() {
            let service = ServiceToken::read(request);
            return Box::pin(ready(service.map(|service| Caller::Service(service.name))));
        }
        let signer = Nip98::from_request(request, payload);
        Box::pin(async move { Ok(Caller::Key(signer.await?.pubkey)) })
    }
}

impl Describe for Caller {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.either(|it| it.nip98(), |it| it.service_token());
    }
}

/// Extractor: who asks, and a body of JSON, which the signature of a key covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerJson<T> {
    /// Who asks.
    pub caller: Caller,
    /// What the body says.
    pub body: T,
}

impl<T: DeserializeOwned + 'static> FromRequest for CallerJson<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if bearer(request).is_none() {
            let signed = Nip98Json::from_request(request, payload);
            return Box::pin(async move {
                let Nip98Json { pubkey, body } = signed.await?;
                let caller = Caller::Key(pubkey);
                Ok(CallerJson { caller, body })
            });
        }
        let service = ServiceToken::read(request);
        let unread = service.map(|service| (service, payload.take(), request.clone()));
        Box::pin(async move {
            let (service, payload, request) = unread?;
            let caller = Caller::Service(service.name);
            let body = limits::read_json(&reading::read_whole(&request, payload).await?)?;
            Ok(CallerJson { caller, body })
        })
    }
}

impl<T: JsonSchema> Describe for CallerJson<T> {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.either(|it| it.nip98(), |it| it.service_token());
        inputs.body::<T>();
    }
}
