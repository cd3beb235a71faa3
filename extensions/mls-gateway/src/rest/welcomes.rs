//! `/welcome`: Welcomes that wait for whoever was added to a group.

use super::asker::{Asker, AskerJson};
use super::letters;
use super::mailbox::{self, Acknowledged, Acknowledgement, Contents};
use super::wire::{self, Deposited, Done};
use crate::MlsGateway;
use crate::storage::{Letter, LetterBox};
use actix_web::web::{Json, Path, Query};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trellis_relay::config::Timestamp;
use trellis_relay::extension::prelude::*;

const LETTERS: usize = 20;
const LETTERS_MAX: usize = 100;

pub(super) fn declare(api: &mut Api) {
    api.post("/welcome", deposit)
        .summary("Hand somebody a Welcome")
        .description(
            "The sender is who signs the request; a service may name any sender. The recipient finds it in the mailbox \
             until it is acknowledged or has expired (`welcome_ttl`). It makes nobody a member: rosters do.",
        )
        .answers::<Deposited>(200)
        .fails(400, "A key is no key, or what should be base64 is none.")
        .fails(403, "The sender is somebody else than who signed.")
        .fails(413, "welcome_b64 and ratchet_tree_b64 have more than 1 MiB.")
        .fails(429, "Too often, or the mailbox is full; see Retry-After.");
    api.get("/welcome", list)
        .summary("The Welcomes in one's mailbox")
        .description(
            "Oldest first, for the recipient alone; they stay until they are acknowledged.",
        )
        .answers::<WelcomeLetters>(200)
        .fails(403, "The recipient is somebody else than who signed.");
    api.post("/welcome/{id}/ack", acknowledge)
        .summary("Confirm that a Welcome has arrived")
        .description("Removes the letter. Repeating it answers the same.")
        .answers::<Done>(200)
        .fails(
            403,
            "The letter is for somebody else, or sig is not the recipient's.",
        )
        .fails(404, "There is no such letter.");
}

/// A Welcome for somebody.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "MlsNewWelcome")]
struct NewWelcome {
    /// For whom it is.
    recipient: Pubkey,
    /// From whom it is: the key that signs the request, unless a service asks.
    sender: Option<Pubkey>,
    /// Of which group.
    group_id: String,
    /// The Welcome, in base64: with the ratchet tree at most 1 MiB.
    welcome_b64: String,
    /// The group's ratchet tree, in base64, if it does not travel inside the Welcome.
    ratchet_tree_b64: Option<String>,
}

async fn deposit(
    me: Current<MlsGateway>,
    request: AskerJson<NewWelcome>,
) -> Result<Json<Deposited>, ApiError> {
    let AskerJson { asker, body } = request;
    let between = (body.sender.as_ref(), &body.recipient);
    let read = || {
        wire::check_group_id(&body.group_id)?;
        let tree = body.ratchet_tree_b64.as_deref();
        letters::check_length(&[&body.welcome_b64, tree.unwrap_or_default()])?;
        letters::check_base64("welcome_b64", &body.welcome_b64)?;
        if let Some(tree) = tree {
            letters::check_base64("ratchet_tree_b64", tree)?;
        }
        Ok(Contents {
            group_id: Some(body.group_id.clone()),
            content_b64: body.welcome_b64.clone(),
            ratchet_tree_b64: body.ratchet_tree_b64.clone(),
            tags_json: None,
        })
    };
    let deposited = mailbox::deposit(&me, &asker, LetterBox::Welcomes, between, read);
    deposited.await.map(Json)
}

/// Which mailbox.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct Which {
    /// Whose mailbox: the key that signs the request.
    recipient: Pubkey,
    /// How many, 20 unless it is said; more than 100 become 100.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
}

/// Welcomes in a mailbox.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MlsWelcomeLetters")]
struct WelcomeLetters {
    /// Always true.
    ok: bool,
    /// Oldest first.
    items: Vec<WelcomeLetter>,
}

/// A Welcome in a mailbox.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MlsWelcomeLetter")]
struct WelcomeLetter {
    id: String,
    /// 64 hex digits.
    recipient_pubkey: String,
    /// 64 hex digits.
    sender_pubkey: String,
    group_id: String,
    welcome_b64: String,
    ratchet_tree_b64: Option<String>,
    created_at: Timestamp,
    expires_at: Timestamp,
    /// When the recipient first asked for it.
    picked_up_at: Option<Timestamp>,
}

async fn list(
    me: Current<MlsGateway>,
    asker: Asker,
    which: Query<Which>,
) -> Result<Json<WelcomeLetters>, ApiError> {
    let max = wire::limit(which.limit, LETTERS, LETTERS_MAX)?;
    let letters = mailbox::collect(&me, &asker, LetterBox::Welcomes, &which.recipient, max).await?;
    let items = letters.into_iter().map(WelcomeLetter::of).collect();
    Ok(Json(WelcomeLetters { ok: true, items }))
}

impl WelcomeLetter {
    fn of(letter: Letter) -> Self {
        WelcomeLetter {
            id: letter.id,
            recipient_pubkey: wire::hex(&letter.recipient),
            sender_pubkey: wire::hex(&letter.sender),
            group_id: letter.group_id.unwrap_or_default(),
            welcome_b64: letter.content_b64,
            ratchet_tree_b64: letter.ratchet_tree_b64,
            created_at: wire::time(letter.created_at_s),
            expires_at: wire::time(letter.expires_at_s),
            picked_up_at: letter.picked_up_at_s.map(wire::time),
        }
    }
}

async fn acknowledge(
    me: Current<MlsGateway>,
    id: Path<String>,
    request: AskerJson<Acknowledgement>,
) -> Result<Json<Done>, ApiError> {
    let AskerJson { asker, body } = request;
    match mailbox::acknowledge(&me, &asker, LetterBox::Welcomes, &id, &body).await? {
        Acknowledged::Yes(done) => Ok(Json(done)),
        Acknowledged::Unknown => Err(ApiError::not_found("there is no such letter")),
    }
}
