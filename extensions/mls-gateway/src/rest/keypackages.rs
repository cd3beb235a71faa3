//! `/keypackages`: KeyPackages that are handed to somebody, and what is known of those that are published.

use super::asker::{Asker, AskerJson};
use super::letters;
use super::mailbox::{self, Acknowledged, Acknowledgement, Contents};
use super::stock::{self, StockList};
use super::wire::{self, Deposited, Done};
use crate::MlsGateway;
use crate::storage::{Letter, LetterBox};
use actix_web::web::{Json, Path, Query};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trellis_relay::config::Timestamp;
use trellis_relay::extension::prelude::*;

const LETTERS: usize = 50;
const LETTERS_MAX: usize = 100;

pub(super) fn declare(api: &mut Api) {
    api.post("/keypackages", deposit)
        .summary("Hand somebody a KeyPackage")
        .description(
            "The sender is who signs the request; a service may name any sender. The recipient finds it in the mailbox \
             until it is acknowledged or has expired (`keypackage_ttl`).",
        )
        .answers::<Deposited>(200)
        .fails(400, "A key is no key, or content_b64 is no base64.")
        .fails(403, "The sender is somebody else than who signed.")
        .fails(413, "content_b64 has more than 1 MiB.")
        .fails(429, "Too often, or the mailbox is full; see Retry-After.");
    api.get("/keypackages", list)
        .summary("The KeyPackages in one's mailbox, or what somebody has published")
        .description(
            "With `recipient`: the letters in that mailbox, oldest first, for the recipient alone; they stay until they \
             are acknowledged. With `owner`: the KeyPackages (kind 443) that this key has published and that are live, for \
             anybody who has signed. Exactly one of the two.",
        )
        .answers::<Listed>(200)
        .fails(400, "Neither recipient nor owner, or both.")
        .fails(403, "The recipient is somebody else than who signed.");
    api.post("/keypackages/{id}/ack", acknowledge)
        .summary("Confirm that a KeyPackage has arrived")
        .description(
            "Removes the letter. Repeating it answers the same. With the id of an event 443 in place of a letter's, its \
             owner takes it out of stock and off the relay.",
        )
        .answers::<Done>(200)
        .fails(403, "The letter is for somebody else, or sig is not the recipient's.")
        .fails(404, "There is no such letter.");
}

/// A KeyPackage for somebody.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "MlsNewKeyPackage")]
struct NewKeyPackage {
    /// For whom it is.
    recipient: Pubkey,
    /// From whom it is: the key that signs the request, unless a service asks.
    sender: Option<Pubkey>,
    /// The KeyPackage, in base64: at most 1 MiB.
    content_b64: String,
    /// Tags, as an event has them.
    tags: Option<Vec<Vec<String>>>,
}

async fn deposit(
    me: Current<MlsGateway>,
    request: AskerJson<NewKeyPackage>,
) -> Result<Json<Deposited>, ApiError> {
    let AskerJson { asker, body } = request;
    let between = (body.sender.as_ref(), &body.recipient);
    let read = || {
        letters::check_length(&[&body.content_b64])?;
        letters::check_base64("content_b64", &body.content_b64)?;
        let tags_json = body.tags.as_deref().map(letters::tags_json).transpose()?;
        Ok(Contents {
            group_id: None,
            content_b64: body.content_b64.clone(),
            ratchet_tree_b64: None,
            tags_json,
        })
    };
    let deposited = mailbox::deposit(&me, &asker, LetterBox::KeyPackages, between, read);
    deposited.await.map(Json)
}

/// Which list is wanted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct Which {
    /// Whose mailbox: the key that signs the request.
    recipient: Option<Pubkey>,
    /// Whose published KeyPackages.
    owner: Option<Pubkey>,
    /// How many, 50 unless it is said; more than 100 become 100.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
}

/// One of the two lists.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "MlsKeyPackages")]
enum Listed {
    /// Of a mailbox.
    Letters(KeyPackageLetters),
    /// Of what is published.
    Stock(StockList),
}

/// KeyPackages in a mailbox.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MlsKeyPackageLetters")]
struct KeyPackageLetters {
    /// Always true.
    ok: bool,
    /// Oldest first.
    items: Vec<KeyPackageLetter>,
}

/// A KeyPackage in a mailbox.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MlsKeyPackageLetter")]
struct KeyPackageLetter {
    id: String,
    /// 64 hex digits.
    recipient_pubkey: String,
    /// 64 hex digits.
    sender_pubkey: String,
    content_b64: String,
    tags: Option<Vec<Vec<String>>>,
    created_at: Timestamp,
    expires_at: Timestamp,
    /// When the recipient first asked for it.
    picked_up_at: Option<Timestamp>,
}

async fn list(
    me: Current<MlsGateway>,
    asker: Asker,
    which: Query<Which>,
) -> Result<Json<Listed>, ApiError> {
    let max = wire::limit(which.limit, LETTERS, LETTERS_MAX)?;
    let listed = match (&which.recipient, &which.owner) {
        (Some(recipient), None) => {
            let letters = mailbox::collect(&me, &asker, LetterBox::KeyPackages, recipient, max);
            let items = letters
                .await?
                .into_iter()
                .map(KeyPackageLetter::of)
                .collect();
            Listed::Letters(KeyPackageLetters { ok: true, items })
        }
        (None, Some(owner)) => Listed::Stock(stock::list(&me, owner.key(), max).await?),
        _ => {
            return Err(ApiError::bad_request(
                "name either a recipient, whose mailbox is wanted, or an owner, whose published KeyPackages are",
            ));
        }
    };
    Ok(Json(listed))
}

impl KeyPackageLetter {
    fn of(letter: Letter) -> Self {
        let tags = letter.tags_json.as_deref();
        KeyPackageLetter {
            id: letter.id,
            recipient_pubkey: wire::hex(&letter.recipient),
            sender_pubkey: wire::hex(&letter.sender),
            content_b64: letter.content_b64,
            tags: tags.and_then(|tags| serde_json::from_str(tags).ok()),
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
    match mailbox::acknowledge(&me, &asker, LetterBox::KeyPackages, &id, &body).await? {
        Acknowledged::Yes(done) => Ok(Json(done)),
        Acknowledged::Unknown => stock::acknowledge(&me, &asker, &id, &body).await.map(Json),
    }
}
