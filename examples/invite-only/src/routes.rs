//! Making, listing and withdrawing invites over HTTP, for admins who sign their requests (NIP-98).

use crate::rows::Invite;
use crate::{InviteOnly, USES_MAX};
use actix_web::HttpResponse;
use actix_web::web::{Json, Path};
use trellis_relay::extension::prelude::*;

pub(crate) fn declare(api: &mut Api) {
    api.about("Invites to this relay. All requests are signed by an admin (NIP-98).");
    api.get("/", list)
        .summary("Invites that are open, by code")
        .answers::<PageOf<Invite>>(200);
    api.post("/", create)
        .summary("Make an invite")
        .answers::<Invite>(201);
    api.delete("/{code}", withdraw)
        .summary("Withdraw an invite")
        .answers_nothing(204)
        .fails(404, "there is no such invite");
}

/// What to make.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// How many people may redeem it.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = USES_MAX))]
    uses: u32,
}

fn one() -> u32 {
    1
}

async fn list(
    me: Current<InviteOnly>,
    signer: Nip98,
    page: Page,
) -> Result<Json<PageOf<Invite>>, ApiError> {
    me.check_admin(&signer.pubkey)?;
    let found = Invite::list(&me.host, page.after(), page.fetch()).await?;
    Ok(Json(page.of(found, |last| last.code.clone())))
}

async fn create(
    me: Current<InviteOnly>,
    wanted: Nip98Json<Wanted>,
) -> Result<HttpResponse, ApiError> {
    me.check_admin(&wanted.pubkey)?;
    let uses = wanted.body.uses;
    if !(1..=USES_MAX).contains(&uses) {
        let text = format!("uses: found {uses}, wanted 1 to {USES_MAX}");
        return Err(ApiError::bad_request(text));
    }
    let invite = me.create(uses).await?;
    Ok(HttpResponse::Created().json(invite))
}

async fn withdraw(
    me: Current<InviteOnly>,
    signer: Nip98,
    code: Path<String>,
) -> Result<HttpResponse, ApiError> {
    me.check_admin(&signer.pubkey)?;
    match Invite::withdraw(&me.host, &code).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(ApiError::not_found("there is no such invite")),
    }
}

impl InviteOnly {
    fn check_admin(&self, pubkey: &PublicKey) -> Result<(), ApiError> {
        match self.config.admins.contains(pubkey) {
            true => Ok(()),
            false => Err(ApiError::forbidden("only admins make invites")),
        }
    }
}
