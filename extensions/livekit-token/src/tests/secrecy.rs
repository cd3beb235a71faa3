//! What is written to the log while people call.

use super::direct;
use super::ground::{Ground, SECRET};
use super::hearsay::{about, mark_of, room, signature, tell};
use super::livekit_double::BORN_MS;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};
use tracing_subscriber::fmt::MakeWriter;
use trellis_relay::testing::{Author, HttpsServer, Response, Value, json};

/// Keeps all that is logged.
#[derive(Clone, Default)]
struct Pages(Arc<Mutex<Vec<u8>>>);

impl Write for Pages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Pages {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// All that this process logs; the relay has threads of its own, and other tests log as well.
fn pages() -> &'static Pages {
    static PAGES: LazyLock<Pages> = LazyLock::new(|| {
        let pages = Pages::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(pages.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        pages
    });
    &PAGES
}

impl Pages {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

#[tokio::test]
async fn l16_no_log_tells_a_secret_or_who_is_in_which_call() {
    let pages = pages();
    let ground = Ground::start().await;
    let call = ground.call().await;
    let bob = ground.author(2);
    let answer = ground.join(2, &call).await;
    let body: Value = answer.json();
    let token = body["token"].as_str().unwrap().to_owned();
    let room = body["room"].as_str().unwrap().to_owned();
    let refused = ground.join(9, &call).await;
    assert_eq!(refused.status, 403);
    let (caller, callee) = (ground.author(1), ground.author(9));
    let offered = direct::offer(&caller, &callee);
    let accepted = direct::answer(&callee, &caller, &offered);
    let mut client = ground.relay.connect().await;
    client.publish(&offered).await.assert_accepted();
    client.publish(&accepted).await.assert_accepted();
    let answer = direct::ask(&ground, &caller, &offered, None).await;
    assert_eq!(answer.status, 200);
    let direct: Value = answer.json();
    let [direct_token, direct_room] =
        ["token", "room"].map(|it| direct[it].as_str().unwrap().to_owned());
    ground.livekit.set_down(true);
    assert_eq!(ground.join(2, &call).await.status, 503);
    let url = format!(
        "{}/.well-known/nip29/livekit/pizza",
        ground.relay.http_url()
    );
    let header = bob.authorization("GET", &url, b"");
    let call = ground.relay.get("/.well-known/nip29/livekit/pizza");
    assert_eq!(call.header("Authorization", &header).await.status, 503);

    let log = pages.text();
    assert!(
        log.contains("a token could not be issued"),
        "the log was looked at"
    );
    let signature = token.rsplit('.').next().unwrap();
    for secret in [
        SECRET,
        &token,
        signature,
        &header,
        header.trim_start_matches("Nostr "),
        &direct_token,
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let key = bob.pubkey().to_hex();
    for line in log.lines() {
        let names_room = line.contains(&room) || line.contains("pizza");
        let names_who = line.contains(&key) || line.contains("127.0.0.1");
        // What this extension says; the other tests of this process, and who listens where, are no business of this one.
        let is_ours = line.contains("livekit_token");
        assert!(!(names_room && names_who && is_ours), "{line}");
        assert!(!(line.contains(&key) && line.contains(&room)), "{line}");
        let names_two = [&caller, &callee].map(|it| line.contains(&it.pubkey().to_hex()));
        assert!(
            !(names_two == [true; 2] || (names_two.contains(&true) && line.contains(&direct_room))),
            "{line}"
        );
    }
}

/// A Blossom server that has and takes one file.
fn blossom(file: &'static [u8]) -> HttpsServer {
    HttpsServer::start(move |asked| {
        let hash = const_hex::encode(Sha256::digest(file));
        let stored = json!({"url": format!("https://media.example/{hash}"), "sha256": hash});
        let (status, body) = match asked.head.split(' ').nth(1) {
            Some("/upload") => (200, stored.to_string().into_bytes()),
            Some(path) if path == format!("/{hash}") => (200, file.to_vec()),
            _ => (404, Vec::new()),
        };
        Response {
            status,
            headers: Vec::new(),
            body,
        }
    })
}

/// Sends a body that somebody has signed for; the status, and the header.
async fn send(
    ground: &Ground,
    who: &Author,
    path: &str,
    content_type: &str,
    body: &str,
) -> (u16, String) {
    let url = format!("{}{path}", ground.relay.http_url());
    let header = who.authorization("POST", &url, body.as_bytes());
    let call = ground.relay.post(path).header("Content-Type", content_type);
    let call = call.body(body).header("Authorization", &header);
    (call.await.status, header)
}

#[tokio::test]
async fn l16_no_log_tells_of_commits_files_and_who_is_put_out() {
    const FILE: &[u8] = b"a picture of somebody who hides";
    let pages = pages();
    let blossom = blossom(FILE);
    let table = format!("blossom_url = '{}'", blossom.url(""));
    let ground = Ground::with(&table, &blossom.outbound()).await;
    let (call, bob) = (ground.call().await, ground.author(2));
    let answer: Value = ground.join(2, &call).await.json();
    let (name, mark) = (answer["room"].as_str().unwrap(), mark_of(&answer));
    let here = room(&ground.livekit, name, BORN_MS + 1);
    let mut secrets = vec![answer["token"].as_str().unwrap().to_owned()];

    // Bob comes and commits, well and badly; then a copy of his token comes and is put out, at last.
    let mut hear = async |event: &str, sid: &str, mark: &str| {
        let told = about(event, &here, &bob, sid, mark);
        let session = (sid.to_owned(), bob.pubkey().to_hex());
        ground.livekit.set_sessions(name, vec![session]);
        secrets.push(signature(&told.to_string()));
        tell(&ground.relay, &told).await
    };
    assert_eq!(hear("participant_joined", "PA_first", &mark).await, 200);
    ground.livekit.set_down(true);
    assert_eq!(hear("participant_joined", "PA_copy", &mark).await, 503);
    ground.livekit.set_down(false);
    assert_eq!(hear("participant_joined", "PA_copy", &mark).await, 200);
    assert_eq!(ground.livekit.asked("RemoveParticipant").len(), 1);
    let commit = STANDARD.encode("what only the members read");
    for (epoch, expected) in [(0, 200), (0, 409), (7, 409)] {
        let body = json!({
            "room_id": name, "epoch": epoch, "commit": commit, "tree_hash": format!("tree{epoch}hash"),
        });
        let json = "application/json";
        let (status, header) = send(&ground, &bob, "/mls/commit", json, &body.to_string()).await;
        assert_eq!(status, expected);
        secrets.push(header);
    }
    secrets.extend([commit, "tree0hash".to_owned()]);

    // Files, one of which is not there, and one that nobody may ask for.
    let hash = const_hex::encode(Sha256::digest(FILE));
    let (there, missing) = (blossom.url(&format!("/{hash}")), "ab".repeat(32));
    let missing_url = blossom.url(&format!("/{missing}"));
    let file = String::from_utf8(FILE.to_vec()).unwrap();
    for (parts, expected) in [
        ([("action", "upload"), ("file", &*file)], 200),
        ([("action", "download"), ("url", &*there)], 200),
        ([("action", "download"), ("url", &*missing_url)], 404),
        (
            [("action", "download"), ("url", "https://10.0.0.1/private")],
            403,
        ),
    ] {
        let mut body = String::new();
        for (part, value) in parts {
            let name = if part == "file" {
                "file\"; filename=\"hidden.png"
            } else {
                part
            };
            body += &format!(
                "--between\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
        }
        body += "--between--\r\n";
        let form = "multipart/form-data; boundary=between";
        let (status, header) = send(&ground, &bob, "/proxy", form, &body).await;
        assert_eq!(status, expected, "{parts:?}");
        secrets.push(header);
    }
    secrets.extend([file, "hidden.png".to_owned()]);

    let log = pages.text();
    for seen in [
        "somebody was put out of a room",
        "a webhook could not be dealt with",
    ] {
        assert!(log.contains(seen), "{seen}: the log was looked at");
    }
    let bare = |secret: &String| secret.trim_start_matches("Nostr ").to_owned();
    for secret in secrets.iter().map(bare).chain([SECRET.to_owned()]) {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
    let key = bob.pubkey().to_hex();
    for line in log.lines() {
        let names_who = line.contains(&key) || line.contains("127.0.0.1");
        let what = [name, "pizza", &hash, &missing, "PA_first", "PA_copy"];
        let names_what = what.iter().any(|it| line.contains(it));
        let is_ours = line.contains("livekit_token");
        assert!(!(names_who && names_what && is_ours), "{line}");
        assert!(!(line.contains(&key) && names_what), "{line}");
    }
}
