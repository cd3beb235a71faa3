//! Blobs as clients get them, over real sockets.

use super::ground::{assert_refused, hash, pdf, relay, store, token, upload};
use crate::BlossomPolicy;
use trellis_relay::testing::{Author, Response, TestRelay};

async fn one() -> (TestRelay, Author, Vec<u8>, String) {
    let relay = relay("").await;
    let alice = Author::new(1);
    let sha256 = store(&relay, &alice, 1).await;
    (relay, alice, pdf(1), format!("/{sha256}"))
}

#[track_caller]
fn header<'r>(answer: &'r Response, name: &str) -> &'r str {
    answer.header(name).unwrap_or_else(|| panic!("no {name}"))
}

#[tokio::test]
async fn b1_a_blob_comes_back_as_it_was_with_what_there_is_to_know() {
    let (relay, _, bytes, path) = one().await;
    for path in [path.clone(), format!("{path}.pdf"), format!("{path}.html")] {
        let answer = relay.get(&path).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.body == bytes);
        assert_eq!(header(&answer, "content-type"), "application/pdf");
        assert_eq!(header(&answer, "content-length"), bytes.len().to_string());
        assert_eq!(header(&answer, "etag"), format!("\"{}\"", &path[1..65]));
        assert_eq!(header(&answer, "accept-ranges"), "bytes");
        let kept = header(&answer, "cache-control");
        assert_eq!(kept, "public, max-age=31536000, immutable");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        let policy = header(&answer, "content-security-policy");
        assert!(policy.starts_with("sandbox; default-src 'none'"));
        assert_eq!(header(&answer, "access-control-allow-origin"), "*");
        assert_eq!(answer.header("sunset"), None);

        let head = relay.request("HEAD", &path).await;
        assert_eq!(head.status, 200);
        assert!(head.body.is_empty());
        let told = |answer: &Response| -> Vec<_> {
            let headers = answer.headers.iter().filter(|(name, _)| name != "date");
            let mut headers: Vec<_> = headers.cloned().collect();
            headers.sort_unstable();
            headers
        };
        assert_eq!(told(&head), told(&answer));
    }
}

#[tokio::test]
async fn b1_what_is_known_is_not_sent_again() {
    let (relay, _, bytes, path) = one().await;
    let tag = format!("\"{}\"", &path[1..]);
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        "*".to_owned(),
        format!("\"a\", {tag}"),
    ] {
        let answer = relay.get(&path).header("If-None-Match", &known).await;
        assert_eq!(answer.status, 304, "{known}");
        assert_eq!(header(&answer, "etag"), tag);
        assert!(answer.body.is_empty());
    }
    let answer = relay.get(&path).header("If-None-Match", "\"a\"").await;
    assert_eq!((answer.status, answer.body.len()), (200, bytes.len()));
}

#[tokio::test]
async fn b1_parts_are_sent_as_they_are_asked_for() {
    let (relay, _, bytes, path) = one().await;
    let length = bytes.len();
    for (range, part) in [
        ("bytes=0-0".to_owned(), 0..1),
        ("bytes=5-".to_owned(), 5..length),
        ("bytes=-7".to_owned(), length - 7..length),
        (format!("bytes=3-{}", length * 2), 3..length),
        (format!("bytes=0-{}", length - 1), 0..length),
        ("bytes=0-".to_owned(), 0..length),
        (format!("bytes=-{}", length * 2), 0..length),
    ] {
        let answer = relay.get(&path).header("Range", &range).await;
        assert_eq!(answer.status, 206, "{range}");
        assert!(answer.body == bytes[part.clone()], "{range}");
        let place = format!("bytes {}-{}/{length}", part.start, part.end - 1);
        assert_eq!(header(&answer, "content-range"), place);
    }
    let outside = relay
        .get(&path)
        .header("Range", &format!("bytes={length}-"))
        .await;
    assert_refused(&outside, 416, "outside");
    assert_eq!(
        header(&outside, "content-range"),
        format!("bytes */{length}")
    );
    let whole = relay.get(&path).header("Range", "bytes=0-1, 3-4").await;
    assert_eq!((whole.status, whole.body.len()), (200, length));
    let changed = relay.get(&path).header("Range", "bytes=0-1");
    let changed = changed.header("If-Range", "\"another\"").await;
    assert_eq!((changed.status, changed.body.len()), (200, length));
    let head = relay
        .request("HEAD", &path)
        .header("Range", "bytes=0-1")
        .await;
    assert_eq!(head.status, 200);
    assert_eq!(header(&head, "content-length"), length.to_string());
}

