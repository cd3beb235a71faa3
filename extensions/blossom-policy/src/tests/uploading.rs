//! `PUT /upload`, `HEAD /upload`, and who may.

use super::ground::*;
use crate::blob::BlobHash;
use serde_json::Value;
use std::time::Duration;
use trellis_relay::testing::{Author, HttpsServer, Response, TestRelay, until};

#[tokio::test]
async fn b2_an_upload_is_new_once_and_known_from_then_on() {
    let relay = relay("").await;
    let (alice, bytes) = (Author::new(1), pdf(1));
    let answer = upload(&relay, &alice, "application/pdf", &bytes).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let told: Value = answer.json();
    let name = hash(&bytes).to_string();
    assert_eq!(told["sha256"], name);
    assert_eq!(told["size"], bytes.len());
    assert_eq!(told["type"], "application/pdf");
    assert_eq!(told["url"], format!("{}/{name}.pdf", relay.http_url()));
    assert!(told["uploaded"].as_u64().is_some());
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));

    let again = upload(&relay, &alice, "application/pdf", &bytes).await;
    assert_eq!((again.status, again.json::<Value>()), (200, told.clone()));
    let other = upload(&relay, &Author::new(2), "application/pdf", &bytes).await;
    assert_eq!((other.status, other.json::<Value>()), (200, told));
    let got = relay.get(&format!("/{name}")).await;
    assert_eq!((got.status, got.body), (200, bytes));
}

#[tokio::test]
async fn b3_a_token_is_needed_and_must_name_the_blob() {
    let relay = relay("").await;
    let (alice, bytes) = (Author::new(1), pdf(1));
    let put = |authorization: Option<String>| {
        let call = relay
            .put("/upload")
            .header("Content-Type", "application/pdf");
        let call = call.body(&*bytes);
        match authorization {
            Some(header) => call.header("Authorization", &header),
            None => call,
        }
    };
    let unsigned = put(None).await;
    assert_refused(&unsigned, 401, "kind 24242");
    assert_eq!(unsigned.header("www-authenticate"), Some("Nostr"));
    for (header, words) in [
        ("Bearer x".to_owned(), "base64url"),
        ("Nostr ?".to_owned(), "base64url"),
        (format!("Nostr {}", "e30"), "not valid"),
        (token(&alice, "delete", &[hash(&bytes)]), "\"upload\""),
        (token(&alice, "upload", &[]), "no x tag"),
        (token(&alice, "upload", &[hash(b"other")]), "no x tag"),
    ] {
        assert_refused(&put(Some(header)).await, 401, words);
    }
    // However much is sent, the answer is heard.
    let long = relay
        .put("/upload")
        .header("Content-Type", "application/pdf");
    assert_refused(&long.body(vec![b'%'; 8 << 20]).await, 401, "kind 24242");
    // Of several blobs one is enough, and either alphabet will do.
    let both = token(&alice, "upload", &[hash(b"other"), hash(&bytes)]);
    assert_eq!(put(Some(as_plain_base64(&both))).await.status, 201);
    assert_eq!(put(Some(both)).await.status, 200);
}

#[tokio::test]
async fn b3_a_token_for_another_server_is_none_and_one_for_us_is() {
    let relay = relay("url = 'https://cdn.example.com'").await;
    let (alice, bytes) = (Author::new(1), pdf(1));
    let for_server = |server: &str| {
        use base64::Engine as _;
        let expires = (trellis_relay::testing::START_S + 60).to_string();
        let draft = alice.draft(24242).at(trellis_relay::testing::START_S);
        let draft = draft.tag(["t", "upload"]).tag(["expiration", &expires]);
        let draft = draft.tag(["x", &hash(&bytes).to_string()]);
        let event = draft.tag(["server", server]).sign();
        let token = base64::engine::general_purpose::URL_SAFE.encode(event.json());
        let call = relay
            .put("/upload")
            .header("Authorization", &format!("Nostr {token}"));
        call.header("Content-Type", "application/pdf").body(&*bytes)
    };
    assert_refused(&for_server("evil.example").await, 401, "another server");
    // What the client says that we are is not believed.
    let lied = for_server("evil.example").header("Host", "evil.example");
    assert_refused(&lied.await, 401, "another server");
    let answer = for_server("cdn.example.com").await;
    let told: Value = answer.json();
    let url = told["url"].as_str().unwrap();
    assert!(url.starts_with("https://cdn.example.com/"), "{url}");
}

