//! Requests of extensions to other servers: real servers on loopback addresses, of which some are allowed.

mod limits;
mod parts;
mod redirects;
mod trust;

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
