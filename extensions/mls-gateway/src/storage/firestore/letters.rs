//! The two mailboxes, `mls_keypackage_letters` and `mls_welcomes`: a document for each letter, named by a digest of its id.

use super::database::{Committed, Database};
use super::document::{Fields, Reading, document_id};
use super::failure::Result;
use super::long_text::LongText;
use super::pause::Pause;
use super::question::Question;
use super::{KEY_PACKAGE_LETTERS, WELCOMES};
use crate::storage::{BoxLoad, Letter, LetterBox, Page};
use gcloud_sdk::google::firestore::v1::{Document, Write};
use trellis_relay::event::PublicKey;

const CONTENT: LongText = LongText {
    field: "content_b64",
    count_field: "content_parts",
};
const RATCHET_TREE: LongText = LongText {
    field: "ratchet_tree_b64",
    count_field: "ratchet_tree_parts",
};
const TAGS: LongText = LongText {
    field: "tags",
    count_field: "tags_parts",
};
const LONG_TEXTS: [LongText; 3] = [CONTENT, RATCHET_TREE, TAGS];

pub(super) const fn collection(letter_box: LetterBox) -> &'static str {
    match letter_box {
        LetterBox::KeyPackages => KEY_PACKAGE_LETTERS,
        LetterBox::Welcomes => WELCOMES,
    }
}

pub(super) async fn deposit(
    database: &Database,
    letter_box: LetterBox,
    letter: &Letter,
) -> Result<bool> {
    let id = document_id(&letter.id);
    let mut parts = Vec::new();
    let mut fields = Fields::default()
        .text("id", &letter.id)
        .text("recipient", letter.recipient.to_hex())
        .text("sender", letter.sender.to_hex())
        .maybe_text("group_id", letter.group_id.as_deref())
        .number("created_at", letter.created_at_s)
        .number("expires_at", letter.expires_at_s)
        .maybe_number("picked_up_at", letter.picked_up_at_s)
        .maybe_number("acknowledged_at", letter.acknowledged_at_s)
        .flag("acknowledged", letter.acknowledged_at_s.is_some());
    let texts = [
        Some(letter.content_b64.as_str()),
        letter.ratchet_tree_b64.as_deref(),
        letter.tags_json.as_deref(),
    ];
    let bytes: usize = texts.iter().flatten().map(|text| text.len()).sum();
    fields = fields.number("bytes", bytes as u64);
    for (long, text) in LONG_TEXTS.into_iter().zip(texts) {
        fields = long.write(database, &id, text, fields, &mut parts);
    }
    let mut writes = vec![database.create(collection(letter_box), &id, fields)];
    writes.extend(parts);
    Ok(database.commit(writes).await? == Committed::Done)
}

pub(super) async fn load(
    database: &Database,
    letter_box: LetterBox,
    recipient: &PublicKey,
    sender: &PublicKey,
    now_s: u64,
) -> Result<BoxLoad> {
    let all = live(letter_box, recipient, now_s);
    let of_sender = all.clone().equal("sender", sender.to_hex());
    let (letters, bytes) = database.count(all, Some("bytes")).await?;
    let (letters_of_sender, bytes_of_sender) = database.count(of_sender, Some("bytes")).await?;
    Ok(BoxLoad {
        letters,
        bytes,
        letters_of_sender,
        bytes_of_sender,
    })
}

fn live(letter_box: LetterBox, recipient: &PublicKey, now_s: u64) -> Question {
    Question::to(collection(letter_box))
        .equal("recipient", recipient.to_hex())
        .equal_flag("acknowledged", false)
        .above("expires_at", now_s)
}

pub(super) async fn pick_up(
    database: &Database,
    letter_box: LetterBox,
    recipient: &PublicKey,
    max: usize,
    now_s: u64,
) -> Result<Vec<Letter>> {
    let question = live(letter_box, recipient, now_s)
        .in_order_of(["created_at", "id"])
        .at_most_documents(max);
    let mut pause = Pause::default();
    loop {
        let mut letters = Vec::new();
        let mut writes = Vec::new();
        for document in database.find(question.clone()).await? {
            let Some(mut letter) = read(database, &document).await? else {
                continue;
            };
            if letter.picked_up_at_s.is_none() {
                letter.picked_up_at_s = Some(now_s);
                let fields = Fields::default().number("picked_up_at", now_s);
                let id = Reading(&document).id();
                writes.push(vec![database.change(collection(letter_box), id, fields)]);
            }
            letters.push(letter);
        }
        // Somebody may have swept one away; then all is asked again.
        if database.commit_pieces(writes).await? == Committed::Done {
            return Ok(letters);
        }
        pause.take().await;
    }
}

