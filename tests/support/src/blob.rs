//! Blobs on their way to a Blossom server and back, a piece at a time, so that no file has to be in memory.
//!
//! Blocking, for threads of their own: what is measured with it, or killed, should not wait for another task.

use crate::author::{Author, now};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A server that says nothing for so long has failed the test.
const PATIENCE: Duration = Duration::from_secs(60);
/// Read at a time.
const PIECE_BYTES: usize = 256 << 10;

/// The sha256 of bytes, in hex.
pub fn sha256(bytes: &[u8]) -> String {
    const_hex::encode(Sha256::digest(bytes))
}

/// The value of an `Authorization` header for one blob (BUD-11).
pub fn token(author: &Author, verb: &str, sha256: &str) -> String {
    let expires = (now() + 3600).to_string();
    let event = author
        .draft(24_242)
        .at(now() - 1)
        .content("for a test")
        .tag(&["t", verb])
        .tag(&["x", sha256])
        .tag(&["expiration", &expires])
        .sign();
    format!("Nostr {}", URL_SAFE_NO_PAD.encode(event.as_json()))
}

/// An upload that has begun.
#[derive(Debug)]
pub struct Upload {
    socket: TcpStream,
}

impl Upload {
    /// Sends the head of a `PUT /upload`.
    pub fn begin(
        server: SocketAddr,
        author: &Author,
        sha256: &str,
        mime_type: &str,
        bytes: u64,
    ) -> io::Result<Upload> {
        let token = token(author, "upload", sha256);
        let mut socket = connect(server)?;
        let head = format!(
            "PUT /upload HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nAuthorization: {token}\r\n\
             Content-Type: {mime_type}\r\nContent-Length: {bytes}\r\n\r\n"
        );
        socket.write_all(head.as_bytes())?;
        Ok(Upload { socket })
    }

    /// Sends some of the body.
    pub fn send(&mut self, piece: &[u8]) -> io::Result<()> {
        self.socket.write_all(piece)
    }

    /// What is answered: the status and the body.
    pub fn answer(mut self) -> io::Result<(u16, String)> {
        let mut answer = Vec::new();
        match self.socket.read_to_end(&mut answer) {
            // A server that refuses what is still being sent may close before all of that was read.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && !answer.is_empty() => {}
            result => drop(result?),
        }
        let text = String::from_utf8_lossy(&answer).into_owned();
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        Ok((status(&text)?, body.unwrap_or_default()))
    }
}

/// A `DELETE` of a blob; the status.
pub fn delete(server: SocketAddr, author: &Author, sha256: &str) -> io::Result<u16> {
    let token = token(author, "delete", sha256);
    request(
        server,
        "DELETE",
        sha256,
        &format!("Authorization: {token}\r\n"),
        |_| {},
    )
}

/// A `GET` of a blob, whose bytes go to `take` as they come; the status.
pub fn read(server: SocketAddr, sha256: &str, take: impl FnMut(&[u8])) -> io::Result<u16> {
    request(server, "GET", sha256, "", take)
}

fn request(
    server: SocketAddr,
    method: &str,
    sha256: &str,
    headers: &str,
    mut take: impl FnMut(&[u8]),
) -> io::Result<u16> {
    let mut socket = connect(server)?;
    let head = format!(
        "{method} /{sha256} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n{headers}\r\n"
    );
    socket.write_all(head.as_bytes())?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut head = Vec::new();
    loop {
        let count = socket.read(&mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&piece[..count]);
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = head.split_off(end + 4);
            take(&body);
            break;
        }
    }
    loop {
        match socket.read(&mut piece)? {
            0 => return status(&String::from_utf8_lossy(&head)),
            count => take(&piece[..count]),
        }
    }
}

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(server)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn status(head: &str) -> io::Result<u16> {
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    status.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
