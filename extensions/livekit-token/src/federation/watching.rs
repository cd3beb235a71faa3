//! The relays that the operator has watched.
//!
//! Two subscriptions each: spaces, and what their communities say of themselves. A space that is not entitled to a room so far
//! waits, since its community may be learned of later. Invariant: both sets are bounded.

use super::peer::{Peer, Said};
use super::take;
use crate::LivekitToken;
use crate::communities::{DEFINITION, LIST};
use crate::rooms::{SPACE, Space};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::extension::OutboundError;
use trellis_relay::extension::prelude::*;

/// Kind of a deletion (NIP-09).
const DELETION: u16 = 5;
/// Kind of a list of relays (NIP-65).
pub(super) const RELAYS: u16 = 10002;
const SPACES: &str = "spaces";
const COMMUNITIES: &str = "communities";
/// Communities that are followed at one relay.
const FOLLOWED_MAX: usize = 500;
/// Spaces that wait for their communities.
const WAITING_MAX: usize = 1000;
/// What is asked for at once.
const LIMIT: usize = 5000;
/// When a relay is asked again that is gone.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(300);

/// Watches a relay, and comes back to it when it is gone.
pub(super) async fn watch_forever(me: &LivekitToken, url: &str) {
    let mut wait = WAIT_MIN;
    loop {
        let mut watch = Watch::new(me);
        let ended = watch.run(url).await;
        if watch.has_heard {
            wait = WAIT_MIN;
        }
        match ended {
            Ok(()) => tracing::info!(wait_s = wait.as_secs(), "a watched relay has closed"),
            Err(error) => {
                tracing::warn!(wait_s = wait.as_secs(), "a watched relay is away: {error}");
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAIT_MAX);
    }
}

/// One connection's worth of watching.
struct Watch<'m> {
    me: &'m LivekitToken,
    followed: BTreeSet<PublicKey>,
    waiting: BTreeMap<String, Arc<Event>>,
    /// What communities say, until the relay has said all of it: definitions tell which lists count.
    gathered: Option<Vec<Arc<Event>>>,
    has_heard: bool,
}

impl<'m> Watch<'m> {
    fn new(me: &'m LivekitToken) -> Self {
        Watch {
            followed: me
                .settings()
                .authorized_communities
                .iter()
                .copied()
                .collect(),
            me,
            waiting: BTreeMap::new(),
            gathered: None,
            has_heard: false,
        }
    }

    async fn run(&mut self, url: &str) -> Result<(), OutboundError> {
        let mut peer = Peer::connect(&self.me.host, url).await?;
        if !self.followed.is_empty() {
            self.follow(&mut peer).await?;
        }
        peer.subscribe(SPACES, &self.spaces()).await?;
        while let Some(said) = peer.next().await? {
            self.has_heard = true;
            match said {
                Said::Event(name, event) if name == SPACES => {
                    let followed = self.followed.len();
                    self.hear_space(event).await;
                    if self.followed.len() > followed {
                        self.follow(&mut peer).await?;
                    }
                }
                Said::Event(name, event) if name == COMMUNITIES => {
                    if self.hear(event).await {
                        self.follow(&mut peer).await?;
                    }
                }
                Said::End(name) if name == COMMUNITIES => self.settle().await,
                Said::Closed => return Ok(()),
                Said::Event(..) | Said::End(_) => {}
            }
        }
        Ok(())
    }

    fn spaces(&self) -> Vec<Value> {
        let now_s = self.me.host.clock().now_s();
        let mut spaces = json!({"kinds": [SPACE], "limit": LIMIT});
        let served = &self.me.settings().authorized_communities;
        if !served.is_empty() {
            spaces["#h"] = served.iter().map(|key| key.to_hex()).collect();
        }
        let mut own = spaces.clone();
        if let Some(keys) = own.as_object_mut().and_then(|it| it.remove("#h")) {
            own["authors"] = keys;
        }
        // Only what is deleted from now on: of what was deleted before nothing comes.
        let deletions = json!({"kinds": [DELETION], "since": now_s});
        match spaces == own {
            true => vec![spaces, deletions],
            false => vec![spaces, own, deletions],
        }
    }