pub(super) async fn one(
    database: &Database,
    letter_box: LetterBox,
    id: &str,
) -> Result<Option<Letter>> {
    let collection = collection(letter_box);
    let id = document_id(id);
    let mut pause = Pause::default();
    loop {
        let Some(document) = database.document(collection, &id).await? else {
            return Ok(None);
        };
        // Between document and parts it may have been acknowledged.
        match read(database, &document).await? {
            Some(letter) => return Ok(Some(letter)),
            None => pause.take().await,
        }
    }
}

pub(super) async fn acknowledge(
    database: &Database,
    letter_box: LetterBox,
    id: &str,
    now_s: u64,
) -> Result<bool> {
    let collection = collection(letter_box);
    let id = document_id(id);
    let Some(document) = database.document(collection, &id).await? else {
        return Ok(false);
    };
    if Reading(&document).flag("acknowledged")? {
        return Ok(true);
    }
    let emptied = Fields::default()
        .text(CONTENT.field, "")
        .maybe_text(RATCHET_TREE.field, None::<&str>)
        .maybe_text(TAGS.field, None::<&str>)
        .number("acknowledged_at", now_s)
        .flag("acknowledged", true);
    let emptied = LONG_TEXTS
        .iter()
        .fold(emptied, |fields, long| fields.number(long.count_field, 0));
    let mut writes = vec![database.change(collection, &id, emptied)];
    remove_parts(database, &document, &mut writes)?;
    Ok(database.commit(writes).await? == Committed::Done)
}

pub(super) async fn page(
    database: &Database,
    letter_box: LetterBox,
    page: Page<'_>,
) -> Result<Vec<Letter>> {
    let mut question = Question::to(collection(letter_box)).equal_flag("acknowledged", false);
    if let Some(after) = page.after {
        question = question.after_text("id", after);
    }
    let question = question.in_order_of(["id"]).at_most_documents(page.max);
    let mut letters = Vec::new();
    for document in database.find(question).await? {
        letters.extend(read(database, &document).await?);
    }
    Ok(letters)
}

/// The fields of a letter that [`remove_parts`] looks at.
pub(super) const FIELDS_OF_PARTS: [&str; 3] = [
    CONTENT.count_field,
    RATCHET_TREE.count_field,
    TAGS.count_field,
];

/// Whether somebody had it.
pub(super) const ACKNOWLEDGED: &str = "acknowledged";

/// Adds what removes the parts of a letter's texts.
pub(super) fn remove_parts(
    database: &Database,
    document: &Document,
    writes: &mut Vec<Write>,
) -> Result<()> {
    for long in LONG_TEXTS {
        long.remove(database, document, writes)?;
    }
    Ok(())
}

/// None if it went away meanwhile.
async fn read(database: &Database, document: &Document) -> Result<Option<Letter>> {
    let letter = Reading(document);
    let Some(content_b64) = CONTENT.read(database, document).await? else {
        return Ok(None);
    };
    let Some(ratchet_tree) = RATCHET_TREE.read(database, document).await? else {
        return Ok(None);
    };
    let Some(tags) = TAGS.read(database, document).await? else {
        return Ok(None);
    };
    let has = |long: LongText| letter.maybe_text(long.field).map(|text| text.is_some());
    Ok(Some(Letter {
        id: letter.text("id")?.to_owned(),
        recipient: letter.key("recipient")?,
        sender: letter.key("sender")?,
        group_id: letter.maybe_text("group_id")?.map(str::to_owned),
        content_b64,
        ratchet_tree_b64: has(RATCHET_TREE)?.then_some(ratchet_tree),
        tags_json: has(TAGS)?.then_some(tags),
        created_at_s: letter.number("created_at")?,
        expires_at_s: letter.number("expires_at")?,
        picked_up_at_s: letter.maybe_number("picked_up_at")?,
        acknowledged_at_s: letter.maybe_number("acknowledged_at")?,
    }))
}
