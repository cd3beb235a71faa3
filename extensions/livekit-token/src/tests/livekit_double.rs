//! A server on this machine that answers as LiveKit does (`recorded`), remembers what it was asked, and can be down.
//!
//! What it has recorded says of a room all but its name, sid, metadata and who is there, which are its own.

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

const CREATE_ROOM: &[u8] = include_bytes!("recorded/create_room.pb");
const NOT_FOUND: &[u8] = include_bytes!("recorded/delete_room_not_found.json");

/// The first room was made after this, in milliseconds since 1970.
pub(crate) const BORN_MS: u8 = 20;

/// A server; it ends with the runtime of its test.
pub(crate) struct LiveKitDouble {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_down: Mutex<bool>,
    rooms: Mutex<Vec<Room>>,
    /// How many rooms were made.
    made: Mutex<usize>,
    /// Sids and identities by room.
    present: Mutex<HashMap<String, Vec<(String, String)>>>,
    asked: Mutex<Vec<(String, Vec<u8>)>>,
}

/// A room that was made.
#[derive(Clone)]
struct Room {
    name: String,
    sid: String,
    metadata: String,
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
        let sessions = identities.iter();
        let sessions = sessions.map(|it| (format!("PA_{}", &it[..8]), it.clone()));
        self.set_sessions(room, sessions.collect());
    }

    /// These sids and identities are in a room from now on.
    pub(crate) fn set_sessions(&self, room: &str, sessions: Vec<(String, String)>) {
        let mut present = self.state.present.lock().unwrap();
        present.insert(room.to_owned(), sessions);
    }

    /// Whether there is a room of others, with this metadata, from now on.
    pub(crate) fn add_room(&self, name: &str, metadata: &str) {
        self.state.make(name, metadata);
    }

    /// A room ends.
    pub(crate) fn end_room(&self, name: &str) {
        self.state
            .rooms
            .lock()
            .unwrap()
            .retain(|it| it.name != name);
    }

    /// The rooms that were made and not ended.
    pub(crate) fn rooms(&self) -> Vec<String> {
        let rooms = self.state.rooms.lock().unwrap();
        rooms.iter().map(|room| room.name.clone()).collect()
    }

    /// The sid and metadata of a room.
    pub(crate) fn room(&self, name: &str) -> Option<(String, String)> {
        let rooms = self.state.rooms.lock().unwrap();
        let room = rooms.iter().find(|room| room.name == name)?;
        Some((room.sid.clone(), room.metadata.clone()))
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
        let name = text_of(body, 1).unwrap_or_default();
        let is_there = |name: &str| {
            let rooms = self.rooms.lock().unwrap();
            rooms.iter().any(|room| room.name == name)
        };
        match method {
            "CreateRoom" => {
                let room = self.make(&name, &text_of(body, 5).unwrap_or_default());
                protobuf(self.message(&room))
            }
            "ListRooms" => {
                let rooms = self.rooms.lock().unwrap().clone();
                let wanted = rooms.iter().filter(|it| name.is_empty() || it.name == name);
                let listed = wanted.flat_map(|room| field(1, &self.message(room)));
                protobuf(listed.collect())
            }
            "ListParticipants" => {
                let present = self.present(&name).into_iter();
                protobuf(present.flat_map(|it| field(1, &participant(&it))).collect())
            }
            "GetParticipant" | "RemoveParticipant" => {
                let identity = text_of(body, 2).unwrap_or_default();
                let mut present = self.present(&name).into_iter();
                match present.find(|it| it.1 == identity) {
                    Some(session) if method == "GetParticipant" => protobuf(participant(&session)),
                    Some(_) => {
                        let mut present = self.present.lock().unwrap();
                        let sessions = present.entry(name).or_default();
                        sessions.retain(|it| it.1 != identity);
                        protobuf(Vec::new())
                    }
                    None => not_found(),
                }
            }
            "DeleteRoom" if !is_there(&name) => not_found(),
            "DeleteRoom" => {
                self.rooms.lock().unwrap().retain(|it| it.name != name);
                protobuf(Vec::new())
            }
            _ => protobuf(Vec::new()),
        }
    }

    /// Makes a room, or finds it.
    fn make(&self, name: &str, metadata: &str) -> Room {
        let (mut rooms, mut made) = (self.rooms.lock().unwrap(), self.made.lock().unwrap());
        if let Some(room) = rooms.iter().find(|room| room.name == name) {
            return room.clone();
        }
        *made += 1;
        let room = Room {
            name: name.to_owned(),
            sid: format!("RM_{made}"),
            metadata: metadata.to_owned(),
        };
        rooms.push(room.clone());
        room
    }

    /// As protobuf has it: of what is there twice the last counts.
    fn message(&self, room: &Room) -> Vec<u8> {
        let number = room.sid.trim_start_matches("RM_").parse::<u8>().unwrap();
        let present = self.present(&room.name).len() as u8;
        let own = [
            field(1, room.sid.as_bytes()),
            field(2, room.name.as_bytes()),
            field(8, room.metadata.as_bytes()),
            // How many are there, and the creation in milliseconds.
            vec![9 << 3, present, 15 << 3, number + BORN_MS],
        ];
        [CREATE_ROOM, &own.concat()].concat()
    }

    fn present(&self, room: &str) -> Vec<(String, String)> {
        let present = self.present.lock().unwrap();
        present.get(room).cloned().unwrap_or_default()
    }
}

fn not_found() -> HttpResponse {
    HttpResponse::build(StatusCode::NOT_FOUND)
        .content_type("application/json")
        .body(NOT_FOUND)
}

fn protobuf(body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/protobuf")
        .body(body)
}

/// A field of bytes or text, as protobuf has it; shorter than 16 KiB.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let head = [
        number << 3 | 2,
        bytes.len() as u8 | 0x80,
        (bytes.len() >> 7) as u8,
    ];
    assert!(bytes.len() < 1 << 14);
    [&head[..], bytes].concat()
}

/// A participant, by sid and identity: active.
fn participant((sid, identity): &(String, String)) -> Vec<u8> {
    let info = [
        field(1, sid.as_bytes()),
        field(2, identity.as_bytes()),
        vec![3 << 3, 2],
    ];
    info.concat()
}

/// A field of text in a message of texts and numbers alone.
fn text_of(mut body: &[u8], wanted: u64) -> Option<String> {
    loop {
        let tag = varint(&mut body)?;
        let value = varint(&mut body)?;
        if tag & 7 != 2 {
            continue;
        }
        let (bytes, rest) = body.split_at_checked(value as usize)?;
        if tag >> 3 == wanted {
            return Some(String::from_utf8_lossy(bytes).into_owned());
        }
        body = rest;
    }
}

fn varint(body: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..10 {
        let (byte, rest) = body.split_first()?;
        *body = rest;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
