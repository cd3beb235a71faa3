//! The front for embedding: a route in somebody's actix-web application, made with actix-web-actors.
//!
//! Same session, same flows as `upgrade`; here actix-http owns the socket. The actor hands messages to the session one
//! by one. What the session queued goes past the actor, whose own queue has no bound: `outflow` moves it straight from
//! the outbox to the socket, as fast as the socket takes it. `intake` keeps clients from sending more than a message at
//! a time into the decoder.

mod intake;
mod outflow;

use super::assembly::{Assembly, Data};
use super::entrance;
use crate::client_ip::client_ip;
use crate::http;
use crate::own_host::{LocalAddress, local_address, own_host};
use crate::reason::Reason;
use crate::relay::Relay;
use crate::session::{CloseCause, Session};
use crate::wire::RelayMessage;
use crate::worker::Worker;
use actix::{Actor, ActorContext as _, AsyncContext as _, StreamHandler, WrapFuture as _};
use actix_http::ws::{Codec, Frame};
use actix_web::http::StatusCode;
use actix_web::http::header::{HOST, HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws::{self, Message, ProtocolError, WebsocketContext};
use intake::Intake;
use outflow::Outflow;
use socket2::{SockRef, Socket};
use std::any::Any;
use std::net::{IpAddr, Ipv4Addr, Shutdown};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Answers a WebSocket handshake at whatever path it is mounted; wants the relay as `web::Data<Arc<Relay>>`, which
/// [`crate::http::pages`] adds.
pub async fn accept(
    request: HttpRequest,
    payload: web::Payload,
    relay: web::Data<Arc<Relay>>,
) -> HttpResponse {
    let mut response = match ws::handshake(&request) {
        Ok(response) => response,
        Err(error) => return http::error(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if relay.is_stopping() {
        return http::error(StatusCode::SERVICE_UNAVAILABLE, "the relay stops");
    }
    let worker = Worker::of_this_thread(&relay);
    let config = worker.config();
    let peer = request
        .peer_addr()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let ip = client_ip(peer, request.headers(), &config.network);
    let place = match entrance::enter(&worker, ip) {
        Ok(place) => place,
        Err(refused) => {
            let mut response = http::error(refused.status, &refused.text);
            if let Some(seconds) = refused.retry_after_s {
                response
                    .headers_mut()
                    .insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            return response;
        }
    };
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .and_then(|host| own_host(host, Some(local_address(&request))))
        .unwrap_or_default();
    let session = worker.open(ip, host, place);
    if let Some(KeptSocket(socket)) = request.conn_data() {
        let socket = socket.clone();
        session.cut_with(move || cut(&socket));
    }
    let max_bytes = config.limitation.max_message_length.as_usize();
    let front = Front {
        session: session.clone(),
        assembly: Assembly::default(),
        max_bytes,
    };
    let intake = Intake::new(payload, session.clone(), max_bytes);
    let codec = Codec::new().max_size(max_bytes);
    let actor = WebsocketContext::with_codec(front, intake, codec);
    response.streaming(Outflow::new(actor, session))
}

/// For [`actix_web::HttpServer::on_connect`]: lets the relay end a connection whose client has taken nothing for
/// `network.write_timeout`, which actix-web by itself does not do. Costs one descriptor a connection.
///
/// Sees through no TLS: there, and where it is left out, only the kernel ends such a connection, if the listener has a
/// `TCP_USER_TIMEOUT`, as that of [`crate::server::listen`] has on Linux. Memory for it is bounded in any case, by
/// `network.outbox_bytes` and what actix-web buffers.
pub fn keep_socket(io: &dyn Any, connection: &mut actix_web::dev::Extensions) {
    let Some(stream) = io.downcast_ref::<actix_rt::net::TcpStream>() else {
        return;
    };
    if let Ok(local) = stream.local_addr() {
        connection.insert(LocalAddress(local.ip()));
    }
    if let Ok(socket) = SockRef::from(stream).try_clone() {
        connection.insert(KeptSocket(Rc::new(socket)));
    }
}

/// A second handle on a connection's socket.
struct KeptSocket(Rc<Socket>);

/// Fails the reads and writes of the socket's owner, who then closes it; the kernel's send buffer goes as well.
fn cut(socket: &Socket) {
    let _ = socket.set_linger(Some(Duration::ZERO));
    let _ = socket.shutdown(Shutdown::Both);
}

struct Front {
    session: Rc<Session>,
    assembly: Assembly,
    max_bytes: usize,
}

impl Actor for Front {
    type Context = WebsocketContext<Self>;
}

impl StreamHandler<Result<Message, ProtocolError>> for Front {
    fn handle(&mut self, message: Result<Message, ProtocolError>, ctx: &mut Self::Context) {
        if self.session.closing().is_some() {
            return;
        }
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
            Err(error) => {
                match error {
                    ProtocolError::Overflow => refuse_size(&self.session, self.max_bytes),
                    _ => self.session.close(CloseCause::Protocol),
                }
                // The decoder would say the same again and again.
                return ctx.stop();
            }
        };
        match self.assembly.take(&frame, self.max_bytes) {
            Some(Data::Text(text)) => {
                if let Some(wait) = self.session.on_text(&text) {
                    // Takes no further message until it is done.
                    ctx.wait(wait.into_actor(self));
                }
            }
            Some(Data::Binary) => {
                let reason = Reason::invalid("messages are text frames, not binary ones");
                self.session.send(RelayMessage::Notice(&reason));
            }
            Some(Data::TooBig) => refuse_size(&self.session, self.max_bytes),
            Some(Data::More) | None => {}
        }
    }
}

/// Says that a message is too long, and closes with 1009.
fn refuse_size(session: &Session, max_bytes: usize) {
    let reason = Reason::invalid(format!("the message is larger than {max_bytes} bytes"));
    session.send(RelayMessage::Notice(&reason));
    session.close(CloseCause::TooBig);
}
