//! One connection to the relay, as a client has it.
//!
//! Invariant: patience counts from the last message that answered anything, or from the last one sent: a relay that only
//! pings is not waited for. Without Nagle's algorithm and without compression, so that what is measured is the relay's doing.

use super::answer;
use super::dice::Dice;
use super::frames::{Inbox, Message, append_text};
use super::target::Target;
use anyhow::{Context as _, anyhow, bail, ensure};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

/// The sample nonce of RFC 6455, and what a server makes of it: no secret is needed here.
const NONCE: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const NONCE_ACCEPTED: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const MAX_HEAD_BYTES: usize = 16 << 10;

/// An open connection.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    inbox: Inbox,
    dice: Dice,
    patience: Duration,
    waiting_since: Instant,
}

impl Socket {
    pub(super) async fn connect(target: &Target) -> anyhow::Result<Self> {
        let url = &target.url;
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or(80);
        let patience = target.patience();
        let connecting = TcpStream::connect((host.trim_matches(['[', ']']), port));
        let stream = timeout(patience, connecting)
            .await
            .map_err(|_| anyhow!("{url} does not answer"))?
            .with_context(|| format!("{url} cannot be reached"))?;
        stream.set_nodelay(true)?;
        let mut socket = Socket {
            stream,
            inbox: Inbox::default(),
            dice: Dice::of(u64::from(std::process::id()), u64::from(port)),
            patience,
            waiting_since: Instant::now(),
        };
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {NONCE}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        let shaking = socket.shake_hands(request.as_bytes());
        timeout(patience, shaking)
            .await
            .map_err(|_| anyhow!("{url} does not answer"))?
            .with_context(|| format!("{url} opened no WebSocket"))?;
        Ok(socket)
    }

    async fn shake_hands(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(request).await?;
        let mut head = Vec::new();
        // Byte by byte, so that frames that come with it stay where they are looked for.
        while !head.ends_with(b"\r\n\r\n") {
            ensure!(head.len() < MAX_HEAD_BYTES, "the answer's head is too long");
            head.push(self.stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head);
        let status = head.lines().next().unwrap_or_default();
        ensure!(status.contains(" 101"), "it answered {status:?}");
        ensure!(head.contains(NONCE_ACCEPTED), "it did not accept the key");
        Ok(())
    }

    /// Sends frames, all of them.
    pub(super) async fn send(&mut self, frames: &[u8]) -> anyhow::Result<()> {
        self.write(frames).await?;
        self.wait_anew();
        Ok(())
    }

    /// Patience starts again, as what is waited for is something else now.
    pub(super) fn wait_anew(&mut self) {
        self.waiting_since = Instant::now();
    }

    async fn write(&mut self, frames: &[u8]) -> anyhow::Result<()> {
        let sending = self.stream.write_all(frames);
        timeout(self.patience, sending)
            .await
            .map_err(|_| anyhow!("the relay reads no more"))??;
        Ok(())
    }

    /// Sends one message.
    pub(super) async fn send_text(&mut self, text: &str) -> anyhow::Result<()> {
        let mut frame = Vec::with_capacity(text.len() + 16);
        append_text(&mut self.dice, &[text.as_bytes()], &mut frame);
        self.send(&frame).await
    }

    /// The next message that is already here.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Message>> {
        let message = self.inbox.next()?;
        if let Some(message) = &message
            && answer::is_progress(self.inbox.text(message))
        {
            self.wait_anew();
        }
        Ok(message)
    }

    /// Its bytes, until more is received.
    pub(super) fn text(&self, message: &Message) -> &[u8] {
        self.inbox.text(message)
    }

    /// The next message, waited for.
    pub(super) async fn message(&mut self) -> anyhow::Result<Message> {
        loop {
            if let Some(message) = self.next()? {
                return Ok(message);
            }
            self.receive().await?;
        }
    }

    /// Waits until something has come, and reads it.
    pub(super) async fn receive(&mut self) -> anyhow::Result<()> {
        loop {
            self.reply().await?;
            if self.try_read()? {
                // Whoever sends without a pause never lets a timer fire.
                ensure!(Instant::now() < self.deadline(), self.silence());
                return Ok(());
            }
            timeout_at(self.deadline(), self.stream.readable())
                .await
                .map_err(|_| anyhow!(self.silence()))??;
        }
    }

    /// The same without an end to patience.
    pub(super) async fn receive_whenever(&mut self) -> anyhow::Result<()> {
        loop {
            self.reply().await?;
            if self.try_read()? {
                return Ok(());
            }
            self.stream.readable().await?;
        }
    }

    /// Writes what the system takes at once, where `frames` has anything, and reads what has come; waits until it could do
    /// one of the two. Gives the bytes that were written.
    pub(super) async fn exchange(&mut self, frames: &[u8]) -> anyhow::Result<usize> {
        self.reply().await?;
        let interest = match frames.is_empty() {
            true => Interest::READABLE,
            false => Interest::READABLE | Interest::WRITABLE,
        };
        ensure!(Instant::now() < self.deadline(), self.silence());
        let ready = timeout_at(self.deadline(), self.stream.ready(interest))
            .await
            .map_err(|_| anyhow!(self.silence()))??;
        let mut written = 0;
        if ready.is_writable() && !frames.is_empty() {
            written = match self.stream.try_write(frames) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                written => written.context("the relay is gone")?,
            };
        }
        if ready.is_readable() || ready.is_read_closed() {
            self.try_read()?;
        }
        if written > 0 {
            self.wait_anew();
        }
        Ok(written)
    }

    fn deadline(&self) -> Instant {
        self.waiting_since + self.patience
    }

    fn silence(&self) -> String {
        format!("the relay said nothing for {} s", self.patience.as_secs())
    }

    /// Gives memory back while nothing is expected.
    pub(super) fn rest(&mut self) {
        self.inbox.shrink();
    }

    fn try_read(&mut self) -> anyhow::Result<bool> {
        match self.stream.try_read_buf(self.inbox.room()) {
            Ok(0) => bail!("the relay ended the connection"),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error).context("the relay is gone"),
        }
    }

    async fn reply(&mut self) -> anyhow::Result<()> {
        match self.inbox.take_replies() {
            Some(pongs) => self.write(&pongs).await,
            None => Ok(()),
        }
    }
}
