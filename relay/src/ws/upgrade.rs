//! The server's own front: one task a connection, which owns the socket.
//!
//! It reads what is there, hands whole messages to the session, and writes what the session queued, once for many
//! messages. It reads nothing while the client does not take what it asked for, and frees its buffers when idle.

mod handshake;
mod socket;
mod turn;

use self::handshake::{handshake, refusal};
use self::socket::{linger, write_all};
use self::turn::{Allowance, Progress, Turn};
use super::assembly::{Assembly, Data};
use super::claim::Claim;
use super::entrance;
use crate::client_ip::client_ip;
use crate::own_host::own_host;
use crate::reason::Reason;
use crate::session::{CloseCause, Session, Wait};
use crate::wire::RelayMessage;
use crate::worker::Worker;
use crate::writer::Approach;
use actix_codec::{Decoder as _, Framed};
use actix_http::ws::{Codec, Frame, ProtocolError};
use actix_http::{HttpMessage as _, Request, h1};
use actix_rt::net::TcpStream;
use bytes::BytesMut;
use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Answers a WebSocket handshake and serves the connection in a task of its own.
pub(crate) async fn accept(
    worker: Rc<Worker>,
    request: Request,
    framed: Framed<TcpStream, h1::Codec>,
) -> Result<(), Infallible> {
    let parts = framed.into_parts();
    let (stream, unread) = (parts.io, parts.read_buf);
    let config = worker.config();
    let answer = handshake(&request);
    let host = request
        .headers()
        .get("host")
        .and_then(|host| host.to_str().ok())
        .and_then(|host| own_host(host, stream.local_addr().ok().map(|local| local.ip())))
        .unwrap_or_default();
    let peer = request
        .peer_addr()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let ip = client_ip(peer, request.headers(), &config.network);
    let (head, place) = match answer {
        Err(head) => (head, None),
        Ok(head) => match entrance::enter(&worker, ip) {
            Ok(place) => (head, Some(place)),
            Err(refused) => (refusal(&refused), None),
        },
    };
    // Without it the last small frame of an answer waits 40 ms for an acknowledgement (Nagle's algorithm).
    let _ = stream.set_nodelay(true);
    if write_all(&stream, head.as_bytes()).await.is_err() {
        return Ok(());
    }
    if let Some(place) = place {
        let session = worker.open(ip, host, place);
        let connection = Connection {
            codec: Codec::new().max_size(config.limitation.max_message_length.as_usize()),
            stream,
            session,
            inbound: unread,
            assembly: Assembly::default(),
            wait: None,
            approach: None,
            has_unread: false,
        };
        actix_rt::spawn(connection.run());
    }
    Ok(())
}

const READ_BYTES: usize = 16 * 1024;

struct Connection {
    stream: TcpStream,
    session: Rc<Session>,
    codec: Codec,
    inbound: BytesMut,
    assembly: Assembly,
    /// What the last message still waits for.
    wait: Option<Wait>,
    /// Held while frames are there that were not looked at: the writer waits with its commit for their events.
    approach: Option<Approach>,
    /// The last turn ended before the frames did.
    has_unread: bool,
}

