//! Requests of extensions to other servers: real servers on loopback addresses, of which some are allowed.

use crate::support::HookHarness;
use futures_util::future::select;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use trellis_relay::extension::prelude::*;
use trellis_relay::extension::{Compiled, HttpClient, OutboundError};
use trellis_relay::testing::{HttpsServer, Response};

/// Hands its host out to the test that started it.
struct Courier;

/// The hosts, by the test's name.
static HOSTS: Mutex<Option<HashMap<String, Host>>> = Mutex::new(None);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Whose it is.
    test: String,
}

impl Extension for Courier {
    const NAME: &'static str = "courier";
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        let mut hosts = HOSTS.lock().unwrap();
        hosts.get_or_insert_default().insert(config.test, host);
        Ok(Courier)
    }

    fn register(&self, _hooks: &mut Registrar<Self>) {}
}

const COURIER: &[Compiled] = &[Compiled::of::<Courier>()];

/// A relay with the courier and these keys of `[outbound]`.
async fn start(test: &str, outbound: &str) -> (HookHarness, HttpClient) {
    let tables = format!("[courier]\ntest = {test:?}");
    let relay = HookHarness::start(COURIER, &tables).await.unwrap();
    set(&relay, outbound);
    let hosts = HOSTS.lock().unwrap();
    let client = hosts.as_ref().unwrap()[test].http_client().clone();
    (relay, client)
}

fn set(relay: &HookHarness, outbound: &str) {
    *relay.core.outbound.lock().unwrap() = toml::from_str(outbound).unwrap();
}

const LOCAL: &str = "allow_private = ['127.0.0.1']\n";

/// What a server was asked, head and body.
type Asked = Arc<Mutex<Vec<String>>>;