#[tokio::test]
async fn b3_a_signed_request_will_do_and_is_refused_with_403() {
    let relay = relay("").await;
    let (alice, bytes) = (Author::new(1), pdf(1));
    let put = || {
        let call = relay
            .put("/upload")
            .header("Content-Type", "application/pdf");
        call.body(&*bytes)
    };
    let other = put()
        .nip98(&alice)
        .signed_url("https://evil.example/upload");
    assert_refused(&other.await, 403, "the u tag");
    assert_eq!(put().nip98(&alice).await.status, 201);
    let name = hash(&bytes);
    let gone = relay.delete(&format!("/{name}")).nip98(&alice).await;
    assert_eq!(gone.status, 204, "{}", gone.text());
}

#[tokio::test]
async fn b3_whom_the_relays_lists_keep_out_signs_for_nothing_either_way() {
    let alice = Author::new(1);
    let lists = format!(
        "[extensions.blossom_policy]\n[auth.req]\npubkey_blacklist = ['{}']",
        alice.pubkey().to_hex()
    );
    let relay = TestRelay::of::<crate::BlossomPolicy>().config(&lists);
    let relay = relay.start().await;
    let list = |author: &Author| relay.get(&format!("/list/{}", author.pubkey().to_hex()));
    let by_token = list(&alice).header("Authorization", &token(&alice, "list", &[]));
    let by_token = by_token.await;
    assert_refused(&by_token, 403, "");
    let by_request = list(&alice).nip98(&alice).await;
    assert_refused(&by_request, 403, "");
    assert_eq!(by_request.text(), by_token.text());
    let name = hash(b"x");
    let gone = relay.delete(&format!("/{name}")).nip98(&alice).await;
    assert_eq!(gone.text(), by_token.text());
    let stored = relay.put("/upload").body(pdf(1)).nip98(&alice).await;
    assert_eq!(stored.text(), by_token.text());
    let bob = Author::new(2);
    assert_eq!(list(&bob).nip98(&bob).await.status, 200);
}

#[tokio::test]
async fn b2_what_is_announced_must_be_what_comes() {
    let relay = relay("max_upload_bytes = 1000").await;
    let (alice, bytes) = (Author::new(1), pdf(1));
    let announced = |sha256: &str| {
        let call = upload(&relay, &alice, "application/pdf", &bytes);
        call.header("X-SHA-256", sha256)
    };
    assert_refused(&announced("abc").await, 400, "X-SHA-256");
    // It is not what was signed for, and that is known before anything is read.
    let other = hash(b"other").to_string();
    assert_refused(&announced(&other).await, 401, "no x tag");
    let both = token(&alice, "upload", &[hash(&bytes), hash(b"other")]);
    let lied = relay.put("/upload").header("Authorization", &both);
    let lied = lied
        .header("Content-Type", "application/pdf")
        .header("X-SHA-256", &other);
    assert_refused(&lied.body(&*bytes).await, 409, "another sha256");
    assert_eq!(announced(&hash(&bytes).to_string()).await.status, 201);

    let png = upload(&relay, &alice, "image/png", &bytes).await;
    assert_refused(&png, 415, "application/pdf");
    let html = upload(&relay, &alice, "application/pdf", b"<html>").await;
    assert_refused(&html, 415, "");
    let long = upload(&relay, &alice, "application/pdf", &[b'%'; 1001]).await;
    assert_refused(&long, 413, "1000 bytes");
    let empty = upload(&relay, &alice, "application/pdf", b"").await;
    assert_refused(&empty, 400, "empty");
}