impl Connection {
    async fn run(mut self) {
        let cause = poll_fn(|cx| self.poll(cx)).await;
        self.session.close(cause);
        match cause {
            CloseCause::TooSlow => {
                // The kernel's send buffer goes as well.
                let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
            }
            CloseCause::Gone => {}
            _ => linger(&self.stream).await,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<CloseCause> {
        let poll = self.step(cx);
        // Kept only over the end of a turn: whoever waits for something else sends nothing before that came.
        match &self.approach {
            Some(approach) if self.has_unread => approach.pause(),
            _ => self.approach = None,
        }
        poll
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Poll<CloseCause> {
        self.has_unread = false;
        // Whatever woke this task; until it rests it looks at the outbox by itself.
        self.session.outbox().forget_front();
        let mut allowance = Allowance::begin();
        loop {
            let flushed = match self.flush(cx) {
                Ok(Progress::More) => true,
                Ok(Progress::Blocked) => false,
                Err(_) => return Poll::Ready(CloseCause::Gone),
            };
            if let Some(cause) = self.session.closing()
                && (flushed || cause.code().is_none())
            {
                return Poll::Ready(cause);
            }
            if self.session.closing().is_some() {
                if self.session.is_cut() {
                    return Poll::Ready(CloseCause::TooSlow);
                }
                return self.rest(cx); // the close frame still waits for the client
            }
            if let Some(wait) = &mut self.wait {
                match wait.as_mut().poll(cx) {
                    Poll::Ready(()) => self.wait = None,
                    Poll::Pending if self.has_news(flushed) => {}
                    Poll::Pending => return self.rest(cx),
                }
                continue;
            }
            if !self.session.outbox().has_room() || !self.session.is_reading() {
                return self.rest(cx); // a flush that makes room comes round here again
            }
            match self.handle_frames(&mut allowance) {
                Turn::Over => {
                    self.has_unread = true;
                    // Not a plain wake: sockets and timers are looked at before this connection comes round again.
                    let _ = pin!(tokio::task::yield_now()).poll(cx);
                    // What was answered goes out before the next turn.
                    return match self.flush(cx) {
                        Ok(_) => Poll::Pending,
                        Err(_) => Poll::Ready(CloseCause::Gone),
                    };
                }
                Turn::Waits => continue,
                Turn::Dry => {}
            }
            if self.has_news(flushed) {
                continue;
            }
            match self.read(cx) {
                Ok(Progress::More) => {}
                Ok(Progress::Blocked) => return self.rest(cx),
                Err(_) => return Poll::Ready(CloseCause::Gone),
            }
        }
    }

    /// Whether something came up in this turn that is to be written or that ends the connection.
    fn has_news(&self, flushed: bool) -> bool {
        (flushed && !self.session.outbox().is_empty()) || self.session.closing().is_some()
    }

    /// Waits for whatever comes next. Only now must a push wake this task: what its own messages push, it writes anyway.
    fn rest(&self, cx: &Context<'_>) -> Poll<CloseCause> {
        self.session.outbox().wake_on_push(cx.waker());
        Poll::Pending
    }

    /// Writes what waits; `Blocked` where the socket takes no more now.
    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<Progress> {
        let mut progress = 0;
        let mut outbox = self.session.outbox();
        while !outbox.is_empty() {
            let tried = match &outbox.pending()[..] {
                [one] => self.stream.try_write(one),
                many => self.stream.try_write_vectored(many),
            };
            match tried {
                Ok(written) => {
                    outbox.advance(written);
                    progress += written;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match self.stream.poll_write_ready(cx) {
                        Poll::Ready(ready) => ready?,
                        Poll::Pending => {
                            outbox.shrink();
                            drop(outbox);
                            self.session.set_blocked(true);
                            self.session.wrote(progress);
                            return Ok(Progress::Blocked);
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        drop(outbox);
        self.session.set_blocked(false);
        Ok(Progress::More)
    }

    fn read(&mut self, cx: &mut Context<'_>) -> io::Result<Progress> {
        loop {
            match self.stream.poll_read_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => {
                    if self.inbound.is_empty() {
                        self.inbound = BytesMut::new(); // idle connections hold no buffer
                    }
                    return Ok(Progress::Blocked);
                }
            }
            self.inbound.reserve(READ_BYTES);
            match self.stream.try_read_buf(&mut self.inbound) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {
                    self.session.heard();
                    return Ok(Progress::More);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Hands over the messages that are there, up to the end of this connection's turn.
    fn handle_frames(&mut self, allowance: &mut Allowance) -> Turn {
        if self.inbound.is_empty() {
            return Turn::Dry;
        }
        if self.approach.is_none() {
            self.approach = Some(self.session.worker.relay.writer.approach());
        }
        while allowance.take_frame() {
            let frame = match self.codec.decode(&mut self.inbound) {
                Ok(Some(frame)) => frame,
                Ok(None) if self.claims_too_much() => {
                    // The codec would collect the whole frame before it finds it too big.
                    self.protocol_error(&ProtocolError::Overflow);
                    return Turn::Waits;
                }
                Ok(None) => return Turn::Dry,
                Err(error) => {
                    self.protocol_error(&error);
                    return Turn::Waits;
                }
            };
            self.handle_frame(frame);
            if self.wait.is_some()
                || self.session.closing().is_some()
                || !self.session.outbox().has_room()
            {
                return Turn::Waits;
            }
        }
        Turn::Over
    }

    fn handle_frame(&mut self, frame: Frame) {
        let max_bytes = self
            .session
            .worker
            .config()
            .limitation
            .max_message_length
            .as_usize();
        match self.assembly.take(&frame, max_bytes) {
            Some(Data::Text(text)) => self.wait = self.session.on_text(&text),
            Some(Data::More) => {}
            Some(Data::Binary) => {
                let reason = Reason::invalid("messages are text frames, not binary ones");
                self.session.send(RelayMessage::Notice(&reason));
            }
            Some(Data::TooBig) => self.too_big(max_bytes),
            None => match frame {
                Frame::Ping(payload) => self.session.outbox().push_control(10, &payload),
                Frame::Close(reason) => {
                    let code = reason.map_or(1000, |reason| u16::from(reason.code));
                    self.session.outbox().push_control(8, &code.to_be_bytes());
                    self.session.close(CloseCause::Gone);
                }
                _ => {}
            },
        }
    }

    /// Whether the frame that has begun can never become a message.
    fn claims_too_much(&self) -> bool {
        let config = self.session.worker.config();
        let max_bytes = config.limitation.max_message_length.as_usize();
        Claim::read(&self.inbound).is_some_and(|claim| claim.exceeds(max_bytes))
    }

    fn protocol_error(&self, error: &ProtocolError) {
        if matches!(error, ProtocolError::Overflow) {
            let max = self.session.worker.config().limitation.max_message_length;
            self.too_big(max.as_usize());
        } else {
            self.session.close(CloseCause::Protocol);
        }
    }

    fn too_big(&self, max_bytes: usize) {
        let reason = Reason::invalid(format!("the message is larger than {max_bytes} bytes"));
        self.session.send(RelayMessage::Notice(&reason));
        self.session.close(CloseCause::TooBig);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.session.end();
    }
}
