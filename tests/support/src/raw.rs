//! A WebSocket by hand (RFC 6455), for frames that no library would send and clients that do not behave.

use crate::relay::Relay;
use crate::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Opcode of a continuation frame.
pub const CONTINUATION: u8 = 0x0;
/// Opcode of a text frame.
pub const TEXT: u8 = 0x1;
/// Opcode of a binary frame.
pub const BINARY: u8 = 0x2;
/// Opcode of a close frame.
pub const CLOSE: u8 = 0x8;
/// Opcode of a ping.
pub const PING: u8 = 0x9;
/// Opcode of a pong.
pub const PONG: u8 = 0xA;

/// The masking key of every frame; any will do.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A TCP connection to a relay, before or after the upgrade.
#[derive(Debug)]
pub struct RawSocket {
    tcp: TcpStream,
    unread: Vec<u8>,
}

/// A frame from the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// FIN bit.
    pub last: bool,
    /// The kind of frame.
    pub opcode: u8,
    /// As sent; relays do not mask.
    pub payload: Vec<u8>,
}

impl RawSocket {
    /// Opens a TCP connection and sends nothing.
    pub async fn open(relay: &Relay) -> RawSocket {
        let tcp = wait::within("a connection", TcpStream::connect(relay.address()))
            .await
            .expect("connect");
        RawSocket {
            tcp,
            unread: Vec::new(),
        }
    }

    /// Opens a connection and upgrades it.
    pub async fn upgraded(relay: &Relay) -> RawSocket {
        let mut socket = Self::open(relay).await;
        let request = handshake(&relay.address().to_string());
        assert!(socket.send(request.as_bytes()).await, "send the handshake");
        let head = socket.read_head().await.expect("an answer");
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        socket
    }

    /// Sends bytes as they are; false where the connection is gone.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        wait::within("room to send", self.tcp.write_all(bytes))
            .await
            .is_ok()
    }

    /// Sends one masked frame; false where the connection is gone.
    pub async fn send_frame(&mut self, last: bool, opcode: u8, payload: &[u8]) -> bool {
        let bytes = frame(last, opcode, payload);
        self.send(&bytes).await
    }

    /// The next frame; `None` at the end of the connection, however it comes.
    pub async fn next_frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, taken)) = parse(&self.unread) {
                self.unread.drain(..taken);
                return Some(frame);
            }
            self.fill().await?;
        }
    }

    /// Reads and throws away whatever comes until the connection ends.
    pub async fn read_to_end(&mut self) {
        while self.fill().await.is_some() {
            self.unread.clear();
        }
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await.is_some() {}
        std::mem::take(&mut self.unread)
    }

    /// The head of an HTTP answer, through its empty line.
    pub async fn read_head(&mut self) -> Option<String> {
        loop {
            let end = self.unread.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                return Some(String::from_utf8_lossy(&head).into_owned());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Option<()> {
        let mut buffer = [0; 16 * 1024];
        let read = wait::within("bytes or the end", self.tcp.read(&mut buffer)).await;
        match read {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                Some(())
            }
        }
    }
}

/// The request that upgrades a connection.
pub fn handshake(host: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// One masked frame as bytes.
pub fn frame(last: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame_head(last, opcode, payload.len() as u64);
    bytes.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

/// The head of a masked frame that claims a payload of so many bytes.
pub fn frame_head(last: bool, opcode: u8, payload_bytes: u64) -> Vec<u8> {
    let mut bytes = vec![opcode | if last { 0x80 } else { 0 }];
    match (u8::try_from(payload_bytes), u16::try_from(payload_bytes)) {
        (Ok(short), _) if short < 126 => bytes.push(0x80 | short),
        (_, Ok(medium)) => {
            bytes.push(0x80 | 126);
            bytes.extend(medium.to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(payload_bytes.to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes
}

fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    assert_eq!(second & 0x80, 0, "relays do not mask");
    let (length, start) = match second {
        126 => {
            let field: [u8; 2] = bytes.get(2..4)?.try_into().ok()?;
            (usize::from(u16::from_be_bytes(field)), 4)
        }
        127 => {
            let field: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
            (usize::try_from(u64::from_be_bytes(field)).ok()?, 10)
        }
        short => (usize::from(short), 2),
    };
    let payload = bytes.get(start..start + length)?.to_vec();
    let frame = Frame {
        last: first & 0x80 != 0,
        opcode: first & 0x0f,
        payload,
    };
    Some((frame, start + length))
}
