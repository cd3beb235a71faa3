//! The front for embedding: a route in somebody's actix-web application, made with actix-web-actors.
//!
//! Same session, same flows; costs more memory a connection than `upgrade`, and while a write blocks the actor's own
//! timers stand still, so the kernel's timeout must end such a connection.

use super::assembly::{Assembly, Data};
use crate::client_ip::client_ip;
use crate::outbox::split_frames;
use crate::reason::Reason;
use crate::relay::Relay;
use crate::server::worker_of_this_thread;
use crate::session::{CloseCause, Session};
use crate::wire::RelayMessage;
use actix::{Actor, ActorContext as _, AsyncContext as _, StreamHandler, WrapFuture as _};
use actix_http::ws::Frame;
use actix_web::{Error, HttpRequest, HttpResponse, error, web};
use actix_web_actors::ws::{self, Message, ProtocolError, WebsocketContext};
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

/// Answers a WebSocket handshake at whatever path it is mounted; wants the relay as `web::Data<Arc<Relay>>`.
pub async fn accept(
    request: HttpRequest,
    stream: web::Payload,
    relay: web::Data<Arc<Relay>>,
) -> Result<HttpResponse, Error> {
    let worker = worker_of_this_thread(&relay);
    let config = worker.config();
    let peer = request
        .peer_addr()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let ip = client_ip(peer, request.headers(), &config.network);
    let place = relay
        .connections
        .enter(
            ip,
            config.network.max_connections as usize,
            config.network.max_connections_per_ip as usize,
        )
        .map_err(error::ErrorServiceUnavailable)?;
    let host = request.connection_info().host().to_owned();
    let max_bytes = config.limitation.max_message_length.as_usize();
    let front = Front {
        session: worker.open(ip, &host, place),
        assembly: Assembly::default(),
        max_bytes,
    };
    ws::WsResponseBuilder::new(front, &request, stream)
        .frame_size(max_bytes)
        .start()
}

struct Front {
    session: Rc<Session>,
    assembly: Assembly,
    max_bytes: usize,
}

impl Actor for Front {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.add_stream(futures_util::stream::unfold(
            self.session.clone(),
            |session| async move {
                let frames = queued(&session).await?;
                Some((Queued(frames), session))
            },
        ));
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.session.end();
    }
}

/// Frames that the session queued.
struct Queued(bytes::BytesMut);

/// Waits for something to send; none when the session ends and all is sent.
async fn queued(session: &Rc<Session>) -> Option<bytes::BytesMut> {
    poll_fn(|cx| {
        let closing = session.closing().is_some();
        let mut outbox = session.outbox();
        if !outbox.is_empty() {
            return Poll::Ready(Some(outbox.take()));
        }
        if closing {
            return Poll::Ready(None);
        }
        outbox.wake_on_push(cx.waker());
        Poll::Pending
    })
    .await
}

impl StreamHandler<Queued> for Front {
    fn handle(&mut self, queued: Queued, ctx: &mut Self::Context) {
        for (opcode, payload) in split_frames(queued.0) {
            match opcode {
                1 => ctx.text(String::from_utf8_lossy(&payload).into_owned()),
                8 => {
                    let code = payload
                        .get(..2)
                        .map_or(1000, |code| u16::from_be_bytes([code[0], code[1]]));
                    let text = String::from_utf8_lossy(payload.get(2..).unwrap_or_default());
                    ctx.close(Some((ws::CloseCode::from(code), text).into()));
                }
                9 => ctx.ping(&payload),
                _ => ctx.pong(&payload),
            }
        }
    }

    fn finished(&mut self, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for Front {
    fn handle(&mut self, message: Result<Message, ProtocolError>, ctx: &mut Self::Context) {
        self.session.heard();
        let frame = match message {
            Ok(Message::Text(text)) => Frame::Text(text.into_bytes()),
            Ok(Message::Binary(bytes)) => Frame::Binary(bytes),
            Ok(Message::Continuation(item)) => Frame::Continuation(item),
            Ok(Message::Ping(payload)) => {
                self.session.outbox().push_control(10, &payload);
                return;
            }
            Ok(Message::Pong(_) | Message::Nop) => return,
            Ok(Message::Close(reason)) => {
                let code = reason.map_or(1000, |reason| u16::from(reason.code));
                self.session.outbox().push_control(8, &code.to_be_bytes());
                self.session.close(CloseCause::Gone);
                return;
            }
            Err(ProtocolError::Overflow) => return self.too_big(),
            Err(_) => return self.session.close(CloseCause::Protocol),
        };
        match self.assembly.take(&frame, self.max_bytes) {
            Some(Data::Text(text)) => {
                if let Some(wait) = self.session.on_text(&text) {
                    // Reads no further frame until it is done.
                    ctx.wait(wait.into_actor(self));
                }
            }
            Some(Data::Binary) => {
                let reason = Reason::invalid("messages are text frames, not binary ones");
                self.session.send(RelayMessage::Notice(&reason));
            }
            Some(Data::TooBig) => self.too_big(),
            Some(Data::More) | None => {}
        }
    }

    fn finished(&mut self, ctx: &mut Self::Context) {
        self.session.close(CloseCause::Gone);
        ctx.stop();
    }
}

impl Front {
    fn too_big(&self) {
        let max = self.max_bytes;
        let reason = Reason::invalid(format!("the message is larger than {max} bytes"));
        self.session.send(RelayMessage::Notice(&reason));
        self.session.close(CloseCause::TooBig);
    }
}
