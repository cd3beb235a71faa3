//! `/admin/...`: what the operator does to blobs and keys, by a signed request (NIP-98) of one of the `admins`, or with a
//! token of `service_tokens`.
//!
//! Invariant: who may is asked before anything is looked up; orders are carried out and written down by `administration`.

mod books;

use super::SHORT_BODY_BYTES;
use crate::BlossomPolicy;
use crate::administration::{self, Action, Subject};
use crate::auth;
use crate::refusal::Refusal;
use crate::rescan::{self, Scanned};
use actix_web::http::Method;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use serde::de::DeserializeOwned;
use serde_json::json;
use trellis_relay::extension::prelude::*;

/// What an order is about, and why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BlossomOrder")]
struct Order {
    /// A blob: 64 hex digits.
    sha256: Option<String>,
    /// Or a key: npub or 64 hex digits.
    pubkey: Option<String>,
    /// Why, in one line that names nobody. It is written down.
    reason: String,
}

/// What came of an order.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BlossomOrderResult")]
struct Done {
    /// False where it was so before.
    changed: bool,
}

pub(super) fn declare(api: &mut Api) {
    declare_order(
        api,
        Action::Ban,
        "Store nothing with this hash, or of this key",
    );
    declare_order(api, Action::Unban, "Take a ban back");
    declare_order(api, Action::Quarantine, "Show a blob to nobody");
    declare_order(api, Action::Unquarantine, "Show a blob again");
    declare_order(
        api,
        Action::Remove,
        "Remove a blob, whoever has uploaded it",
    );
    api.route(Method::POST, "/admin/rescan", rescan)
        .summary("Compare what is stored with the block lists")
        .takes(|inputs| {
            inputs.either(|it| it.nip98(), |it| it.service_token());
        })
        .answers::<Scanned>(200)
        .fails(401, "A signature or token is missing or not good for this.")
        .fails(403, "Who asks is no admin.");
    books::declare(api);
}

async fn rescan(request: HttpRequest, me: Current<BlossomPolicy>) -> Result<HttpResponse, Refusal> {
    operator(&me, &request).await?;
    Ok(HttpResponse::Ok().json(rescan::scan(&me).await?))
}

fn declare_order(api: &mut Api, action: Action, summary: &str) {
    let path = format!("/admin/{}", action.name());
    let carry_out =
        move |request: HttpRequest, payload: web::Payload, me: Current<BlossomPolicy>| async move {
            order(action, &request, payload, &me).await
        };
    api.route(Method::POST, &path, carry_out)
        .summary(summary)
        .takes(|inputs| {
            inputs.either(|it| it.nip98(), |it| it.service_token());
            inputs.body::<Order>();
        })
        .max_body_bytes(SHORT_BODY_BYTES)
        .answers::<Done>(200)
        .fails(401, "A signature or token is missing or not good for this.")
        .fails(403, "Who asks is no admin.")
        .fails(404, "There is no such blob to be hidden, shown or removed.");
}

async fn order(
    action: Action,
    request: &HttpRequest,
    payload: web::Payload,
    me: &BlossomPolicy,
) -> Result<HttpResponse, Refusal> {
    let (by, order) = operator_with::<Order>(me, request, payload).await?;
    let subject = Subject::read(order.sha256.as_deref(), order.pubkey.as_deref())?;
    let done = administration::carry_out(me, &by, action, subject, &order.reason).await?;
    Ok(HttpResponse::Ok().json(json!({ "changed": done })))
}

/// Who gives an order, as it is written down, and what it says.
async fn operator_with<T: DeserializeOwned + 'static>(
    me: &BlossomPolicy,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(String, T), Refusal> {
    me.rates.take_request(request)?;
    let mut payload = payload.into_inner();
    let read = CallerJson::<T>::from_request(request, &mut payload).await;
    let CallerJson { caller, body } = read.map_err(auth::not_signed)?;
    Ok((name(me, caller)?, body))
}

/// Refuses everybody but the operator's people and services.
async fn operator(me: &BlossomPolicy, request: &HttpRequest) -> Result<String, Refusal> {
    me.rates.take_request(request)?;
    let caller = Caller::extract(request).await;
    name(me, caller.map_err(auth::not_signed)?)
}

fn name(me: &BlossomPolicy, caller: Caller) -> Result<String, Refusal> {
    match caller {
        Caller::Service(name) => Ok(name),
        Caller::Key(pubkey) if me.config().admins.contains(&pubkey) => Ok(pubkey.to_hex()),
        Caller::Key(_) => Err(Refusal::forbidden("this is for the operator alone")),
    }
}
