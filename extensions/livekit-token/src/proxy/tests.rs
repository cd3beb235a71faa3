//! The proxy over real sockets, before a Blossom server that speaks TLS.

#![allow(clippy::unwrap_used)]

use crate::LivekitToken;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use trellis_relay::testing::{HttpCall, HttpsServer, Response, TestRelay, Value, json};

const BOUNDARY: &str = "a-boundary-of-tests";
const MEMBER: u64 = 1;

/// The form with these parts; the one called `file` is a PNG.
fn form(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut body = String::new();
    for (name, value) in parts {
        let file = match *name {
            "file" => "; filename=\"secret name.png\"\r\nContent-Type: image/png",
            _ => "",
        };
        body.push_str(&format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n"
        ));
    }
    format!("{body}--{BOUNDARY}--\r\n").into_bytes()
}

fn call(relay: &TestRelay, parts: &[(&str, &str)]) -> HttpCall {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let call = relay.post("/proxy").header("Content-Type", &content_type);
    call.header("X-Forwarded-For", "192.0.2.7")
        .header("Cookie", "a=b")
        .body(form(parts))
}

async fn ask(relay: &TestRelay, parts: &[(&str, &str)]) -> Response {
    call(relay, parts).nip98(&relay.author(MEMBER)).await
}

async fn download(relay: &TestRelay, url: &str) -> Response {
    ask(relay, &[("action", "download"), ("url", url)]).await
}

fn code(answer: &Response) -> String {
    let said: Value = answer.json();
    said["error"]["code"].as_str().unwrap_or("none").to_owned()
}

fn told(status: u16, headers: &[(&str, String)], body: impl Into<Vec<u8>>) -> Response {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    Response {
        status,
        headers: headers.collect(),
        body: body.into(),
    }
}

fn sha256(bytes: &[u8]) -> String {
    const_hex::encode(Sha256::digest(bytes))
}

/// A relay whose Blossom server is this one.
async fn relay_before(blossom: &HttpsServer, table: &str) -> TestRelay {
    start(
        &format!("blossom_url = '{}'\n{table}", blossom.url("")),
        &blossom.outbound(),
    )
    .await
}

/// Nothing of these tests asks LiveKit for anything.
async fn start(table: &str, outbound: &str) -> TestRelay {
    let config = format!(
        "{outbound}\n[extensions.livekit_token]\nlivekit_url = 'ws://127.0.0.1:1'\nlivekit_api_key = 'key'\n\
         livekit_api_secret = 'a_secret_of_these_tests_that_is_long'\n{table}\n"
    );
    TestRelay::of::<LivekitToken>()
        .config(&config)
        .start()
        .await
}

/// A Blossom server that takes everything, and sends about.
fn blossom() -> HttpsServer {
    HttpsServer::start(|asked| {
        let line = asked.head.lines().next().unwrap_or_default();
        let path = line.split(' ').nth(1).unwrap_or_default();
        let to = |location: &str| told(302, &[("location", location.to_owned())], "");
        match path {
            "/upload" => {
                let hash = sha256(&asked.body);
                let said = json!({"url": format!("https://media.example/{hash}.png"), "sha256": hash,
                    "size": asked.body.len(), "type": "image/png", "uploaded": 1});
                told(200, &[], said.to_string())
            }
            "/hop/0" => told(
                200,
                &[("content-type", "text/html".to_owned())],
                "<b>there</b>",
            ),
            "/away/plain" => to("http://localhost/"),
            "/away/private" => to("https://10.0.0.1/"),
            "/away/host" => to("https://media.example/"),
            "/away/user" => to("https://user@localhost/"),
            "/away/nothing" => to("https://"),
            "/long" => told(200, &[], vec![b'a'; 5000]),
            "/broken" => told(500, &[], "a secret of the inside"),
            hop if hop.starts_with("/hop/") => {
                let left: usize = hop.trim_start_matches("/hop/").parse().unwrap_or(1);
                to(&format!("/hop/{}", left - 1))
            }
            hash if hash == format!("/{}", sha256(b"a file")) => told(200, &[], "a file"),
            hash if hash == format!("/{}", sha256(b"another")) => told(200, &[], "forged"),
            _ => told(404, &[], "no such file"),
        }
    })
}