#[tokio::test]
async fn b1_what_is_not_there_or_no_name_is_said_so() {
    let (relay, _, _, path) = one().await;
    let unknown = relay.get(&format!("/{}", hash(b"unknown"))).await;
    assert_refused(&unknown, 404, "no such blob");
    let upper = relay.get(&path.to_uppercase()).await;
    assert_refused(&upper, 400, "lower case");
    let head = relay
        .request("HEAD", &format!("/{}.png", hash(b"unknown")))
        .await;
    assert_refused(&head, 404, "no such blob");
}

#[tokio::test]
async fn b7_what_is_blocked_is_shown_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.txt");
    std::fs::write(&list, "").unwrap();
    let setup = TestRelay::of::<BlossomPolicy>();
    let table = format!(
        "[extensions.blossom_policy.block_lists]\nfiles = [{list:?}]\nreload_interval = '1s'"
    );
    let relay = setup.config(&table).start().await;
    let sha256 = store(&relay, &Author::new(1), 1).await;
    let path = format!("/{sha256}");
    assert_eq!(relay.get(&path).await.status, 200);
    std::fs::write(&list, format!("{sha256}\n")).unwrap();
    trellis_relay::testing::until("the list is read", async || {
        relay.get(&path).await.status == 451
    })
    .await;
    for method in ["GET", "HEAD"] {
        let answer = relay
            .request(method, &path)
            .header("If-None-Match", "*")
            .await;
        assert_refused(&answer, 451, "may not be shown");
    }
}

#[tokio::test]
async fn b3_where_reading_is_for_those_who_sign_nobody_else_reads() {
    let relay = relay("require_auth_to_read = true").await;
    let (alice, bob) = (Author::new(1), Author::new(2));
    let sha256 = store(&relay, &alice, 1).await;
    let path = format!("/{sha256}");
    assert_refused(&relay.get(&path).await, 401, "sign");
    let get = |blobs: &[crate::blob::BlobHash]| {
        let token = token(&bob, "get", blobs);
        relay.get(&path).header("Authorization", &token)
    };
    let answer = get(&[sha256]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(header(&answer, "cache-control").starts_with("private"));
    assert_eq!(get(&[]).await.status, 200);
    assert_refused(&get(&[hash(b"another")]).await, 401, "x tag");
    let delete = token(&bob, "delete", &[sha256]);
    let other = relay.get(&path).header("Authorization", &delete).await;
    assert_eq!(other.status, 401);
}

#[tokio::test]
async fn b12_the_header_sunset_tells_when_a_blob_goes() {
    let relay = relay("retention.days = 2").await;
    let sha256 = store(&relay, &Author::new(1), 1).await;
    let answer = relay.get(&format!("/{sha256}")).await;
    assert!(header(&answer, "sunset").ends_with(" GMT"));
    let kept = header(&answer, "cache-control");
    assert_eq!(kept, "public, max-age=172800, immutable");
}

#[tokio::test]
async fn b5_what_nobody_can_look_into_is_offered_as_a_file() {
    let relay = relay("encrypted.allow = true").await;
    let bytes = crate::ground::noise(1, 3_000);
    let stored = upload(&relay, &Author::new(1), "application/octet-stream", &bytes).await;
    assert_eq!(stored.status, 201, "{}", stored.text());
    let answer = relay.get(&format!("/{}.bin", hash(&bytes))).await;
    assert!(answer.body == bytes);
    assert_eq!(header(&answer, "content-type"), "application/octet-stream");
    assert_eq!(header(&answer, "content-disposition"), "attachment");
}

#[tokio::test]
async fn b6_a_blob_whose_bytes_are_lost_is_not_there_by_get_and_head_alike() {
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(&format!("path = {:?}", folder.path())).await;
    let sha256 = store(&relay, &Author::new(1), 1).await;
    let name = sha256.to_string();
    let file = folder.path().join("files").join(&name[..2]);
    let file = file.join(&name[2..4]).join(&name);
    let path = format!("/{name}");
    // Another length than it had is no blob either.
    std::fs::write(&file, [pdf(1), pdf(1)].concat()).unwrap();
    for method in ["GET", "HEAD"] {
        let answer = relay.request(method, &path).await;
        assert_refused(&answer, 500, "could not be done");
    }
    store(&relay, &Author::new(1), 1).await;
    assert_eq!(relay.request("GET", &path).await.body, pdf(1));
    std::fs::remove_file(&file).unwrap();
    for method in ["GET", "HEAD"] {
        let answer = relay.request(method, &path).await;
        assert_refused(&answer, 404, "no such blob");
    }
    let lost = relay.metric("trellis_blossom_downloads_total", &[("result", "lost")]);
    assert!(lost.await >= 2.0);
    // Whoever has it brings it back.
    store(&relay, &Author::new(1), 1).await;
    for method in ["GET", "HEAD"] {
        assert_eq!(relay.request(method, &path).await.status, 200);
    }
}