    /// Asks for what the communities say, all of them anew.
    async fn follow(&mut self, peer: &mut Peer) -> Result<(), OutboundError> {
        self.gathered = Some(Vec::new());
        let authors: Vec<_> = self.followed.iter().map(|key| key.to_hex()).collect();
        let filter =
            json!({"kinds": [DEFINITION, LIST, RELAYS], "authors": authors, "limit": LIMIT});
        peer.subscribe(COMMUNITIES, &[filter]).await
    }

    async fn hear_space(&mut self, event: Arc<Event>) {
        if event.kind() == DELETION {
            if self.me.rooms.is_about_rooms(&event) {
                take(self.me, vec![event]).await;
            }
            return;
        }
        let Some(space) = Space::of(&event) else {
            return;
        };
        if !self.me.rooms.is_asked_by(&space) {
            return;
        }
        for community in space.communities() {
            if self.me.communities.serves(community) && self.followed.len() < FOLLOWED_MAX {
                self.followed.insert(*community);
            }
        }
        if self.is_entitled(&space).await {
            take(self.me, vec![event]).await;
        } else if self.waiting.len() < WAITING_MAX {
            self.waiting.insert(space.name(), event);
        }
    }

    /// Something that a community says. Whether it was a definition, which may name lists that came before it and did not
    /// count then: all has to be asked for anew.
    async fn hear(&mut self, event: Arc<Event>) -> bool {
        let is_definition = event.kind() == DEFINITION;
        match &mut self.gathered {
            Some(gathered) => {
                if gathered.len() < LIMIT {
                    gathered.push(event);
                }
                false
            }
            None => {
                self.store(vec![event]).await;
                self.let_in().await;
                is_definition
            }
        }
    }

    /// All that the communities say is here.
    async fn settle(&mut self) {
        let gathered = self.gathered.take().unwrap_or_default();
        self.store(gathered).await;
        self.let_in().await;
    }

    /// Stores what communities that are followed say of themselves.
    async fn store(&self, events: Vec<Arc<Event>>) {
        let events = events
            .into_iter()
            .filter(|it| self.followed.contains(it.pubkey()));
        store_definitions(self.me, events.collect()).await;
    }

    /// Spaces that have waited and are entitled to a room by now.
    async fn let_in(&mut self) {
        let mut entitled = Vec::new();
        for (name, event) in std::mem::take(&mut self.waiting) {
            match Space::of(&event) {
                Some(space) if self.is_entitled(&space).await => entitled.push(event),
                Some(_) => drop(self.waiting.insert(name, event)),
                None => {}
            }
        }
        take(self.me, entitled).await;
    }

    async fn is_entitled(&self, space: &Space) -> bool {
        let entitled = self.me.rooms.is_entitled(space).await;
        entitled.unwrap_or_else(|error| {
            tracing::warn!("a space of another relay could not be judged: {error}");
            false
        })
    }
}

/// Stores definitions and lists of relays, and then the lists of members that the definitions name.
pub(super) async fn store_definitions(me: &LivekitToken, events: Vec<Arc<Event>>) {
    let (lists, definitions): (Vec<_>, Vec<_>) =
        events.into_iter().partition(|event| event.kind() == LIST);
    let definitions = definitions.into_iter();
    let definitions = definitions.filter(|it| matches!(it.kind(), DEFINITION | RELAYS));
    let authors: BTreeSet<PublicKey> = definitions.clone().map(|it| *it.pubkey()).collect();
    take(me, definitions.collect()).await;
    for author in &authors {
        me.communities.forget(author);
    }
    let mut named = Vec::new();
    for list in lists {
        let wanted = me.communities.names_list(&list).await;
        match wanted {
            Ok(true) => named.push(list),
            Ok(false) => {}
            Err(error) => tracing::warn!("a list of another relay could not be judged: {error}"),
        }
    }
    let authors: BTreeSet<PublicKey> = named.iter().map(|it| *it.pubkey()).collect();
    take(me, named).await;
    for author in &authors {
        me.communities.forget(author);
    }
}