#[tokio::test]
async fn b2_head_decides_as_put_does() {
    let relay = relay("max_upload_bytes = 1000\nupload_by = 'listed'\nuploaders = []").await;
    let (alice, name) = (Author::new(1), hash(b"x"));
    let head = |headers: &[(&str, &str)]| {
        let mut call = relay.request("HEAD", "/upload");
        for (name, value) in headers {
            call = call.header(name, value);
        }
        call
    };
    assert_refused(&head(&[]).await, 401, "kind 24242");
    let token = token(&alice, "upload", &[name]);
    let signed = ("Authorization", token.as_str());
    assert_refused(&head(&[signed]).await, 403, "listed");
    let relay = super::ground::relay("max_upload_bytes = 1000").await;
    let head = |headers: &[(&str, &str)]| {
        let mut call = relay.request("HEAD", "/upload").header(signed.0, signed.1);
        for (name, value) in headers {
            call = call.header(name, value);
        }
        call
    };
    let pdf = ("X-Content-Type", "application/pdf");
    assert_refused(&head(&[]).await, 411, "X-Content-Length");
    assert_refused(&head(&[pdf]).await, 411, "X-Content-Length");
    assert_refused(
        &head(&[pdf, ("X-Content-Length", "1001")]).await,
        413,
        "1000",
    );
    assert_refused(
        &head(&[pdf, ("X-Content-Length", "-1")]).await,
        400,
        "number",
    );
    let exe = ("X-Content-Type", "application/x-msdownload");
    assert_refused(
        &head(&[exe, ("X-Content-Length", "9")]).await,
        415,
        "not stored",
    );
    let small = ("X-Content-Length", "9");
    let other = hash(b"y").to_string();
    assert_refused(
        &head(&[pdf, small, ("X-SHA-256", &other)]).await,
        401,
        "x tag",
    );
    let name = name.to_string();
    let yes = head(&[pdf, small, ("X-SHA-256", &name)]).await;
    assert_eq!((yes.status, yes.body.len()), (200, 0));
}

