//! What is written to the log while people call.

use super::direct;
use super::ground::{Ground, SECRET};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;
use trellis_relay::testing::Value;

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

#[tokio::test]
async fn l16_no_log_tells_a_secret_or_who_is_in_which_call() {
    let pages = Pages::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(pages.clone())
        .finish();
    // The relay has threads of its own.
    tracing::subscriber::set_global_default(subscriber).unwrap();

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

    let log = String::from_utf8(pages.0.lock().unwrap().clone()).unwrap();
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