/// Answers every request with what `answer` makes of it; a connection serves one.
async fn serve(
    ip: &str,
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> (SocketAddr, Asked) {
    let listener = TcpListener::bind((ip, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Asked::default();
    let (seen, answer) = (asked.clone(), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (seen, answer) = (seen.clone(), answer.clone());
            tokio::spawn(async move {
                let request = read_request(&mut stream).await;
                let answer = answer(&request);
                seen.lock().unwrap().push(request);
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (address, asked)
}

/// Head and body, as far as Content-Length says.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let length = line.strip_prefix("content-length: ")?;
                length.parse::<usize>().ok()
            });
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return text;
        }
    }
}

fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn redirect(status: u16, to: &str) -> String {
    format!(
        "HTTP/1.1 {status} Elsewhere\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

/// What asking for it ends in: the body, or the error.
async fn text_of(client: &HttpClient, url: &str) -> Result<String, OutboundError> {
    client.get(url).send().await?.text().await
}

async fn refused(client: &HttpClient, url: &str) -> String {
    match text_of(client, url).await {
        Err(error @ (OutboundError::Private { .. } | OutboundError::Url(_))) => error.to_string(),
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test]
async fn e1_outbound_reaches_no_private_address_by_default() {
    let (relay, client) = start("default", "").await;
    let (server, asked) = serve("127.0.0.1", |_| ok("secret")).await;
    let port = server.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "[::]",
        "169.254.169.254",
        "10.0.0.1",
    ] {
        let said = refused(&client, &format!("http://{host}:{port}/")).await;
        assert!(said.contains("outbound.allow_private"), "{host}: {said}");
    }
    assert_eq!(asked.lock().unwrap().len(), 0);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_reaches_what_is_allowed_and_says_who_asks() {
    let (relay, client) = start("allowed", LOCAL).await;
    let (server, asked) = serve("127.0.0.1", |_| ok(r#"{"is_spam":true}"#)).await;
    let request = client.post(&format!("http://{server}/verdict?key=1"));
    let request = request.header("x-key", "k").json(&json!({"a": 1}));
    let answer = request.send().await.unwrap();
    assert!(answer.is_success());
    assert_eq!(answer.header("Content-Length"), Some("16"));
    let verdict: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(verdict, json!({"is_spam": true}));
    let request = asked.lock().unwrap().remove(0);
    assert!(
        request.starts_with("POST /verdict?key=1 HTTP/1.1\r\n"),
        "{request}"
    );
    let agent = format!("user-agent: trellis/{}\r\n", env!("CARGO_PKG_VERSION"));
    for part in [
        agent.as_str(),
        "x-key: k\r\n",
        "content-type: application/json\r\n",
    ] {
        assert!(request.contains(part), "{part} in {request}");
    }
    assert!(request.ends_with(r#"{"a":1}"#));
    // By a name that leads to 127.0.0.1, and perhaps to ::1 too, which is left out.
    let url = format!("http://localhost:{}/", server.port());
    assert!(text_of(&client, &url).await.is_ok());
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_asks_by_http_alone_and_without_user_names() {
    let (relay, client) = start("schemes", LOCAL).await;
    for url in [
        "ftp://example.com/",
        "file:///etc/passwd",
        "data:text/plain,a",
        "/path",
        "",
        "http://user:pass@example.com/",
        "http://user@example.com/",
    ] {
        let said = refused(&client, url).await;
        assert!(
            !said.contains("user:") && !said.contains("passwd"),
            "{said}"
        );
    }
    let bad = client.get("http://127.0.0.1/").header("a b", "c");
    assert!(matches!(bad.send().await, Err(OutboundError::Header)));
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_checks_every_redirect() {
    let (relay, client) = start("redirects", LOCAL).await;
    let (other, asked) = serve("127.0.0.2", |_| ok("secret")).await;
    let targets = [
        format!("http://{other}/"),
        format!("//{other}/"),
        format!("http://[::ffff:127.0.0.2]:{}/", other.port()),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://user:pass@127.0.0.1/".to_owned(),
        "http://[".to_owned(),
    ];
    let answers = targets.clone();
    let (server, _) = serve("127.0.0.1", move |request| {
        let number: usize = request["GET /".len()..][..1].parse().unwrap();
        redirect(302, &answers[number])
    })
    .await;
    for (number, target) in targets.iter().enumerate() {
        let said = refused(&client, &format!("http://{server}/{number}")).await;
        assert!(!said.contains("meta-data"), "{target}: {said}");
    }
    assert_eq!(asked.lock().unwrap().len(), 0);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_takes_no_secret_to_another_origin() {
    let both = "allow_private = ['127.0.0.0/30']\n";
    let (relay, client) = start("secrets", both).await;
    let (other, asked) = serve("127.0.0.2", |_| ok("here")).await;
    let (server, first) = serve("127.0.0.1", move |request| {
        match request.contains("/away") {
            true => redirect(303, &format!("http://{other}/")),
            false => redirect(307, "/away"),
        }
    })
    .await;
    let request = client.post(&format!("http://{server}/"));
    let request = request
        .header("authorization", "Bearer s")
        .header("accept", "text/plain");
    let answer = request.header("x-key", "k").body("a").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "here");
    let first = first.lock().unwrap().clone();
    assert_eq!(first.len(), 2);
    for request in first {
        assert!(
            request.starts_with("POST") && request.ends_with("\r\n\r\na"),
            "{request}"
        );
        assert!(request.contains("authorization: Bearer s"), "{request}");
    }
    let there = asked.lock().unwrap().remove(0);
    assert!(
        there.starts_with("GET / ") && there.ends_with("\r\n\r\n"),
        "{there}"
    );
    assert!(there.contains("accept: text/plain"), "{there}");
    assert!(
        !there.contains("Bearer") && !there.contains("x-key"),
        "{there}"
    );
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_takes_no_body_to_another_origin() {
    let both = "allow_private = ['127.0.0.0/30']\n";
    let (relay, client) = start("bodies elsewhere", both).await;
    let (other, asked) = serve("127.0.0.2", |_| ok("here")).await;
    let (server, _) = serve("127.0.0.1", move |request| {
        let status = request.split(['/', ' ']).nth(2).unwrap();
        redirect(status.parse().unwrap(), &format!("http://{other}/"))
    })
    .await;
    for status in [307, 308] {
        let request = client.post(&format!("http://{server}/{status}"));
        let answer = request.body("client_secret=s").send().await;
        assert!(
            matches!(answer, Err(OutboundError::BodyElsewhere)),
            "{answer:?}"
        );
        assert_eq!(asked.lock().unwrap().len(), 0);
    }
    // Without a body there is nothing to keep.
    let request = client.delete(&format!("http://{server}/307"));
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert!(asked.lock().unwrap()[0].starts_with("DELETE / "));
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_ends_a_chain_of_redirects() {
    let (relay, client) = start("chain", &format!("{LOCAL}max_redirects = 2")).await;
    let (server, asked) = serve("127.0.0.1", |_| redirect(302, "/again")).await;
    let ended = text_of(&client, &format!("http://{server}/")).await;
    assert!(
        matches!(ended, Err(OutboundError::Redirects(2))),
        "{ended:?}"
    );
    assert_eq!(asked.lock().unwrap().len(), 3);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_bodies_are_bounded_announced_or_not() {
    let (relay, client) = start("bodies", &format!("{LOCAL}max_body_bytes = 1000")).await;
    let (server, _) = serve("127.0.0.1", |request| {
        let body = "x".repeat(1_001);
        match request.contains("/announced") {
            true => ok(&body),
            // Until the connection ends.
            false => format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}"),
        }
    })
    .await;
    for path in ["announced", "endless"] {
        let url = format!("http://{server}/{path}");
        let cut = text_of(&client, &url).await;
        assert!(
            matches!(cut, Err(OutboundError::TooLarge(1_000))),
            "{cut:?}"
        );
        // A request can ask for less and not for more.
        for (asked_for, bound) in [(10, 10), (5_000, 1_000)] {
            let answer = client.get(&url).max_body_bytes(asked_for).send().await;
            let cut = answer.unwrap().bytes().await;
            assert!(matches!(cut, Err(OutboundError::TooLarge(bytes)) if bytes == bound));
        }
    }
    set(&relay, &format!("{LOCAL}max_body_bytes = 1001"));
    let whole = text_of(&client, &format!("http://{server}/endless")).await;
    assert_eq!(whole.unwrap().len(), 1_001, "a reload counts at once");
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_takes_back_what_a_reload_forbids() {
    let (relay, client) = start("reload", LOCAL).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    // A connection that stays open, and would be used again.
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        while !read_request(&mut stream).await.is_empty() {
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    assert_eq!(text_of(&client, &url).await.unwrap(), "hi");
    assert_eq!(text_of(&client, &url).await.unwrap(), "hi");
    set(&relay, "");
    refused(&client, &url).await;
    relay.host.shutdown().await;
}

/// A server that takes requests and never ends its answers: it says nothing, or one byte after the other.
async fn slow_server(byte: Option<&'static [u8]>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                read_request(&mut stream).await;
                let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
                if byte.is_some() {
                    stream.write_all(head).await.unwrap();
                }
                let mut tick = tokio::time::interval(Duration::from_millis(20));
                loop {
                    tick.tick().await;
                    if stream.write_all(byte.unwrap_or_default()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn e1_outbound_answers_have_a_deadline_as_a_whole() {
    let (relay, client) = start("slow", &format!("{LOCAL}timeout = '300ms'")).await;
    for byte in [None, Some(b"x".as_slice())] {
        let url = format!("http://{}/", slow_server(byte).await);
        let late = text_of(&client, &url).await;
        assert!(matches!(late, Err(OutboundError::Timeout(_))), "{late:?}");
        // A request can ask for less and not for more.
        for (ms, bound_ms) in [(50, 50), (60_000, 300)] {
            let asked_for = Duration::from_millis(ms);
            let late = match client.get(&url).timeout(asked_for).send().await {
                Ok(answer) => answer.bytes().await.map(drop),
                Err(error) => Err(error),
            };
            let bound = Duration::from_millis(bound_ms);
            assert!(
                matches!(late, Err(OutboundError::Timeout(it)) if it == bound),
                "{late:?}"
            );
        }
    }
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_requests_take_turns_and_wait_in_a_bounded_line() {
    let one = format!("{LOCAL}max_concurrent = 1\nmax_waiting = 1");
    let (relay, client) = start("turns", &one).await;
    let (server, asked) = serve("127.0.0.1", |_| ok("here")).await;
    let url = format!("http://{server}/");
    let running = client.get(&url).send().await.unwrap();
    let ask = || Box::pin(text_of(&client, &url));
    // Of two more, one stands in line; the other is told that it is full.
    let (full, waiting) = select(ask(), ask()).await.factor_first();
    assert!(matches!(full, Err(OutboundError::Busy(1))), "{full:?}");
    assert_eq!(asked.lock().unwrap().len(), 1);
    assert_eq!(running.text().await.unwrap(), "here");
    assert_eq!(waiting.await.unwrap(), "here");
    // An answer that nobody reads gives its place back when it is dropped.
    for _ in 0..3 {
        drop(client.get(&url).send().await.unwrap());
    }
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_errors_name_the_cause_and_no_path() {
    let (relay, client) = start("errors", LOCAL).await;
    let url = "http://127.0.0.1:1/path?token=secret";
    let error = text_of(&client, url).await.unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(error.to_string().contains("refused"), "{said}");
    assert!(!said.contains("secret") && !said.contains("path"), "{said}");
    let answers = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let (server, _) = serve("127.0.0.1", |_| answers.to_owned()).await;
    let answer = client.get(&format!("http://{server}/")).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 404, "an answer all the same");
    let refusal = answer.error_for_status().unwrap_err();
    assert!(matches!(refusal, OutboundError::Status(404)), "{refusal}");
    let (relay_host, url) = (relay.host, format!("http://{server}/"));
    relay_host.shutdown().await;
    let stopped = text_of(&client, &url).await;
    assert!(
        matches!(stopped, Err(OutboundError::Stopped)),
        "{stopped:?}"
    );
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Response {
        status,
        headers: headers.collect(),
        body: body.as_bytes().to_vec(),
    }
}

/// The table without its name, as `start` takes it.
fn keys_of(server: &HttpsServer) -> String {
    server.outbound().replace("[outbound]", "")
}

#[tokio::test]
async fn e1_outbound_trusts_whom_the_operator_trusts_and_nobody_else() {
    let server = HttpsServer::start(|_| answer(200, &[], "by TLS"));
    let (relay, client) = start("tls", &keys_of(&server)).await;
    assert_eq!(text_of(&client, &server.url("/")).await.unwrap(), "by TLS");
    // The certificate says nothing of this name, which leads to the same address.
    let other = format!("https://localhost.:{}/", server.address().port());
    assert!(text_of(&client, &other).await.is_err());
    set(&relay, LOCAL);
    let error = text_of(&client, &server.url("/")).await.unwrap_err();
    assert!(matches!(error, OutboundError::Failed { .. }), "{error}");
    assert_eq!(server.asked().len(), 1);
    set(&relay, "trusted_certificates = ['/nowhere/authority.pem']");
    let error = text_of(&client, &server.url("/")).await.unwrap_err();
    assert!(
        error.to_string().contains("/nowhere/authority.pem"),
        "{error}"
    );
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_strict_requests_follow_no_redirect_and_speak_no_plain_http() {
    let server = HttpsServer::start(|asked| match asked.head.starts_with("GET /away ") {
        true => answer(302, &[("location", "http://10.0.0.1/")], ""),
        false => answer(200, &[], "here"),
    });
    let (relay, client) = start("strict", &keys_of(&server)).await;
    let here = client.get(&server.url("/")).strict().send().await.unwrap();
    assert_eq!(here.text().await.unwrap(), "here");
    let away = client.get(&server.url("/away")).strict().send().await;
    let away = away.unwrap();
    assert_eq!(away.status(), 302);
    assert_eq!(away.header("location"), Some("http://10.0.0.1/"));
    for host in [
        "[::2]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "[fe80::1]",
        "0x0a.1",
        "10.0.0.1",
    ] {
        let private = client
            .get(&format!("https://{host}/"))
            .strict()
            .send()
            .await;
        assert!(
            matches!(private, Err(OutboundError::Private { .. })),
            "{host}: {private:?}"
        );
    }
    let (plain, asked) = serve("127.0.0.1", |_| ok("plain")).await;
    let error = client.get(&format!("http://{plain}/")).strict().send();
    assert!(matches!(error.await, Err(OutboundError::Url(_))));
    assert_eq!(asked.lock().unwrap().len(), 0);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_what_is_opened_for_an_extension_is_not_open_to_strangers() {
    let server = HttpsServer::start(|_| answer(200, &[], "here"));
    let one_at_a_time = format!("{}\nmax_concurrent = 1", keys_of(&server));
    let (relay, client) = start("narrowed", &one_at_a_time).await;
    let ask = async |client: &HttpClient| {
        let asked = client.get(&server.url("/")).strict().send().await;
        asked.map(|answer| answer.status())
    };
    assert_eq!(ask(&client).await.unwrap(), 200);
    let strangers = client.narrowed(Vec::new());
    let refused = ask(&strangers).await;
    assert!(
        matches!(refused, Err(OutboundError::Private { .. })),
        "{refused:?}"
    );
    let address = format!("https://{}/", server.address());
    let refused = strangers.get(&address).unfollowed().send().await;
    assert!(
        matches!(refused, Err(OutboundError::Private { .. })),
        "{refused:?}"
    );
    let local = ["127.0.0.0/8", "::1"].map(|it| it.parse().unwrap());
    let strangers = client.narrowed(local.to_vec());
    assert_eq!(ask(&strangers).await.unwrap(), 200);
    // One who does not answer keeps strangers' requests waiting, and no other.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let waiting = tokio::spawn(strangers.get(&url).unfollowed().send());
    let held = silent.accept().await.unwrap();
    assert_eq!(ask(&client).await.unwrap(), 200);
    waiting.abort();
    drop(held);
    // What the operator has not opened is not opened by a list of the extension's.
    let (closed, client) = start("closed", "").await;
    let refused = ask(&client.narrowed(local.to_vec())).await;
    assert!(
        matches!(refused, Err(OutboundError::Private { .. })),
        "{refused:?}"
    );
    relay.host.shutdown().await;
    closed.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_websockets_go_where_requests_may_and_nowhere_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(tcp).await.unwrap();
        let said = socket.next().await.unwrap().unwrap();
        socket.send(said).await.unwrap();
        socket.close(None).await.unwrap();
    });
    let (relay, client) = start("websocket", "").await;
    for url in [
        format!("ws://{address}/"),
        format!("ws://localhost:{}/", address.port()),
        "wss://[::ffff:10.0.0.1]/".to_owned(),
        "wss://0x7f.1/".to_owned(),
        "wss://user@example.com/".to_owned(),
        "https://example.com/".to_owned(),
    ] {
        match client.websocket(&url).await {
            Err(OutboundError::Private { .. } | OutboundError::Url(_)) => {}
            other => panic!("{url}: {other:?}"),
        }
    }
    set(&relay, LOCAL);
    let mut socket = client.websocket(&format!("ws://{address}/")).await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(socket.next().await.unwrap().as_deref(), Some("hello"));
    assert_eq!(socket.next().await.unwrap(), None);
    server.await.unwrap();
    relay.host.shutdown().await;
}

fn in_parts(
    parts: &'static [&'static str],
) -> impl futures_util::Stream<Item = std::io::Result<bytes::Bytes>> {
    futures_util::stream::iter(parts).map(|it| Ok(bytes::Bytes::from_static(it.as_bytes())))
}

#[tokio::test]
async fn e1_outbound_sends_what_comes_in_parts_with_its_length() {
    let (_relay, client) = start("parts", LOCAL).await;
    let (server, asked) = serve("127.0.0.1", |_| ok("stored")).await;
    let url = format!("http://{server}/upload");
    let parts = in_parts(&["what ", "", "is long"]);
    let answer = client.put(&url).stream(12, parts).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "stored");
    let sent = asked.lock().unwrap()[0].clone();
    assert!(
        sent.contains("content-length: 12\r\n") && sent.ends_with("\r\n\r\nwhat is long"),
        "{sent}"
    );

    assert!(!sent.contains("accept-encoding"), "{sent}");
    for wrong in [11, 13] {
        let parts = in_parts(&["what ", "is long"]);
        let broken = client.put(&url).stream(wrong, parts).send().await;
        assert!(
            matches!(broken, Err(OutboundError::Failed { .. })),
            "{broken:?}"
        );
    }
    let failing = futures_util::stream::iter([Err(std::io::Error::other("the disk is gone"))]);
    let broken = client.put(&url).stream(12, failing).send().await;
    assert!(
        matches!(broken, Err(OutboundError::Failed { .. })),
        "{broken:?}"
    );
}

#[tokio::test]
async fn e1_outbound_sends_parts_once_and_leaves_redirects_to_who_wants_them() {
    let (_relay, client) = start("parts_redirected", LOCAL).await;
    let (server, asked) = serve("127.0.0.1", |request| match request {
        kept if kept.contains(" /kept ") => redirect(307, "/end"),
        moved if moved.contains(" /moved ") => redirect(303, "/end"),
        _ => ok("the end"),
    })
    .await;
    let ask = |path: &str| client.put(&format!("http://{server}{path}"));
    let kept = ask("/kept").stream(4, in_parts(&["long"])).send().await;
    assert!(matches!(kept, Err(OutboundError::BodySent)), "{kept:?}");
    let moved = ask("/moved").stream(4, in_parts(&["long"])).send().await;
    assert_eq!(moved.unwrap().text().await.unwrap(), "the end");
    assert!(
        asked
            .lock()
            .unwrap()
            .last()
            .unwrap()
            .starts_with("GET /end ")
    );

    let looked_at = asked.lock().unwrap().len();
    let answer = ask("/kept")
        .stream(4, in_parts(&["long"]))
        .unfollowed()
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status(), answer.header("location")),
        (307, Some("/end"))
    );
    assert_eq!(asked.lock().unwrap().len(), looked_at + 1);
    // Addresses are looked at all the same.
    let private = client.get("http://127.0.0.2/").unfollowed().send().await;
    assert!(
        matches!(private, Err(OutboundError::Private { .. })),
        "{private:?}"
    );
}
