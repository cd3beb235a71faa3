//! The relays that the operator has watched.
//!
//! Two subscriptions each: spaces, and what their communities say of themselves. A space that is not entitled to a room so far
//! waits, since its community may be learned of later. Invariant: whatever strangers write there, what is held is bounded in
//! number and bytes, each author has a share of it, and of communities none that is in use makes way.

use super::followed::Followed;
use super::heap::{Bounds, Heap};
use super::peer::{Peer, Said};
use super::take;
use crate::LivekitToken;
use crate::communities::{DEFINITION, LIST};
use crate::rooms::{SPACE, Space};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use trellis_relay::extension::OutboundError;
use trellis_relay::extension::prelude::*;

/// Kind of a deletion (NIP-09).
const DELETION: u16 = 5;
/// Kind of a list of relays (NIP-65).
pub(super) const RELAYS: u16 = 10002;
const SPACES: &str = "spaces";
const COMMUNITIES: &str = "communities";
/// Communities that are followed at one relay besides those that the operator has named, and for one author's spaces.
const FOLLOWED_MAX: usize = 500;
const FOLLOWED_SHARE: usize = 25;
/// Spaces that wait for their communities.
const WAITING: Bounds = Bounds {
    events_max: 1000,
    bytes_max: 4 << 20,
    shares: 20,
};
/// What communities say that are named or have rooms here, and what others say, until the relay has said all of it.
const GATHERED: Bounds = Bounds {
    events_max: LIMIT,
    bytes_max: 16 << 20,
    shares: 8,
};
const GATHERED_OF_OTHERS: Bounds = Bounds {
    events_max: LIMIT,
    bytes_max: 8 << 20,
    shares: 16,
};
/// What is asked for at once.
const LIMIT: usize = 5000;
/// When a relay is asked again that is gone.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(300);
/// Between two questions there is a pause, many times as long as the answer took: no stranger keeps both relays busy.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
const PAUSE_TIMES: u32 = 20;

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
    followed: Followed,
    /// Spaces whose communities are followed, or were.
    waiting: Heap,
    /// Spaces whose communities found no place so far.
    unplaced: Heap,
    /// What communities say, until the relay has said all of it: definitions tell which lists count.
    gathered: Option<Gathered>,
    /// Communities are followed that the relay was not asked for, or lists count that did not before.
    is_to_ask: bool,
    asked_at: Option<Instant>,
    /// From one question to the next.
    pause: Duration,
    has_heard: bool,
}

/// What communities have said so far, those in use apart from others.
struct Gathered {
    in_use: HashSet<PublicKey>,
    of_those: Heap,
    of_others: Heap,
}

impl Gathered {
    fn add(&mut self, event: Arc<Event>) {
        let heap = match self.in_use.contains(event.pubkey()) {
            true => &mut self.of_those,
            false => &mut self.of_others,
        };
        if !heap.add(event) {
            tracing::debug!("a watched relay says more of a community than is read at once");
        }
    }
}

impl<'m> Watch<'m> {
    fn new(me: &'m LivekitToken) -> Self {
        Watch {
            followed: Followed::new(
                me.settings().authorized_communities.iter().copied(),
                FOLLOWED_MAX,
                FOLLOWED_SHARE,
            ),
            me,
            waiting: Heap::new(WAITING),
            unplaced: Heap::new(WAITING),
            gathered: None,
            is_to_ask: false,
            asked_at: None,
            pause: PAUSE_MIN,
            has_heard: false,
        }
    }

