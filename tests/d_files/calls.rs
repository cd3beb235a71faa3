//! D10: LiveKit's configuration.

use crate::ground::{free_ports, read, yaml};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use trellis_test_support::wait;
use yaml_rust2::Yaml;

/// Dropping it ends it.
struct LiveKit(Child);

impl Drop for LiveKit {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn d10_rooms_codecs_turn_and_webhooks_are_set_and_nothing_records() {
    let config = yaml("deploy/livekit.yaml");
    let room = &config["room"];
    let codecs = room["enabled_codecs"].as_vec().expect("codecs");
    let codecs: Vec<&str> = codecs
        .iter()
        .filter_map(|codec| codec["mime"].as_str())
        .collect();
    assert_eq!(codecs, ["audio/opus", "video/VP8", "video/H264"]);
    assert_eq!(room["max_participants"].as_i64(), Some(50));
    assert_eq!(room["empty_timeout"].as_i64(), Some(300));
    assert_eq!(room["auto_create"].as_bool(), Some(false));
    let turn = &config["turn"];
    assert_eq!(turn["enabled"].as_bool(), Some(true));
    assert_eq!(turn["external_tls"].as_bool(), Some(true));
    assert!(
        turn["domain"]
            .as_str()
            .is_some_and(|domain| domain.starts_with("turn."))
    );
    let urls = config["webhook"]["urls"].as_vec().expect("urls");
    assert!(urls.iter().all(|url| {
        url.as_str()
            .is_some_and(|url| url.ends_with("/webhook/livekit"))
    }));
    // Egress records, and it needs a Redis that LiveKit shares with it.
    let tables: Vec<&str> = config
        .as_hash()
        .expect("tables")
        .keys()
        .filter_map(Yaml::as_str)
        .collect();
    for table in ["redis", "egress", "ingress", "keys"] {
        assert!(!tables.contains(&table), "{table}");
    }
}

#[tokio::test]
async fn d10_livekit_starts_with_it() {
    let Ok(binary) = std::env::var("LIVEKIT_SERVER_BIN") else {
        eprintln!("SKIPPED: LiveKit: LIVEKIT_SERVER_BIN is not set; tests/run sets it");
        return;
    };
    // As it stands, but for ports, and for a question to the outside about this machine's address.
    let mut config =
        read("deploy/livekit.yaml").replace("use_external_ip: true", "use_external_ip: false");
    let named = ["7880", "7881", "7882", "3478", "5349", "6789"];
    let ports = free_ports(named.len());
    // In two steps, since a port may have the digits of a name in it.
    for (place, name) in named.iter().enumerate() {
        assert!(config.contains(name), "{name}");
        config = config.replace(name, &format!("@{place}@"));
    }
    for (place, port) in ports.iter().enumerate() {
        config = config.replace(&format!("@{place}@"), &port.to_string());
    }
    let mut command = Command::new(binary);
    command.args([
        "--config-body",
        &config,
        "--node-ip",
        "127.0.0.1",
        "--bind",
        "127.0.0.1",
    ]);
    command.env(
        "LIVEKIT_KEYS",
        "trellis: a_secret_that_only_the_tests_have_0123456789",
    );
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut livekit = LiveKit(command.spawn().expect("LiveKit"));
    wait::until_true("LiveKit listens", || {
        let ended = livekit.0.try_wait().expect("wait");
        assert!(
            ended.is_none(),
            "LiveKit refuses its configuration: {ended:?}"
        );
        TcpStream::connect(("127.0.0.1", ports[0])).is_ok()
    })
    .await;
}
