//! `PUT /media`.

use super::ground::*;
use crate::stripping::strip;
use serde_json::Value;
use trellis_relay::testing::{Author, HttpCall, TestRelay};

const PICTURE: &[u8] = include_bytes!("../sniffing/corpus/written/pillow_exif.jpg");

fn media(relay: &TestRelay, mime_type: &str, bytes: &[u8]) -> HttpCall {
    let token = token(&Author::new(1), "media", &[hash(bytes)]);
    let call = relay.put("/media").header("Authorization", &token);
    call.header("Content-Type", mime_type).body(bytes)
}

#[tokio::test]
async fn b12_a_picture_is_stored_without_its_metadata() {
    let relay = relay("").await;
    let stripped = strip("image/jpeg", PICTURE.into()).unwrap();
    let first = media(&relay, "image/jpeg", PICTURE).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let told: Value = first.json();
    assert_eq!(told["sha256"], hash(&stripped).to_string());
    assert_eq!(told["size"], stripped.len());
    assert_eq!(told["type"], "image/jpeg");
    assert_eq!(media(&relay, "image/jpeg", PICTURE).await.status, 200);
    // What came in was not kept.
    let original = upload(&relay, &Author::new(1), "image/jpeg", PICTURE).await;
    assert_eq!(original.status, 201, "{}", original.text());
}

#[tokio::test]
async fn b12_what_is_no_whole_picture_is_no_media() {
    let relay = relay("").await;
    let other = media(&relay, "application/pdf", &pdf(1)).await;
    assert_refused(&other, 415, "only JPEG");
    // A second picture where the first should end.
    let broken = [&PICTURE[..PICTURE.len() - 2], PICTURE].concat();
    let broken = media(&relay, "image/jpeg", &broken).await;
    assert_refused(&broken, 422, "broken");
    assert_refused(
        &media(&relay, "image/png", PICTURE).await,
        415,
        "image/jpeg",
    );
    assert_refused(
        &media(&relay, "image/jpeg", b"<html></html>").await,
        415,
        "HTML",
    );
    let token = token(&Author::new(1), "upload", &[hash(PICTURE)]);
    let call = relay
        .put("/media")
        .header("Authorization", &token)
        .header("Content-Type", "image/jpeg");
    assert_refused(&call.body(PICTURE).await, 401, "media");
}

#[tokio::test]
async fn b12_a_blocked_picture_is_refused_by_what_was_sent() {
    let folder = tempfile::TempDir::new().unwrap();
    let list = folder.path().join("list.txt");
    std::fs::write(&list, hash(PICTURE).to_string()).unwrap();
    let relay = relay(&format!(
        "block_lists = {{ files = ['{}'] }}",
        list.display()
    ))
    .await;
    assert_refused(
        &media(&relay, "image/jpeg", PICTURE).await,
        403,
        "not stored here",
    );
}

#[tokio::test]
async fn b12_media_can_be_asked_about_and_switched_off() {
    let ask = |relay: &TestRelay| {
        let token = token(&Author::new(1), "media", &[hash(PICTURE)]);
        let call = relay
            .request("HEAD", "/media")
            .header("Authorization", &token);
        let call = call.header("X-SHA-256", &hash(PICTURE).to_string());
        call.header("X-Content-Type", "image/jpeg")
            .header("X-Content-Length", &PICTURE.len().to_string())
    };
    let on = relay("").await;
    assert_eq!(ask(&on).await.status, 200);
    let off = relay("media = { strip = false }").await;
    assert_eq!(ask(&off).await.status, 404);
    assert_refused(
        &media(&off, "image/jpeg", PICTURE).await,
        404,
        "does not offer",
    );
}

#[tokio::test]
async fn b12_head_knows_which_types_media_has() {
    let relay = relay("").await;
    let ask = async |mime_type: &str| {
        let token = token(&Author::new(1), "media", &[hash(b"x")]);
        let call = relay.request("HEAD", "/media");
        let call = call.header("Authorization", &token);
        let call = call.header("X-Content-Type", mime_type);
        call.header("X-Content-Length", "1000").await
    };
    assert_refused(&ask("application/pdf").await, 415, "only JPEG");
    for mime_type in ["image/jpeg", "image/png", "image/gif", "image/webp"] {
        assert_eq!(ask(mime_type).await.status, 200, "{mime_type}");
    }
}

#[tokio::test]
async fn b12_a_picture_that_lacks_but_its_end_is_given_one() {
    let relay = relay("").await;
    let gif = include_bytes!("../sniffing/corpus/written/pillow_animated.gif");
    let (last, cut) = gif.split_last().unwrap();
    assert_eq!(*last, 0x3b);
    let stripped = strip("image/gif", gif[..].into()).unwrap();
    let answer = media(&relay, "image/gif", cut).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(
        answer.json::<Value>()["sha256"],
        hash(&stripped).to_string()
    );
    // As it is, it is taken as well.
    let as_is = upload(&relay, &Author::new(1), "image/gif", cut).await;
    assert_eq!(as_is.status, 201, "{}", as_is.text());
    // What stands behind the last image, where the end should be, is no way in.
    let page = [cut, b"<script>alert(1)</script>"].concat();
    assert_refused(&media(&relay, "image/gif", &page).await, 422, "broken");
    let zip = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let archive = [cut, zip].concat();
    assert_refused(&media(&relay, "image/gif", &archive).await, 415, "archive");
}