    async fn run(&mut self, url: &str) -> Result<(), OutboundError> {
        let mut peer = Peer::connect(&self.me.host, url).await?;
        if !self.followed.is_empty() {
            self.follow(&mut peer).await?;
        }
        peer.subscribe(SPACES, &self.spaces()).await?;
        loop {
            let said = match self.ask_at() {
                None => peer.next().await?,
                Some(at) => tokio::select! {
                    said = peer.next() => said?,
                    () = sleep_until(at) => {
                        self.follow(&mut peer).await?;
                        continue;
                    }
                },
            };
            let Some(said) = said else {
                return Ok(());
            };
            self.has_heard = true;
            match said {
                Said::Event(name, event) if name == SPACES => self.hear_space(event).await,
                Said::Event(name, event) if name == COMMUNITIES => self.hear(event).await,
                Said::End(name) if name == COMMUNITIES => self.settle().await,
                Said::Closed => return Ok(()),
                Said::Event(..) | Said::End(_) => {}
            }
            if self.ask_at().is_some_and(|at| at <= Instant::now()) {
                self.follow(&mut peer).await?;
            }
        }
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

    /// When the relay is to be asked again, if it is and has answered the last question.
    fn ask_at(&self) -> Option<Instant> {
        if !self.is_to_ask || self.gathered.is_some() {
            return None;
        }
        let at = self.asked_at.map(|at| at + self.pause);
        Some(at.unwrap_or_else(Instant::now))
    }

    /// Asks for what the communities say, all of them anew.
    async fn follow(&mut self, peer: &mut Peer) -> Result<(), OutboundError> {
        self.is_to_ask = false;
        self.asked_at = Some(Instant::now());
        let [first, others] = self.followed.ask(&self.me.rooms.communities());
        // Each has a limit of its own, so that others' lists do not take the place of those that count.
        let filters: Vec<Value> = [&first, &others]
            .into_iter()
            .filter(|keys| !keys.is_empty())
            .map(|keys| {
                let authors: Vec<_> = keys.iter().map(|key| key.to_hex()).collect();
                json!({"kinds": [DEFINITION, LIST, RELAYS], "authors": authors, "limit": LIMIT})
            })
            .collect();
        self.gathered = Some(Gathered {
            in_use: first.into_iter().collect(),
            of_those: Heap::new(GATHERED),
            of_others: Heap::new(GATHERED_OF_OTHERS),
        });
        peer.subscribe(COMMUNITIES, &filters).await
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
        let is_placed = self.add_communities(&space);
        if self.is_entitled(&space).await {
            take(self.me, vec![event]).await;
            return;
        }
        // Of its versions the newest one waits.
        let is_same = |it: &Event| it.address() == event.address();
        let known = self.waiting.events().chain(self.unplaced.events());
        let known_s = known.filter(|it| is_same(it)).map(|it| it.created_at());
        if known_s.max().is_none_or(|at_s| at_s < event.created_at()) {
            self.waiting.drop_where(is_same);
            self.unplaced.drop_where(is_same);
            self.wait(event.clone(), is_placed);
        }
    }

    fn wait(&mut self, space: Arc<Event>, is_placed: bool) {
        match is_placed {
            true => self.waiting.push(space),
            false => self.unplaced.push(space),
        };
    }

    /// The communities of a space are followed from here on, as far as there is place for them. Whether there was.
    fn add_communities(&mut self, space: &Space) -> bool {
        let mut is_placed = true;
        for community in space.communities() {
            if self.me.communities.serves(community) {
                let in_use = || self.me.rooms.communities();
                let author = *space.author();
                self.is_to_ask |= self.followed.add(*community, author, in_use);
                is_placed &= self.followed.contains(community);
            }
        }
        is_placed
    }

    /// Something that a community says. After a definition, which may name lists that came before it and did not count then,
    /// all has to be asked for anew.
    async fn hear(&mut self, event: Arc<Event>) {
        match &mut self.gathered {
            Some(gathered) => gathered.add(event),
            None => {
                self.is_to_ask |= event.kind() == DEFINITION;
                self.store(vec![event]).await;
                self.let_in().await;
            }
        }
    }

    /// All that the communities say is here.
    async fn settle(&mut self) {
        if let Some(gathered) = self.gathered.take() {
            self.is_to_ask |= self.followed.answered();
            let mut events = gathered.of_those.into_events();
            events.extend(gathered.of_others.into_events());
            self.store(events).await;
            self.let_in().await;
            let took = self.asked_at.map_or(Duration::ZERO, |at| at.elapsed());
            self.pause = (took * PAUSE_TIMES).clamp(PAUSE_MIN, PAUSE_MAX);
        }
    }

    /// Stores what communities that are followed say of themselves.
    async fn store(&self, events: Vec<Arc<Event>>) {
        let events = events
            .into_iter()
            .filter(|it| self.followed.contains(it.pubkey()));
        store_definitions(self.me, events.collect()).await;
    }

    /// Spaces that have waited and are entitled to a room by now. The communities of those that found no place are tried
    /// again: each is asked for once, so that two do not take one place from each other for ever.
    async fn let_in(&mut self) {
        let mut entitled = Vec::new();
        for event in self.waiting.events() {
            if let Some(space) = Space::of(event)
                && self.is_entitled(&space).await
            {
                entitled.push(event.clone());
            }
        }
        let ids: HashSet<EventId> = entitled.iter().map(|it| *it.id()).collect();
        self.waiting.drop_where(|it| ids.contains(it.id()));
        let unplaced = std::mem::replace(&mut self.unplaced, Heap::new(WAITING));
        for event in unplaced.into_events() {
            let Some(space) = Space::of(&event) else {
                continue;
            };
            if self.is_entitled(&space).await {
                entitled.push(event);
                continue;
            }
            let is_placed = self.add_communities(&space);
            self.wait(event, is_placed);
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
