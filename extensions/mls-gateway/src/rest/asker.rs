//! Extractors: who asks, and for whom.
//!
//! Invariant: a service is one only from the addresses that all services must come from (`service_token_ips`), on top of
//! what the table says of its own token, and no body is read before that is known. A key is one only if the operator's lists
//! would let it read over a WebSocket.

use crate::MlsGateway;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use trellis_relay::extension::http::{Describe, Inputs};
use trellis_relay::extension::prelude::*;

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    caller: Caller,
    /// Where the request comes from.
    pub(super) address: ClientIp,
}

/// Who asks, and a body of JSON. What the body has beside the fields of `T` is ignored.
#[derive(Clone, Debug)]
pub(super) struct AskerJson<T> {
    pub(super) asker: Asker,
    pub(super) body: T,
}

impl Asker {
    /// The key that signed; none where a service asks.
    pub(super) fn signer(&self) -> Option<&PublicKey> {
        match &self.caller {
            Caller::Key(signer) => Some(signer),
            Caller::Service(_) => None,
        }
    }

    /// Refuses whom the operator's lists would not let publish. Services are trusted.
    pub(super) fn check_may_publish(&self, host: &Host) -> Result<(), ApiError> {
        match self.signer() {
            Some(signer) => Ok(host.may_publish(self.address.0, signer)?),
            None => Ok(()),
        }
    }

    fn check_may_read(self, host: &Host) -> Result<Self, ApiError> {
        if let Some(signer) = self.signer() {
            host.may_read(self.address.0, signer)?;
        }
        Ok(self)
    }

    /// For whom a request is made: the key that signed it, or whom a service names in `field`. A key that names another
    /// is refused.
    pub(super) fn acting_for(
        &self,
        named: Option<&Pubkey>,
        field: &str,
    ) -> Result<PublicKey, ApiError> {
        match (self.signer(), named) {
            (Some(signer), Some(named)) if named.key() != signer => Err(ApiError::forbidden(
                format!("{field} is not the key that signed this request"),
            )),
            (Some(signer), _) => Ok(*signer),
            (None, Some(named)) => Ok(*named.key()),
            (None, None) => Err(ApiError::bad_request(format!(
                "a service must say for whom it asks: {field}"
            ))),
        }
    }
}

/// The relay, and where a request comes from, unless it bears a service's token and must not come from there.
fn check_address(request: &HttpRequest) -> Result<(Host, ClientIp), ApiError> {
    let me = Current::<MlsGateway>::extract(request).into_inner()?;
    let address = ClientIp::extract(request).into_inner()?;
    let allowed = &me.settings.service_token_ips;
    let is_allowed = allowed.is_empty() || allowed.iter().any(|range| range.contains(address.0));
    if !is_allowed && ServiceToken::extract(request).into_inner().is_ok() {
        return Err(ApiError::forbidden(
            "services may not call from your address",
        ));
    }
    Ok((me.host.clone(), address))
}

impl FromRequest for Asker {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let checked = check_address(request);
        let unread = checked.map(|it| (it, Caller::from_request(request, payload)));
        Box::pin(async move {
            let ((host, address), caller) = unread?;
            let caller = caller.await?;
            Asker { caller, address }.check_may_read(&host)
        })
    }
}

impl Describe for Asker {
    fn describe(inputs: &mut Inputs<'_>) {
        Caller::describe(inputs);
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for AskerJson<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let checked = check_address(request);
        let unread = checked.map(|it| (it, CallerJson::<T>::from_request(request, payload)));
        Box::pin(async move {
            let ((host, address), read) = unread?;
            let CallerJson { caller, body } = read.await?;
            let asker = Asker { caller, address }.check_may_read(&host)?;
            Ok(AskerJson { asker, body })
        })
    }
}

impl<T: JsonSchema> Describe for AskerJson<T> {
    fn describe(inputs: &mut Inputs<'_>) {
        CallerJson::<T>::describe(inputs);
    }
}
