//! A LiveKit server of a test's own, where there is one to run: `livekit-server` on the PATH, or what `LIVEKIT_SERVER_BIN` names.

#![allow(clippy::unwrap_used)]

use crate::livekit::LiveKit;
use livekit_protocol::Room;
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use trellis_relay::testing::until;

const KEY: &str = "test_key";
const SECRET: &str = "a_secret_that_only_the_tests_have_0123456789";

/// A server; dropping it ends it.
pub(crate) struct RealLiveKit {
    process: Child,
    url: String,
}

impl RealLiveKit {
    /// None, with a word on standard error, where there is no server: the test is skipped then.
    pub(crate) async fn start() -> Option<Self> {
        let program = std::env::var("LIVEKIT_SERVER_BIN");
        let program = program.unwrap_or_else(|_| "livekit-server".to_owned());
        // Somebody else may take a port before the server does, which ends then.
        for _ in 0..10 {
            let [port, tcp_port, udp_port] = free_ports();
            let config = format!(
                "port: {port}\nbind_addresses: [127.0.0.1]\nlog_level: error\nkeys: {{{KEY}: {SECRET}}}\n\
                 rtc: {{node_ip: 127.0.0.1, use_external_ip: false, tcp_port: {tcp_port}, udp_port: {udp_port}}}\n",
            );
            let mut command = Command::new(&program);
            command.args(["--config-body", &config]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let process = match command.spawn() {
                Ok(process) => process,
                Err(error) => {
                    eprintln!("skipped: {program} cannot be run ({error}); set LIVEKIT_SERVER_BIN");
                    return None;
                }
            };
            let url = format!("ws://127.0.0.1:{port}");
            let mut server = RealLiveKit { process, url };
            let client = server.client();
            let mut has_ended = false;
            until("LiveKit answers or ends", async || {
                has_ended = server.process.try_wait().unwrap().is_some();
                has_ended || client.rooms(Vec::new()).await.is_ok()
            })
            .await;
            if !has_ended {
                return Some(server);
            }
        }
        panic!("LiveKit ends as soon as it is started");
    }

    /// What the extension's table needs to reach it.
    pub(crate) fn keys(&self) -> String {
        format!(
            "livekit_url = '{}'\nlivekit_api_key = '{KEY}'\nlivekit_api_secret = '{SECRET}'\n",
            self.url
        )
    }

    /// Asks it as the relay does.
    pub(crate) fn client(&self) -> LiveKit {
        LiveKit::new(&self.url, KEY, SECRET)
    }

    /// Its rooms, by name.
    pub(crate) async fn rooms(&self) -> Vec<Room> {
        let mut rooms = self.client().rooms(Vec::new()).await.unwrap();
        rooms.sort_by(|a, b| a.name.cmp(&b.name));
        rooms
    }

    /// The names of its rooms, sorted.
    pub(crate) async fn names(&self) -> Vec<String> {
        self.rooms().await.into_iter().map(|it| it.name).collect()
    }

    /// Waits until it has exactly these rooms.
    pub(crate) async fn until_rooms(&self, wanted: &[&str]) {
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        until("LiveKit has the rooms that are wanted", async || {
            self.names().await == wanted
        })
        .await;
    }
}

impl Drop for RealLiveKit {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two for TCP and one for UDP, all different.
fn free_ports() -> [u16; 3] {
    let [first, second] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let third = UdpSocket::bind("127.0.0.1:0").unwrap();
    [
        first.local_addr().unwrap().port(),
        second.local_addr().unwrap().port(),
        third.local_addr().unwrap().port(),
    ]
}
