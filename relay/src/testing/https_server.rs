//! A server that speaks HTTPS, for extensions that ask nobody without TLS.
//!
//! Its certificate is good for `localhost` and `127.0.0.1` and signed by an authority that only tests know, whose key nobody
//! has any more. Connections are served by a thread each, one request a connection.

use super::Response;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Who certifies the server.
const AUTHORITY: &str = include_str!("https_server/authority.pem");
const CERTIFICATE: &str = include_str!("https_server/server.pem");
const KEY: &str = include_str!("https_server/server.key");
/// A client that says nothing for so long is left alone.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server at `https://localhost:PORT`, and `https://127.0.0.1:PORT`. Dropping it leaves it running until the process ends.
///
/// ```
/// use trellis_relay::testing::{HttpsServer, Response};
/// let server = HttpsServer::start(|asked| Response {
///     status: if asked.head.starts_with("GET /there ") { 200 } else { 404 },
///     headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
///     body: b"hello".to_vec(),
/// });
/// // With this an extension reaches it: TestRelay::of::<E>().config(&table)
/// let table = format!("{}\n[extensions.mine]\nserver = '{}'", server.outbound(), server.url("/there"));
/// assert!(table.contains("trusted_certificates"));
/// assert_eq!(server.asked().len(), 0);
/// ```
#[derive(Debug)]
pub struct HttpsServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<HttpsRequest>>>,
    directory: TempDir,
}

/// What a server was asked.
#[derive(Clone, Debug)]
pub struct HttpsRequest {
    /// The request line and the headers.
    pub head: String,
    /// As far as `Content-Length` says.
    pub body: Vec<u8>,
}

impl HttpsServer {
    /// Answers each request with what `answer` makes of it; a `Content-Length` and `Connection: close` are added.
    pub fn start(answer: impl Fn(&HttpsRequest) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let directory = TempDir::with_prefix("trellis-https-").unwrap();
        std::fs::write(directory.path().join("authority.pem"), AUTHORITY).unwrap();
        let asked: Arc<Mutex<Vec<HttpsRequest>>> = Arc::default();
        let (seen, answer, config) = (Arc::clone(&asked), Arc::new(answer), tls());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), answer.clone());
                let config = config.clone();
                thread::spawn(move || {
                    // A client that trusts nobody hangs up.
                    let _ = serve(stream, config, |request| {
                        let answer = answer(&request);
                        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                        seen.push(request);
                        answer
                    });
                });
            }
        });
        HttpsServer {
            address,
            asked,
            directory,
        }
    }

    /// `https://localhost:PORT` and this path.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The table `[outbound]` that lets extensions reach this machine, and trust the server.
    pub fn outbound(&self) -> String {
        let authority = self.directory.path().join("authority.pem");
        format!(
            "[outbound]\nallow_private = ['127.0.0.1', '::1']\ntrusted_certificates = ['{}']",
            authority.display()
        )
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<HttpsRequest> {
        let asked = self.asked.lock();
        asked.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn tls() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    Arc::new(config.unwrap())
}

fn serve(
    mut tcp: TcpStream,
    config: Arc<ServerConfig>,
    answer: impl FnOnce(HttpsRequest) -> Response,
) -> io::Result<()> {
    tcp.set_read_timeout(Some(PATIENCE))?;
    let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = Stream::new(&mut connection, &mut tcp);
    let Some(request) = read(&mut stream)? else {
        return Ok(());
    };
    let answer = answer(request);
    let mut head = format!("HTTP/1.1 {} As Told\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = answer.body.len();
    head.push_str(&format!(
        "content-length: {length}\r\nconnection: close\r\n\r\n"
    ));
    stream.write_all(head.as_bytes())?;
    stream.write_all(&answer.body)?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn read(stream: &mut impl io::Read) -> io::Result<Option<HttpsRequest>> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 16 << 10]);
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, length) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                length.trim().parse::<usize>().ok().filter(|_| is_length)
            });
            let body = &bytes[end + 4..];
            if body.len() >= length.unwrap_or(0) {
                let body = body.to_vec();
                return Ok(Some(HttpsRequest { head, body }));
            }
        }
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            some => bytes.extend_from_slice(&chunk[..some]),
        }
    }
}
