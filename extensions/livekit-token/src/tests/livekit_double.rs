//! A server on this machine that answers as LiveKit does (`recorded`), remembers what it was asked, and can be down.

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

const CREATE_ROOM: &[u8] = include_bytes!("recorded/create_room.pb");
const LIST_ROOMS: &[u8] = include_bytes!("recorded/list_rooms.pb");
const NOT_FOUND: &[u8] = include_bytes!("recorded/delete_room_not_found.json");

/// A server; it ends with the runtime of its test.
pub(crate) struct LiveKitDouble {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_down: Mutex<bool>,
    rooms: Mutex<Vec<String>>,
    /// Identities by room.
    present: Mutex<HashMap<String, Vec<String>>>,
    asked: Mutex<Vec<(String, Vec<u8>)>>,
}

impl LiveKitDouble {
    pub(crate) fn start() -> Self {
        let state = Arc::new(State::default());
        let shared = state.clone();
        let app = move || {
            let shared = shared.clone();
            let answer = move |request: HttpRequest, body: web::Bytes| {
                let shared = shared.clone();
                async move { shared.answer(&request, &body) }
            };
            App::new().default_service(web::to(answer))
        };
        let server = HttpServer::new(app).workers(1).disable_signals();
        let server = server.bind("127.0.0.1:0").unwrap();
        let address = server.addrs()[0];
        tokio::spawn(server.run());
        LiveKitDouble { address, state }
    }

    /// Whether it answers 503 from now on.
    pub(crate) fn set_down(&self, is_down: bool) {
        *self.state.is_down.lock().unwrap() = is_down;
    }

    /// These are in a room from now on.
    pub(crate) fn set_present(&self, room: &str, identities: &[String]) {
        let mut present = self.state.present.lock().unwrap();
        present.insert(room.to_owned(), identities.to_vec());
    }

    /// The rooms that were made and not ended.
    pub(crate) fn rooms(&self) -> Vec<String> {
        self.state.rooms.lock().unwrap().clone()
    }

    /// The bodies with which a method was called.
    pub(crate) fn asked(&self, method: &str) -> Vec<Vec<u8>> {
        let asked = self.state.asked.lock().unwrap();
        let asked = asked.iter().filter(|(name, _)| name == method);
        asked.map(|(_, body)| body.clone()).collect()
    }
}

impl State {
    fn answer(&self, request: &HttpRequest, body: &[u8]) -> HttpResponse {
        if *self.is_down.lock().unwrap() {
            return HttpResponse::ServiceUnavailable().finish();
        }
        let Some(method) = request.path().strip_prefix("/twirp/livekit.RoomService/") else {
            return HttpResponse::Ok().body("OK");
        };
        let authorization = request.headers().get("authorization").unwrap();
        assert!(authorization.to_str().unwrap().starts_with("Bearer "));
        self.asked
            .lock()
            .unwrap()
            .push((method.to_owned(), body.to_vec()));
        // In each of these requests the first field is a name, if there is one.
        let name = first_text(body).unwrap_or_default();
        let mut rooms = self.rooms.lock().unwrap();
        match method {
            "CreateRoom" => {
                if !rooms.contains(&name) {
                    rooms.push(name);
                }
                protobuf(CREATE_ROOM.to_vec())
            }
            "ListRooms" => match name.is_empty() || rooms.contains(&name) {
                true if !rooms.is_empty() => protobuf(LIST_ROOMS.to_vec()),
                _ => protobuf(Vec::new()),
            },
            "ListParticipants" => {
                let present = self.present.lock().unwrap();
                let present = present.get(&name).cloned().unwrap_or_default();
                protobuf(present.iter().flat_map(|it| participant(it)).collect())
            }
            "DeleteRoom" if !rooms.contains(&name) => HttpResponse::build(StatusCode::NOT_FOUND)
                .content_type("application/json")
                .body(NOT_FOUND),
            "DeleteRoom" => {
                rooms.retain(|it| *it != name);
                protobuf(Vec::new())
            }
            _ => protobuf(Vec::new()),
        }
    }
}

fn protobuf(body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/protobuf")
        .body(body)
}

/// A field of bytes or text, as protobuf has it; shorter than 128 bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 128);
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

/// An element of the list of participants: their sid, identity and state (active).
fn participant(identity: &str) -> Vec<u8> {
    let info = [
        field(1, format!("PA_{}", &identity[..8]).as_bytes()),
        field(2, identity.as_bytes()),
        vec![3 << 3, 2],
    ];
    field(1, &info.concat())
}

fn first_text(body: &[u8]) -> Option<String> {
    let [0x0a, length, rest @ ..] = body else {
        return None;
    };
    let text = rest.get(..usize::from(*length))?;
    Some(String::from_utf8_lossy(text).into_owned())
}