#[tokio::test]
async fn l13_a_file_goes_to_blossom_and_nothing_of_who_sent_it() {
    let blossom = blossom();
    let relay = relay_before(&blossom, "").await;
    let parts = [
        ("action", "upload"),
        ("service", "blossom"),
        ("file", "picture"),
    ];
    let answer = ask(&relay, &parts).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let hash = sha256(b"picture");
    let said: Value = answer.json();
    assert_eq!(
        said,
        json!({"url": format!("https://media.example/{hash}.png"), "sha256": hash, "size": 7, "mime_type": "image/png"})
    );
    let asked = blossom.asked().remove(0);
    assert_eq!(asked.body, b"picture");
    let head = asked.head.to_lowercase();
    assert!(head.starts_with("put /upload http/1.1"), "{head}");
    assert!(head.contains("content-type: image/png"), "{head}");
    for secret in [
        "authorization",
        "nostr",
        "192.0.2.7",
        "forwarded",
        "cookie",
        "secret name",
        "127.0.0.1:",
    ] {
        assert!(!head.contains(secret), "{secret} in {head}");
    }
}

#[tokio::test]
async fn l13_a_file_comes_from_blossom_over_three_redirects_at_most() {
    let blossom = blossom();
    let relay = relay_before(&blossom, "").await;
    let file = download(&relay, &blossom.url(&format!("/{}", sha256(b"a file")))).await;
    assert_eq!((file.status, file.text().as_str()), (200, "a file"));
    let page = download(&relay, &blossom.url("/hop/3")).await;
    assert_eq!((page.status, page.text().as_str()), (200, "<b>there</b>"));
    let shown = [
        "content-type",
        "content-disposition",
        "x-content-type-options",
    ];
    let shown = shown.map(|name| page.header(name).unwrap_or_default().to_owned());
    assert_eq!(shown, ["text/html", "attachment", "nosniff"]);
    assert!(
        page.header("content-security-policy")
            .is_some_and(|it| it.contains("sandbox"))
    );
    for asked in blossom.asked() {
        let head = asked.head.to_lowercase();
        assert!(
            !head.contains("authorization") && !head.contains("192.0.2.7"),
            "{head}"
        );
    }

    for (path, expected) in [
        ("/hop/4".to_owned(), "UPSTREAM_FAILED"),
        ("/away/plain".to_owned(), "TARGET_NOT_ALLOWED"),
        ("/away/private".to_owned(), "TARGET_NOT_ALLOWED"),
        ("/away/host".to_owned(), "TARGET_NOT_ALLOWED"),
        ("/away/user".to_owned(), "TARGET_NOT_ALLOWED"),
        ("/away/nothing".to_owned(), "TARGET_NOT_ALLOWED"),
        ("/nothing".to_owned(), "FILE_NOT_FOUND"),
        ("/broken".to_owned(), "UPSTREAM_FAILED"),
        (format!("/{}", sha256(b"another")), "UPSTREAM_FAILED"),
    ] {
        let answer = download(&relay, &blossom.url(&path)).await;
        assert_eq!(code(&answer), expected, "{path}");
        assert!(!answer.text().contains("inside"), "{path}");
    }
}

