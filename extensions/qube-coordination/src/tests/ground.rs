//! A relay with two networks, their developers, and events as they and nodes write them.

use crate::QubeCoordination;
use std::time::Duration;
use trellis_relay::event::Event;
use trellis_relay::testing::{Author, Client, Draft, TestRelay, Value, until};

/// Developers of "hqz" (a quorum is two), of whom 1 and 2 direct "testnet" as well (a quorum is two).
pub(super) const DEVELOPERS: [u64; 3] = [1, 2, 3];
/// Nobody's developer.
pub(super) const STRANGER: u64 = 9;

pub(super) const HASH: &str = "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d2e3f4a5b6c7d8e9f0a1b2";
pub(super) const OTHER_HASH: &str =
    "b1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d2e3f4a5b6c7d8e9f0a1b2";

/// The table of the extension, with these lines in it.
pub(super) fn table(keys: &str) -> String {
    let key = |number: u64| format!("'{}'", Author::new(number).pubkey().to_hex());
    let [a, b, c] = DEVELOPERS.map(key);
    // Tests poll, and time stands still.
    let rate = match keys.contains("requests_per_minute") {
        true => "",
        false => "requests_per_minute = 1000000",
    };
    format!(
        "[extensions.qube_coordination]\n{rate}\n{keys}\n\
         [[extensions.qube_coordination.networks]]\nid = 'hqz'\ndevelopers = [{a}, {b}, {c}]\nquorum = 2\n\
         [[extensions.qube_coordination.networks]]\nid = 'testnet'\ndevelopers = [{a}, {b}]\nquorum = 2\n"
    )
}

/// A relay.
pub(super) struct Ground {
    pub(super) relay: TestRelay,
}

impl Ground {
    /// With these lines in the table.
    pub(super) async fn start(keys: &str) -> Self {
        Ground::with(&table(keys)).await
    }

    /// With this configuration.
    pub(super) async fn with(config: &str) -> Self {
        let relay = TestRelay::of::<QubeCoordination>()
            .config(config)
            .start()
            .await;
        Ground { relay }
    }

    pub(super) fn author(&self, number: u64) -> Author {
        self.relay.author(number)
    }

    pub(super) fn now_s(&self) -> u64 {
        use trellis_relay::clock::Clock;
        self.relay.clock().now_s()
    }

    pub(super) fn pass(&self, seconds: u64) {
        self.relay.clock().advance(Duration::from_secs(seconds));
    }

    pub(super) async fn client(&self, number: u64) -> Client {
        self.relay.connect_as(&self.author(number)).await
    }

    /// A directive to upgrade a network.
    pub(super) fn upgrade(&self, by: u64, network: &str, version: &str) -> Draft {
        upgrade(&self.author(by), network, version, HASH)
    }

    /// A node's report of success with what a developer has directed.
    pub(super) fn ack(&self, by: u64, developer: u64, network: &str, version: &str) -> Draft {
        let node = format!("node-{by}");
        self.ack_of(by, &node, developer, network, version)
    }

    /// The same under a name.
    pub(super) fn ack_of(
        &self,
        by: u64,
        node: &str,
        developer: u64,
        network: &str,
        version: &str,
    ) -> Draft {
        ack(
            &self.author(by),
            node,
            &self.author(developer),
            network,
            version,
            self.now_s(),
        )
    }

    /// Has a developer publish a directive, which must be taken.
    pub(super) async fn direct(&self, by: u64, network: &str, version: &str) -> Event {
        let event = self.upgrade(by, network, version).sign();
        self.client(by).await.store(&event).await;
        event
    }

    /// A list of a route.
    pub(super) async fn items(&self, path: &str) -> Vec<Value> {
        let body: Value = self.get(path).await;
        body["items"].as_array().cloned().unwrap_or_default()
    }

    /// The answer of a route.
    pub(super) async fn get(&self, path: &str) -> Value {
        let answer = self.relay.get(&format!("/api/v1/qube{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// Waits until a route's list passes a test.
    pub(super) async fn until_items(
        &self,
        path: &str,
        test: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let mut found = Vec::new();
        until(path, async || {
            found = self.items(path).await;
            test(&found)
        })
        .await;
        found
    }

    /// Waits until an action for this version is so far.
    pub(super) async fn until_status(&self, network: &str, version: &str, status: &str) -> Value {
        let path = format!("/networks/{network}/quorum");
        let is_it = |it: &Value| it["version"] == version && it["status"] == status;
        let found = self
            .until_items(&path, |items| items.iter().any(is_it))
            .await;
        found.into_iter().find(is_it).unwrap()
    }
}

/// A directive to upgrade a network to a binary with this hash.
pub(super) fn upgrade(by: &Author, network: &str, version: &str, hash: &str) -> Draft {
    by.draft(33_321)
        .tag(["d", "hyperqube"])
        .tag(["version", version])
        .tag(["hash", hash])
        .tag(["network", network])
        .tag(["action", "upgrade"])
        .content("[hypersignal] please upgrade")
}

/// A report of success.
pub(super) fn ack(
    by: &Author,
    node: &str,
    developer: &Author,
    network: &str,
    version: &str,
    at_s: u64,
) -> Draft {
    let developer = developer.pubkey().to_hex();
    by.draft(3_333)
        .tag(["a", &format!("33321:{developer}:hyperqube")])
        .tag(["p", &developer])
        .tag(["version", version])
        .tag(["network", network])
        .tag(["action", "upgrade"])
        .tag(["status", "success"])
        .tag(["node_id", node])
        .tag(["action_at", &at_s.to_string()])
        .content("[qube-manager] done")
}
