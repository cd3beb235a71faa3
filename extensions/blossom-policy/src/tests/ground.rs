//! What the tests stand on: a relay with the server in it, people with tokens, and blobs.

use crate::BlossomPolicy;
use crate::blob::BlobHash;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use trellis_relay::testing::{Author, HttpCall, Response, START_S, TestRelay};

/// A relay with this table in `[extensions.blossom_policy]`.
pub(super) async fn relay(table: &str) -> TestRelay {
    let config = format!("[extensions.blossom_policy]\n{table}");
    TestRelay::of::<BlossomPolicy>()
        .config(&config)
        .start()
        .await
}

/// A PDF like no other.
pub(super) fn pdf(number: u64) -> Vec<u8> {
    format!(
        "%PDF-1.7\n%\u{e9}\n1 0 obj <</Type /Catalog /N {number}>> endobj\ntrailer <<>>\n%%EOF\n"
    )
    .into_bytes()
}

pub(super) fn hash(bytes: &[u8]) -> BlobHash {
    BlobHash::from_bytes(Sha256::digest(bytes).into())
}

/// The header with a token (BUD-11) for this verb and these blobs, as clients of today write it.
pub(super) fn token(author: &Author, verb: &str, blobs: &[BlobHash]) -> String {
    let expires = (START_S + 3600).to_string();
    let mut draft = author.draft(24242).at(START_S);
    draft = draft.tag(["t", verb]).tag(["expiration", &expires]);
    for blob in blobs {
        draft = draft.tag(["x", &blob.to_string()]);
    }
    let event = draft.content("for a test").sign();
    format!("Nostr {}", URL_SAFE_NO_PAD.encode(event.json()))
}

/// The same header in the other alphabet, with padding.
pub(super) fn as_plain_base64(header: &str) -> String {
    let json = URL_SAFE_NO_PAD.decode(&header[6..]).unwrap();
    format!("Nostr {}", STANDARD.encode(json))
}

/// An upload that is signed as it should be.
pub(super) fn upload(
    relay: &TestRelay,
    author: &Author,
    mime_type: &str,
    bytes: &[u8],
) -> HttpCall {
    relay
        .put("/upload")
        .header("Authorization", &token(author, "upload", &[hash(bytes)]))
        .header("Content-Type", mime_type)
        .body(bytes)
}

/// Stores a PDF, and fails the test if it is not stored.
pub(super) async fn store(relay: &TestRelay, author: &Author, number: u64) -> BlobHash {
    let bytes = pdf(number);
    let answer = upload(relay, author, "application/pdf", &bytes).await;
    assert!([200, 201].contains(&answer.status), "{}", answer.text());
    hash(&bytes)
}

/// Fails unless an answer is this refusal, in the form that all have.
#[track_caller]
pub(super) fn assert_refused(answer: &Response, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let reason = answer.header("x-reason").expect("an X-Reason");
    assert!(reason.contains(words), "{reason}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    if !answer.body.is_empty() {
        let told: serde_json::Value = answer.json();
        assert_eq!(told["code"], status);
        assert!(
            told["error"].as_str().is_some_and(|it| it.contains(words)),
            "{told}"
        );
    }
}