#[tokio::test]
async fn l13_no_private_address_is_asked_however_it_is_spelled() {
    let server = blossom();
    let port = server.address().port();
    // Every spelling is on the list of hosts, so that it is the address alone that is refused. The operator allows none.
    let hosts = "proxy_allowed_hosts = ['127.0.0.1', 'localhost', '10.0.0.1', '169.254.169.254', '192.168.1.1', '0.0.0.0', \
        '100.64.0.1', '168.63.129.16', 'localhost.localdomain', 'ip6-localhost']";
    let trusted = server
        .outbound()
        .replace("allow_private = ['127.0.0.1', '::1']", "");
    let relay = start(hosts, &trusted).await;
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "2130706433",
        "0x7f000001",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "%6cocalhost",
        "127.0.0.1.",
        "①②⑦.⓪.⓪.①",
        "10.0.0.1",
        "10.1",
        "169.254.169.254",
        "0xa9fea9fe",
        "192.168.1.1",
        "0.0.0.0",
        "0",
        "100.64.0.1",
        "168.63.129.16",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:a00:1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b::a00:1]",
        "[2002:a00:1::]",
        "[fe80::1]",
        "[fc00::1]",
        "[fec0::1]",
    ] {
        for url in [
            format!("https://{host}/"),
            format!("https://{host}:{port}/"),
        ] {
            let answer = download(&relay, &url).await;
            assert_eq!(
                (answer.status, code(&answer).as_str()),
                (403, "TARGET_NOT_ALLOWED"),
                "{url}"
            );
            assert!(
                !answer.text().contains("127.0.0.1"),
                "{url}: {}",
                answer.text()
            );
        }
    }
    assert_eq!(server.asked().len(), 0);
    // The Blossom server itself is held to it as well.
    let relay = start(&format!("blossom_url = '{}'", server.url("")), &trusted).await;
    let answer = download(&relay, &server.url("/hop/0")).await;
    assert_eq!(code(&answer), "TARGET_NOT_ALLOWED");
    let answer = ask(&relay, &[("action", "upload"), ("file", "picture")]).await;
    assert_eq!(code(&answer), "TARGET_NOT_ALLOWED");
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn l13_files_are_bounded_both_ways() {
    let blossom = blossom();
    let relay = relay_before(&blossom, "proxy_max_bytes = '4KiB'").await;
    let answer = download(&relay, &blossom.url("/long")).await;
    assert_eq!((answer.status, code(&answer).as_str()), (413, "TOO_LARGE"));
    let (fits, long) = ("a".repeat(4096), "a".repeat(4097));
    let answer = ask(&relay, &[("action", "upload"), ("file", &fits)]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = ask(&relay, &[("action", "upload"), ("file", &long)]).await;
    assert_eq!(code(&answer), "TOO_LARGE");
    let answer = ask(
        &relay,
        &[("action", "upload"), ("file", &"a".repeat(100_000))],
    )
    .await;
    assert_eq!(code(&answer), "TOO_LARGE");
}

#[tokio::test]
async fn l13_requests_are_signed_complete_and_not_too_many() {
    let blossom = Arc::new(blossom());
    let relay = relay_before(
        &blossom,
        "rate_limit_proxy_per_pubkey = 12\nrate_limit_uploads_per_pubkey = 1",
    )
    .await;
    let url = blossom.url("/hop/0");
    let whole = [("action", "download"), ("url", url.as_str())];
    let unsigned = call(&relay, &whole).await;
    assert_eq!(
        (unsigned.status, code(&unsigned).as_str()),
        (401, "AUTH_REQUIRED")
    );
    let elsewhere = call(&relay, &whole)
        .nip98(&relay.author(MEMBER))
        .signed_url("https://evil.example/proxy")
        .await;
    assert_eq!(
        (elsewhere.status, code(&elsewhere).as_str()),
        (401, "INVALID_SIGNATURE")
    );
    let authorization = relay.author(MEMBER).authorization(
        "POST",
        &format!("{}/proxy", relay.http_url()),
        &form(&whole),
    );
    let other = call(&relay, &[("action", "upload"), ("file", "a")]);
    let other = other.header("Authorization", &authorization).await;
    assert_eq!(
        (other.status, code(&other).as_str()),
        (401, "INVALID_SIGNATURE")
    );

    for parts in [
        &[][..],
        &[("action", "delete"), ("url", &url)],
        &[("action", "download")],
        &[("action", "download"), ("url", &url), ("file", "a")],
        &[("action", "download"), ("url", &url), ("url", &url)],
        &[("action", "download"), ("service", "other"), ("url", &url)],
        &[("action", "upload")],
        &[("action", "upload"), ("file", "")],
        &[("action", "upload"), ("file", "a"), ("url", &url)],
    ] {
        let answer = ask(&relay, parts).await;
        assert_eq!(
            (answer.status, code(&answer).as_str()),
            (400, "INVALID_REQUEST"),
            "{parts:?}"
        );
    }
    assert_eq!(blossom.asked().len(), 0);
    let upload = [("action", "upload"), ("file", "a")];
    assert_eq!(ask(&relay, &upload).await.status, 200);
    let more = ask(&relay, &upload).await;
    assert_eq!((more.status, code(&more).as_str()), (429, "RATE_LIMITED"));
    assert!(more.header("retry-after").is_some());
    assert_eq!(ask(&relay, &whole).await.status, 200);
    assert_eq!(code(&ask(&relay, &whole).await), "RATE_LIMITED");
    // Somebody else is not concerned.
    assert_eq!(
        call(&relay, &whole).nip98(&relay.author(2)).await.status,
        200
    );
}
