//! What both mailboxes do: take a letter, hand out letters, forget one that has arrived.
//!
//! Invariant: only its recipient, or a service, sees a letter or acknowledges it. What is acknowledged is gone; that it was
//! is remembered until the letter's end, so that who repeats it hears the same.

use super::asker::Asker;
use super::letters;
use super::signature;
use super::wire::{Deposited, Done};
use crate::MlsGateway;
use crate::storage::{Letter, LetterBox};
use crate::watch;
use schemars::JsonSchema;
use serde::Deserialize;
use trellis_relay::config::Mode;
use trellis_relay::extension::prelude::*;

/// What is to be put into a box, checked but for its room there.
pub(super) struct Contents {
    pub(super) group_id: Option<String>,
    pub(super) content_b64: String,
    pub(super) ratchet_tree_b64: Option<String>,
    pub(super) tags_json: Option<String>,
}

/// The body of an acknowledgement.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "MlsAcknowledgement")]
pub(super) struct Acknowledgement {
    /// Who got the letter; the key that signed the request, unless a service asks.
    recipient: Option<Pubkey>,
    /// The recipient's BIP-340 signature over SHA-256 of `ack:` and the letter's id: 128 hex digits.
    sig: Option<String>,
}

/// Puts a letter into a box. `read` checks its contents, once it is clear that the asker may send something.
pub(super) async fn deposit(
    me: &MlsGateway,
    asker: &Asker,
    letter_box: LetterBox,
    (sender, recipient): (Option<&Pubkey>, &Pubkey),
    read: impl FnOnce() -> Result<Contents, ApiError>,
) -> Result<Deposited, ApiError> {
    me.host.refuse_during(&[Mode::ReadOnly])?;
    asker.check_may_publish(&me.host)?;
    let sender = asker.acting_for(sender, "sender")?;
    let recipient = *recipient.key();
    me.deposit_rates.check(asker, &recipient)?;
    let contents = read()?;
    let now_s = me.host.clock().now_s();
    let letter = Letter {
        id: random_id(),
        recipient,
        sender,
        group_id: contents.group_id,
        content_b64: contents.content_b64,
        ratchet_tree_b64: contents.ratchet_tree_b64,
        tags_json: contents.tags_json,
        created_at_s: now_s,
        expires_at_s: now_s + ttl_s(me, letter_box),
        picked_up_at_s: None,
        acknowledged_at_s: None,
    };
    // One after the other, so that all find the room that there is.
    let _turn = me.mailbox_turns.of(&recipient.to_hex()).lock().await;
    let load = me.storage.box_load(letter_box, &recipient, &sender, now_s);
    letters::check_room(&letter, &load.await?, &me.settings)?;
    if !me.storage.deposit(letter_box, &letter).await? {
        return Err(ApiError::internal("a random id was there already"));
    }
    watch::deposited(letter_box);
    let id = letter.id;
    Ok(Deposited { ok: true, id })
}

/// The letters that wait for a recipient, oldest first, which notes that they were picked up.
pub(super) async fn collect(
    me: &MlsGateway,
    asker: &Asker,
    letter_box: LetterBox,
    recipient: &Pubkey,
    max: usize,
) -> Result<Vec<Letter>, ApiError> {
    let recipient = asker.acting_for(Some(recipient), "recipient")?;
    let now_s = me.host.clock().now_s();
    let letters = me
        .storage
        .pick_up(letter_box, &recipient, max, now_s)
        .await?;
    let is_new = |letter: &&Letter| letter.picked_up_at_s.is_none_or(|at_s| at_s == now_s);
    watch::picked_up(letter_box, letters.iter().filter(is_new).count());
    Ok(letters)
}

/// What became of an acknowledgement.
pub(super) enum Acknowledged {
    /// The letter is gone, now or since earlier.
    Yes(Done),
    /// No box has a letter with this id.
    Unknown,
}

/// Forgets a letter that has arrived.
pub(super) async fn acknowledge(
    me: &MlsGateway,
    asker: &Asker,
    letter_box: LetterBox,
    id: &str,
    body: &Acknowledgement,
) -> Result<Acknowledged, ApiError> {
    let recipient = asker.acting_for(body.recipient.as_ref(), "recipient")?;
    let now_s = me.host.clock().now_s();
    let letter = me.storage.letter(letter_box, id).await?;
    let Some(letter) = letter.filter(|letter| letter.expires_at_s > now_s) else {
        return Ok(Acknowledged::Unknown);
    };
    if letter.recipient != recipient {
        return Err(ApiError::forbidden("this letter is for somebody else"));
    }
    body.check_signature(id, &recipient)?;
    if letter.acknowledged_at_s.is_none() && !me.storage.acknowledge(letter_box, id, now_s).await? {
        return Ok(Acknowledged::Unknown);
    }
    Ok(Acknowledged::Yes(Done { ok: true }))
}

impl Acknowledgement {
    /// Whether the signature is right, if there is one.
    pub(super) fn check_signature(&self, id: &str, recipient: &PublicKey) -> Result<(), ApiError> {
        let Some(sig) = &self.sig else {
            return Ok(());
        };
        match signature::confirms(sig, id, recipient) {
            Some(true) => Ok(()),
            Some(false) => Err(ApiError::forbidden(
                "sig is not the recipient's signature over SHA-256 of \"ack:\" and the id",
            )),
            None => Err(ApiError::bad_request("sig must be 128 hex digits")),
        }
    }

    /// Who got the letter, by who asks.
    pub(super) fn recipient(&self, asker: &Asker) -> Result<PublicKey, ApiError> {
        asker.acting_for(self.recipient.as_ref(), "recipient")
    }
}

/// Nobody guesses it, and it says nothing of when or how many.
fn random_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn ttl_s(me: &MlsGateway, letter_box: LetterBox) -> u64 {
    match letter_box {
        LetterBox::KeyPackages => me.settings.keypackage_ttl_s,
        LetterBox::Welcomes => me.settings.welcome_ttl_s,
    }
}
