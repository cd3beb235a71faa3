//! A server over TLS that keeps what it is sent, and does that rightly or in some wrong way.

#![allow(clippy::unwrap_used)]

use crate::ground::hash_of as hash;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use trellis_relay::testing::{HttpsRequest, HttpsServer, Response};

/// How the server answers, apart from what it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    #[default]
    Right,
    /// Gives everything, whatever part is asked for.
    WithoutRanges,
    /// Gives other bytes, of the same number.
    Forging,
    /// Says that it has stored something else.
    Mistaken,
    /// Sends on to the same blob elsewhere, or to another.
    SendingOn,
    SendingElsewhere,
    Full,
    Failing,
}

/// The blobs of a server by their hashes.
type Blobs = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// The server, and what it keeps.
pub(crate) struct Double {
    pub(crate) server: HttpsServer,
    blobs: Blobs,
}

impl Double {
    pub(crate) fn start(manner: Manner) -> Self {
        let blobs = Blobs::default();
        let held = Arc::clone(&blobs);
        let server = HttpsServer::start(move |asked| answer(asked, &held, manner));
        Double { server, blobs }
    }

    /// What it keeps, by the hashes.
    pub(crate) fn blobs(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.blobs.lock().unwrap()
    }
}

fn answer(asked: &HttpsRequest, blobs: &Blobs, manner: Manner) -> Response {
    let mut words = asked.head.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let header = |name: &str| {
        let mut lines = asked.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    let told = |status, headers: Vec<(String, String)>, body: Vec<u8>| Response {
        status,
        headers,
        body,
    };
    let mut blobs = blobs.lock().unwrap();
    let name = path.rsplit('/').next().unwrap().split('.').next().unwrap();
    match (method, manner) {
        (_, Manner::Failing) => told(500, Vec::new(), Vec::new()),
        ("PUT", Manner::Full) => told(507, Vec::new(), Vec::new()),
        ("PUT", _) => {
            let mut sha256 = hash(&asked.body).to_string();
            assert_eq!(header("x-sha-256"), Some(&*sha256));
            assert_eq!(header("content-type"), Some("application/pdf"));
            if manner == Manner::Mistaken {
                sha256 = "0".repeat(64);
            }
            let said = format!(
                "{{\"url\":\"x\",\"sha256\":\"{sha256}\",\"size\":{}}}",
                asked.body.len()
            );
            blobs.insert(sha256, asked.body.clone());
            told(201, Vec::new(), said.into_bytes())
        }
        ("DELETE", _) => told(
            if blobs.remove(name).is_some() {
                204
            } else {
                404
            },
            Vec::new(),
            Vec::new(),
        ),
        (_, Manner::SendingOn) if !path.starts_with("/moved/") => told(
            307,
            vec![("location".to_owned(), format!("/moved/{name}.pdf"))],
            Vec::new(),
        ),
        (_, Manner::SendingElsewhere) => told(
            302,
            vec![("location".to_owned(), "/something-else".to_owned())],
            Vec::new(),
        ),
        _ => match (blobs.get(name).cloned(), header("range")) {
            (None, _) => told(404, Vec::new(), Vec::new()),
            (Some(mut blob), range) => {
                if manner == Manner::Forging {
                    *blob.last_mut().unwrap() ^= 1;
                }
                let Some(range) = range.filter(|_| manner != Manner::WithoutRanges) else {
                    return told(200, Vec::new(), blob);
                };
                let (start, end) = range
                    .strip_prefix("bytes=")
                    .unwrap()
                    .split_once('-')
                    .unwrap();
                let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
                let whole = format!("bytes {start}-{end}/{}", blob.len());
                let part = blob[start..=end].to_vec();
                told(206, vec![("content-range".to_owned(), whole)], part)
            }
        },
    }
}
