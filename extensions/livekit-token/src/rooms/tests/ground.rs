//! A relay with a real LiveKit, a community with members, and their spaces.

use crate::LivekitToken;
use crate::real_livekit::RealLiveKit;
use std::time::Duration;
use trellis_relay::event::Event;
use trellis_relay::testing::{Author, Draft, TestRelay};

pub(crate) const OPERATOR: &str = "https://calls.example";
/// The community, two of its members and a stranger.
pub(crate) const COMMUNITY: u64 = 100;
pub(crate) const MEMBER: u64 = 1;
pub(crate) const OTHER_MEMBER: u64 = 2;
pub(crate) const STRANGER: u64 = 9;

pub(crate) struct Ground {
    // First, so that it is gone before LiveKit.
    pub(crate) relay: TestRelay,
    pub(crate) livekit: RealLiveKit,
}

impl Ground {
    /// With these further lines in the extension's table; none where there is no LiveKit to run.
    pub(crate) async fn start(table: &str) -> Option<Self> {
        let livekit = RealLiveKit::start().await?;
        let relay = relay_for(&livekit, table, "").await;
        Some(Ground { relay, livekit })
    }

    /// With these lines beside the extension's table as well.
    pub(crate) async fn start_beside(table: &str, beside: &str) -> Option<Self> {
        let livekit = RealLiveKit::start().await?;
        let relay = relay_for(&livekit, table, beside).await;
        Some(Ground { relay, livekit })
    }

    /// With an operator of this number.
    pub(crate) async fn managed_by(owner: u64) -> Option<Self> {
        let livekit = RealLiveKit::start().await?;
        let information = format!("[information]\npubkey = '{}'", key(owner));
        let relay = relay_for(&livekit, "", &information).await;
        Some(Ground { relay, livekit })
    }

    /// Stores events of anybody.
    pub(crate) async fn store<'e>(&self, events: impl IntoIterator<Item = &'e Event>) {
        let mut client = self.relay.connect().await;
        for event in events {
            client.store(event).await;
        }
    }

    /// The community, with both members on its list.
    pub(crate) async fn found_community(&self) {
        let list = self.list(&[MEMBER, OTHER_MEMBER]);
        self.store([&self.definition(OPERATOR), &list]).await;
    }

    pub(crate) fn definition(&self, operator: &str) -> Event {
        let community = self.relay.author(COMMUNITY);
        let list = format!("30000:{}:people", key(COMMUNITY));
        let draft = community.draft(10222).tag(["livekit", operator]);
        let draft = draft.tag(["content", "Rooms"]).tag(["k", "30312"]);
        draft.tag(["a", &list]).sign()
    }

    pub(crate) fn list(&self, members: &[u64]) -> Event {
        let draft = self.relay.author(COMMUNITY).draft(30000);
        let draft = draft.tag(["d", "people"]);
        let add = |draft: Draft, member: &u64| draft.tag(["p", &key(*member)]);
        members.iter().fold(draft, add).sign()
    }

    /// A space in the community, which lacks its status.
    pub(crate) fn space(&self, author: u64, d: &str) -> Draft {
        let draft = self.relay.author(author).draft(30312).tag(["d", d]);
        let draft = draft.tag(["room", "A room"]).tag(["h", &key(COMMUNITY)]);
        draft.tag(["service", OPERATOR])
    }

    pub(crate) fn open_space(&self, author: u64, d: &str) -> Event {
        self.space(author, d).tag(["status", "open"]).sign()
    }

    /// The relay's clock goes on, so that newer versions are newer.
    pub(crate) fn later(&self) {
        self.relay.clock().advance(Duration::from_secs(1));
    }
}

/// Tests ask again and again, and time stands still.
const PATIENT: &str =
    "rate_limit_tokens_per_pubkey = 1000000\nrate_limit_tokens_per_ip = 1000000\n";

async fn relay_for(livekit: &RealLiveKit, table: &str, beside: &str) -> TestRelay {
    let table = format!(
        "[extensions.livekit_token]\noperator_url = '{OPERATOR}'\nrooms_reconcile_seconds = 1\n{PATIENT}{}{table}\n{beside}",
        livekit.keys()
    );
    TestRelay::of::<LivekitToken>().config(&table).start().await
}

pub(crate) fn key(number: u64) -> String {
    Author::new(number).pubkey().to_hex()
}

/// What the room of a space is called.
pub(crate) fn room(author: u64, d: &str) -> String {
    format!("30312:{}:{d}", key(author))
}