#[tokio::test]
async fn b9_a_key_uploads_so_often_in_a_minute_whatever_its_address() {
    let relay = relay("rates = { uploads_per_minute = 2 }").await;
    let alice = Author::new(1);
    for number in 1..=2 {
        store(&relay, &alice, number).await;
    }
    let bytes = pdf(3);
    let late = upload(&relay, &alice, "application/pdf", &bytes).await;
    assert_refused(&late, 429, "try again in");
    assert!(late.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    // Others are not concerned, and time heals.
    store(&relay, &Author::new(2), 3).await;
    relay.clock().advance(Duration::from_secs(121));
    store(&relay, &alice, 4).await;
}

#[tokio::test]
async fn b9_keys_are_cheap_so_an_address_is_counted_as_well() {
    let relay = relay("rates = { uploads_per_minute_and_ip = 2 }").await;
    for number in 1..=2 {
        store(&relay, &Author::new(number), number).await;
    }
    let bytes = pdf(3);
    let late = upload(&relay, &Author::new(3), "application/pdf", &bytes).await;
    assert_refused(&late, 429, "try again in");
}

#[tokio::test]
async fn b9_a_quota_is_told_and_deleting_frees_it() {
    let bytes = pdf(1);
    let table = format!("quota = {{ bytes_per_pubkey = {} }}", bytes.len() * 2);
    let relay = relay(&table).await;
    let alice = Author::new(1);
    let first = store(&relay, &alice, 1).await;
    store(&relay, &alice, 2).await;
    let third = pdf(3);
    let full = upload(&relay, &alice, "application/pdf", &third).await;
    assert_refused(&full, 429, "together");
    assert!(full.header("retry-after").is_some());
    delete(&relay, &alice, first).await;
    store(&relay, &alice, 3).await;
}

#[tokio::test]
async fn b2_what_one_has_already_needs_no_room() {
    let bytes = pdf(1).len();
    for quota in [
        format!("bytes_per_pubkey = {bytes}"),
        "blobs_per_pubkey = 1".to_owned(),
        format!("total_bytes = {bytes}"),
    ] {
        let relay = relay(&format!("quota = {{ {quota} }}")).await;
        let alice = Author::new(1);
        store(&relay, &alice, 1).await;
        // Named by the token, by a header where the token has several, and by a signed request.
        let again = upload(&relay, &alice, "application/pdf", &pdf(1)).await;
        assert_eq!(again.status, 200, "{quota}: {}", again.text());
        let both = token(&alice, "upload", &[hash(&pdf(1)), hash(&pdf(2))]);
        let put = |number: u64| {
            let call = relay.put("/upload");
            call.header("Content-Type", "application/pdf")
                .body(pdf(number))
        };
        let told = put(1).header("Authorization", &both);
        let told = told.header("X-SHA-256", &hash(&pdf(1)).to_string());
        assert_eq!(told.await.status, 200, "{quota}");
        assert_eq!(put(1).nip98(&alice).await.status, 200, "{quota}");
        // What is only said to be that one gets no room by it.
        let lied = put(2).header("Authorization", &both);
        let lied = lied.header("X-SHA-256", &hash(&pdf(1)).to_string());
        assert_refused(&lied.await, 409, "another sha256");
        assert!([429, 507].contains(&put(2).nip98(&alice).await.status));
    }
}

#[tokio::test]
async fn b2_head_knows_whether_there_is_room() {
    let relay = relay(&format!(
        "quota = {{ bytes_per_pubkey = {bytes}, total_bytes = {bytes} }}",
        bytes = pdf(1).len()
    ))
    .await;
    let (alice, bob) = (Author::new(1), Author::new(2));
    let head = |author: &Author, number: u64, bytes: usize| {
        let token = token(author, "upload", &[hash(&pdf(number))]);
        let call = relay
            .request("HEAD", "/upload")
            .header("Authorization", &token);
        let call = call.header("X-Content-Type", "application/pdf");
        call.header("X-Content-Length", &bytes.to_string())
    };
    let bytes = pdf(1).len();
    assert_eq!(head(&alice, 1, bytes).await.status, 200);
    assert_refused(&head(&alice, 1, bytes + 1).await, 507, "full");
    // Asking takes no room.
    store(&relay, &alice, 1).await;
    assert_eq!(head(&alice, 1, bytes).await.status, 200);
    assert_refused(&head(&bob, 2, bytes).await, 507, "full");
}

#[tokio::test]
async fn b2_a_full_server_says_507() {
    let table = format!("quota = {{ total_bytes = {} }}", pdf(1).len());
    let relay = relay(&table).await;
    store(&relay, &Author::new(1), 1).await;
    let bytes = pdf(2);
    let full = upload(&relay, &Author::new(2), "application/pdf", &bytes).await;
    assert_refused(&full, 507, "full");
}

#[tokio::test]
async fn b5_ciphertext_is_stored_where_the_operator_says_so() {
    let closed = relay("").await;
    let noise: Vec<u8> = (0_u32..999)
        .flat_map(|it| hash(&it.to_le_bytes()).as_bytes()[..1].to_vec())
        .collect();
    let alice = Author::new(1);
    let refused = upload(&closed, &alice, "application/octet-stream", &noise).await;
    assert_refused(&refused, 415, "application/octet-stream");
    let open = relay("encrypted = { allow = true }").await;
    let stored = upload(&open, &alice, "application/octet-stream", &noise).await;
    assert_eq!(stored.status, 201, "{}", stored.text());
    let told: Value = stored.json();
    assert_eq!(told["type"], "application/octet-stream");
    assert!(told["url"].as_str().unwrap().ends_with(".bin"));
    let program = [b"\x7fELF\x02\x01\x01\x00", &noise[..]].concat();
    let refused = upload(&open, &alice, "application/octet-stream", &program).await;
    assert_refused(&refused, 415, "executable");
}

#[tokio::test]
async fn b12_nobody_pays_for_what_has_no_room() {
    let service = HttpsServer::start(|_| Response {
        status: 200,
        headers: Vec::new(),
        body: Vec::new(),
    });
    let relay = TestRelay::of::<crate::BlossomPolicy>();
    let (outbound, url) = (service.outbound(), service.url("/pay"));
    let relay = relay.config(&format!(
        "{outbound}\n[extensions.blossom_policy]\npayment.url = '{url}'\nquota.bytes_per_pubkey = {}",
        pdf(1).len()
    ));
    let relay = relay.start().await;
    store(&relay, &Author::new(1), 1).await;
    assert_eq!(service.asked().len(), 1);
    let bytes = pdf(2);
    let paid = upload(&relay, &Author::new(1), "application/pdf", &bytes);
    assert_refused(&paid.header("X-Cashu", "cashuB").await, 429, "together");
    assert_eq!(service.asked().len(), 1);
}

#[tokio::test]
async fn b5_media_is_no_ciphertext_whoever_says_so() {
    let relay = relay("encrypted = { allow = true, bytes_per_pubkey = 1 }").await;
    let bytes = pdf(1);
    let alice = Author::new(1);
    let roomless = upload(&relay, &alice, "application/octet-stream", &bytes).await;
    assert_refused(&roomless, 429, "encrypted");
    let relay = super::ground::relay("encrypted = { allow = true }").await;
    let first = upload(&relay, &alice, "application/octet-stream", &bytes).await;
    assert_eq!(first.status, 201, "{}", first.text());
    assert_eq!(first.json::<Value>()["type"], "application/pdf");
    let later = upload(&relay, &Author::new(2), "application/pdf", &bytes).await;
    assert_eq!(later.json::<Value>(), first.json::<Value>());
    let got = relay.get(&format!("/{}", hash(&bytes))).await;
    assert_eq!(got.header("content-type"), Some("application/pdf"));
}

#[tokio::test]
async fn b10_the_last_owner_takes_the_blob_along_and_other_tags_delete_nothing() {
    let relay = relay("").await;
    let (alice, bob) = (Author::new(1), Author::new(2));
    let shared = store(&relay, &alice, 1).await;
    assert_eq!(store(&relay, &bob, 1).await, shared);
    let other = store(&relay, &alice, 2).await;
    let path = format!("/{shared}");
    let wrong = token(&alice, "delete", &[other]);
    let wrong = relay.delete(&path).header("Authorization", &wrong);
    assert_refused(&wrong.await, 401, "x tag");
    let stranger = token(&Author::new(3), "delete", &[shared]);
    let stranger = relay.delete(&path).header("Authorization", &stranger);
    assert_refused(&stranger.await, 403, "somebody else's");

    let both = token(&alice, "delete", &[shared, other]);
    let gone = relay.delete(&path).header("Authorization", &both).await;
    assert_eq!(gone.status, 204);
    assert_eq!(relay.get(&path).await.status, 200);
    assert_eq!(relay.get(&format!("/{other}")).await.status, 200);
    delete(&relay, &bob, shared).await;
    assert_refused(&relay.get(&path).await, 404, "no such blob");
    let again = token(&bob, "delete", &[shared]);
    let again = relay.delete(&path).header("Authorization", &again).await;
    assert_refused(&again, 404, "no such blob");
}

async fn delete(relay: &TestRelay, author: &Author, name: BlobHash) {
    let token = token(author, "delete", &[name]);
    let call = relay
        .delete(&format!("/{name}"))
        .header("Authorization", &token);
    assert_eq!(call.await.status, 204);
}

#[tokio::test]
async fn b12_what_has_been_kept_long_enough_is_removed_and_says_so_before() {
    let relay = relay("retention = { days = 2 }").await;
    let name = store(&relay, &Author::new(1), 1).await;
    let path = format!("/{name}");
    let kept = relay.get(&path).await;
    assert!(kept.header("sunset").is_some_and(|it| it.ends_with(" GMT")));
    relay.clock().advance(Duration::from_secs(3 * 86_400));
    let relay = relay.restart().await;
    until("it is gone", async || relay.get(&path).await.status == 404).await;
}

#[tokio::test]
async fn b1_what_is_not_there_says_why_and_may_be_read_by_any_page() {
    let relay = relay("host = 'media.example'").await;
    let at_host = |method: &str, path: &str| {
        let call = relay.request(method, path).header("Host", "media.example");
        call.header("Origin", "https://app.example")
    };
    assert_refused(&at_host("GET", "/nothing").await, 404, "nothing here");
    assert_refused(&at_host("POST", "/upload").await, 405, "not to be had");
    let health = at_host("GET", "/health").await;
    assert_eq!(health.json::<Value>()["status"], "healthy");
    let preflight = at_host("OPTIONS", "/upload").header("Access-Control-Request-Method", "PUT");
    let preflight = preflight.await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    let allowed = preflight.header("access-control-allow-headers").unwrap();
    assert!(
        allowed.contains("Authorization") && allowed.contains('*'),
        "{allowed}"
    );
}
