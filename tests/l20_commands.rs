//! L20: `trellis livekit ...` by the program itself, and what the log says of a decision.

use std::process::{Child, Command, Stdio};
use trellis_test_support::{Author, Client, Front, Setup, free_port, trellis, wait};

const TABLE: &str = "[extensions.livekit_token]\nlivekit_api_key = 'test_key'\noperator_url = 'https://calls.example'\n\
    livekit_api_secret = 'a_secret_that_only_the_tests_have_0123456789'\n";

/// A relay for a LiveKit at this port.
fn setup(port: u16) -> Setup {
    let table = format!("{TABLE}livekit_url = 'ws://127.0.0.1:{port}'");
    trellis!().front(Front::Server).config(&table)
}

/// Dropping it ends it.
struct LiveKit(Child);

impl Drop for LiveKit {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server at this port; none, with a word on standard error, where there is none to run.
fn livekit(port: u16) -> Option<LiveKit> {
    let Ok(binary) = std::env::var("LIVEKIT_SERVER_BIN") else {
        eprintln!("SKIPPED: LiveKit: LIVEKIT_SERVER_BIN is not set; tests/run sets it");
        return None;
    };
    let udp_port = free_port();
    let config = format!(
        "port: {port}\nbind_addresses: [127.0.0.1]\nlog_level: error\n\
         keys: {{test_key: a_secret_that_only_the_tests_have_0123456789}}\n\
         rtc: {{node_ip: 127.0.0.1, use_external_ip: false, tcp_port: {}, udp_port: {udp_port}}}\n",
        free_port()
    );
    let mut command = Command::new(binary);
    command.args(["--config-body", &config]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Some(LiveKit(command.spawn().expect("LiveKit")))
}

#[tokio::test]
async fn l20_wrong_words_are_told_with_what_would_be_right() {
    let setup = setup(free_port());
    let config = setup.config_file().display().to_string();
    let nothing = setup.run(&["livekit", "-c", &config]).await;
    nothing.assert_failure(&["livekit rooms", "livekit close ROOM --reason TEXT"]);
    let unknown = setup.run(&["livekit", "-c", &config, "roms"]).await;
    unknown.assert_failure(&["\"roms\"", "livekit rooms"]);
    let no_reason = setup.run(&["livekit", "-c", &config, "close", "a"]).await;
    no_reason.assert_failure(&["a room and a reason"]);
    let away = setup.run(&["livekit", "-c", &config, "rooms"]).await;
    away.assert_failure(&["LiveKit cannot be reached"]);
}

#[tokio::test]
async fn l20_rooms_are_listed_and_closed_and_the_log_names_nobody() {
    let port = free_port();
    let Some(_livekit) = livekit(port) else {
        return;
    };
    let relay = setup(port).env("RUST_LOG", "trace").start().await;
    let setup = relay.setup();
    let config = setup.config_file().display().to_string();
    let list = async || setup.run(&["livekit", "rooms", "-c", &config]).await.stdout;

    // A community that makes a room for itself.
    let community = Author::new();
    let operator = "https://calls.example";
    let definition = community.draft(10222).tag(&["livekit", operator]).sign();
    let space = community.draft(30312).tag(&["d", "hall"]);
    let space = space.tag(&["room", "The hall"]).tag(&["status", "open"]);
    let space = space.tag(&["service", operator]).sign();
    let mut client = Client::connect(&relay).await;
    client.store_all(&[definition, space]).await;
    let room = format!("30312:{}:hall", community.pubkey());
    let listed = wait::until("the room is listed", async || {
        Some(list().await).filter(|listed| listed.contains(&room))
    })
    .await;
    assert!(listed.contains(&format!("{room}\t0\t")), "{listed}");

    let named = format!("because of {}", community.pubkey());
    let named = setup
        .run(&["livekit", "close", &room, "--reason", &named, "-c", &config])
        .await;
    named.assert_failure(&["names nobody"]);
    let reason = "a flood of noise";
    let closed = setup
        .run(&["livekit", "close", &room, "--reason", reason, "-c", &config])
        .await;
    assert_eq!(closed.assert_success().stdout, "closed\n");
    assert!(!list().await.contains(&room));
    // The space has no room any more, and can be closed all the same; what is neither cannot.
    let still = "it is noisy still";
    let again = setup
        .run(&["livekit", "close", &room, "--reason", still, "-c", &config])
        .await;
    assert_eq!(again.assert_success().stdout, "closed\n");
    let typo = room.replace(":hall", ":hal");
    let nothing = setup
        .run(&["livekit", "close", &typo, "--reason", "why", "-c", &config])
        .await;
    nothing.assert_failure(&["no such room", "no such space"]);

    relay.wait_for_log(0, still).await;
    let log = relay.log();
    for (reason, decision) in [
        (reason, "decision: a room is closed"),
        (still, "decision: a space is closed, which has no room now"),
    ] {
        let line = log.lines().find(|line| line.contains(reason));
        let line = line.expect("the line");
        assert!(line.contains(decision), "{line}");
    }
    for line in log
        .lines()
        .filter(|line| line.contains(&community.pubkey()))
    {
        assert!(!line.contains("30312:"), "{line}");
    }
}
