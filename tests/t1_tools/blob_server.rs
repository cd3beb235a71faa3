//! A server that stores any file for whoever signs for it (BUD-01, BUD-02), and gives it back.

use nostr::event::Event;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use trellis_test_support::{blob, json};

#[derive(Default)]
struct Kept {
    blobs: BTreeMap<String, Vec<u8>>,
    uploader: Option<String>,
}

/// Serves until the test's process ends.
pub(crate) struct BlobServer {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

impl BlobServer {
    pub(crate) fn start() -> BlobServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let kept = Arc::<Mutex<Kept>>::default();
        let shared = kept.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                answer(socket, address, &shared);
            }
        });
        BlobServer { address, kept }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Who signed for the last upload.
    pub(crate) fn uploader(&self) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uploader.clone()
    }
}

fn answer(mut socket: TcpStream, address: SocketAddr, kept: &Mutex<Kept>) {
    let Some((head, body)) = request(&mut socket) else {
        return;
    };
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let words: Vec<&str> = head.split(' ').collect();
    let (status, body) = match (words[0], words[1]) {
        ("PUT", "/upload") => {
            let hash = blob::sha256(&body);
            match signer(&head, &hash) {
                None => ("401 Unauthorized", b"{}".to_vec()),
                Some(signer) => {
                    let url = format!("http://{address}/{hash}");
                    let descriptor = json!({"url": url, "sha256": hash, "size": body.len()});
                    kept.uploader = Some(signer);
                    kept.blobs.insert(hash, body);
                    ("200 OK", descriptor.to_string().into_bytes())
                }
            }
        }
        (_, path) => match kept.blobs.get(path.trim_start_matches('/')) {
            Some(blob) => ("200 OK", blob.clone()),
            None => ("404 Not Found", Vec::new()),
        },
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = socket.write_all(head.as_bytes());
    let _ = socket.write_all(&body);
}

fn request(socket: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        let end = bytes.windows(4).position(|end| end == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = header(&head, "content-length")
                .and_then(|it| it.parse().ok())
                .unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                return Some((head, bytes[end + 4..].to_vec()));
            }
        }
        match socket.read(&mut piece) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&piece[..read]),
            _ => return None,
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .into_iter()
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// Who signed for the upload of this blob.
fn signer(head: &str, hash: &str) -> Option<String> {
    let token = header(head, "authorization")?.strip_prefix("Nostr ")?;
    let event: Event = serde_json::from_slice(&decode(token)?).ok()?;
    event.verify().ok()?;
    let has = |wanted: [&str; 2]| event.tags.iter().any(|tag| tag.as_slice() == wanted);
    let right = event.kind.as_u16() == 24_242 && has(["t", "upload"]) && has(["x", hash]);
    right.then(|| event.pubkey.to_hex())
}

/// Base64, written independently of the one that encodes.
fn decode(text: &str) -> Option<Vec<u8>> {
    let value = |byte: u8| {
        Some(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        })
    };
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for byte in text.trim_end_matches('=').bytes() {
        bits = (bits << 6) | u32::from(value(byte)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(((bits >> held) & 0xff) as u8);
        }
    }
    Some(bytes)
}
