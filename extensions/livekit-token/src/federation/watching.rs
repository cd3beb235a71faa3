//! The relays that the operator has watched.
//!
//! Two subscriptions each: spaces, and what their communities say of themselves. A space that is not entitled to a room so far
//! waits (`waiting`). Invariant: whatever strangers write there, what is held is bounded in number and bytes, each author has a
//! share of it, and of communities none that is in use makes way; and what they write by and by is looked at seldom.

use super::followed::Followed;
use super::heap::{Bounds, Heap};
use super::peer::{Peer, Said};
use super::take;
use super::waiting::Waiting;
use crate::LivekitToken;
use crate::communities::{DEFINITION, LIST};
use crate::rooms::{SPACE, Space};
use serde_json::{Value, json};
use std::cell::LazyCell;
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
/// Between two questions there is a pause, many times as long as the answer took, and so there is before what the relay says by
/// itself is stored and judged: no stranger keeps both relays busy.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// In tests no longer than the answer took: on a busy machine many times that is more than they wait.
const PAUSE_TIMES: u32 = if cfg!(test) { 1 } else { 20 };

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
    waiting: Waiting,
    /// What communities say: until the relay has said all of it, since definitions tell which lists count; or, where it was not
    /// asked, for a moment.
    gathered: Option<Gathered>,
    /// The relay was asked, and has not said all so far.
    is_asking: bool,
    /// When what it says without having been asked is stored.
    settle_at: Option<Instant>,
    /// Not before.
    rest_until: Instant,
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
    fn new(in_use: HashSet<PublicKey>) -> Self {
        Gathered {
            in_use,
            of_those: Heap::new(GATHERED),
            of_others: Heap::new(GATHERED_OF_OTHERS),
        }
    }

    /// Whether there was a place.
    fn add(&mut self, event: Arc<Event>) -> bool {
        let heap = match self.in_use.contains(event.pubkey()) {
            true => &mut self.of_those,
            false => &mut self.of_others,
        };
        let is_held = heap.add(event);
        if !is_held {
            tracing::debug!("a watched relay says more of a community than is read at once");
        }
        is_held
    }

    fn into_events(self) -> Vec<Arc<Event>> {
        let mut events = self.of_those.into_events();
        events.extend(self.of_others.into_events());
        events
    }
}

impl<'m> Watch<'m> {
    fn new(me: &'m LivekitToken) -> Self {
        let now = Instant::now();
        let followed = Followed::new(
            me.settings().authorized_communities.iter().copied(),
            FOLLOWED_MAX,
            FOLLOWED_SHARE,
        );
        Watch {
            me,
            waiting: Waiting::new(followed, now),
            gathered: None,
            is_asking: false,
            settle_at: None,
            rest_until: now,
            is_to_ask: false,
            asked_at: None,
            pause: PAUSE_MIN,
            has_heard: false,
        }
    }

    async fn run(&mut self, url: &str) -> Result<(), OutboundError> {
        let mut peer = Peer::connect(&self.me.host, url).await?;
        if !self.waiting.followed().is_empty() {
            self.follow(&mut peer).await?;
        }
        peer.subscribe(SPACES, &self.spaces()).await?;
        loop {
            let said = match self.due_at() {
                None => peer.next().await?,
                Some(at) => tokio::select! {
                    said = peer.next() => said?,
                    () = sleep_until(at) => {
                        self.act(&mut peer).await?;
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
                Said::Event(name, event) if name == COMMUNITIES => self.hear(event),
                Said::End(name) if name == COMMUNITIES => self.hear_end().await,
                Said::Closed => return Ok(()),
                Said::Event(..) | Said::End(_) => {}
            }
            // Of a relay that never stops talking nothing else is waited for.
            if self.due_at().is_some_and(|at| at <= Instant::now()) {
                self.act(&mut peer).await?;
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

    /// When something is to be done though the relay says nothing.
    fn due_at(&self) -> Option<Instant> {
        if self.is_asking {
            return None;
        }
        let due = [self.ask_at(), self.settle_at, self.waiting.look_at()];
        due.into_iter().flatten().min()
    }

    async fn act(&mut self, peer: &mut Peer) -> Result<(), OutboundError> {
        if self.ask_at().is_some_and(|at| at <= Instant::now()) {
            return self.follow(peer).await;
        }
        self.settle().await;
        Ok(())
    }

    /// When the relay is to be asked again, if it is and has answered the last question.
    fn ask_at(&self) -> Option<Instant> {
        if !self.is_to_ask || self.is_asking {
            return None;
        }
        let at = self.asked_at.map(|at| at + self.pause);
        Some(at.unwrap_or_else(Instant::now))
    }

    /// Asks for what the communities say, all of them anew. What was heard before is stored with the answer.
    async fn follow(&mut self, peer: &mut Peer) -> Result<(), OutboundError> {
        self.is_to_ask = false;
        self.is_asking = true;
        self.settle_at = None;
        self.asked_at = Some(Instant::now());
        let with_rooms = self.me.rooms.communities();
        let [first, others] = self.waiting.followed_mut().ask(&with_rooms);
        // Each has a limit of its own, so that others' lists do not take the place of those that count.
        let filters: Vec<Value> = [&first, &others]
            .into_iter()
            .filter(|keys| !keys.is_empty())
            .map(|keys| {
                let authors: Vec<_> = keys.iter().map(|key| key.to_hex()).collect();
                json!({"kinds": [DEFINITION, LIST, RELAYS], "authors": authors, "limit": LIMIT})
            })
            .collect();
        self.gathered().in_use.extend(first);
        peer.subscribe(COMMUNITIES, &filters).await
    }

    fn gathered(&mut self) -> &mut Gathered {
        let (rooms, followed) = (&self.me.rooms, self.waiting.followed());
        self.gathered.get_or_insert_with(|| {
            let mut in_use = rooms.communities();
            in_use.extend(followed.named());
            Gathered::new(in_use)
        })
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
        if !self.waiting.make_way(&event) || !self.me.rooms.is_asked_by(&space) {
            return;
        }
        let me = self.me;
        let in_use = LazyCell::new(|| me.rooms.communities());
        let is_placed = self.add_communities(&space, |it| in_use.contains(it));
        if self.is_entitled(&space).await {
            take(self.me, vec![event]).await;
            return;
        }
        self.waiting.add(event, is_placed);
    }

    /// The communities of a space are followed from here on, as far as there is place for them. Whether there was.
    fn add_communities(&mut self, space: &Space, is_in_use: impl Fn(&PublicKey) -> bool) -> bool {
        let communities = &self.me.communities;
        let is_served = |it: &PublicKey| communities.serves(it);
        let outcome = self.waiting.follow(space, is_served, is_in_use);
        self.is_to_ask |= outcome.is_any_new;
        outcome.is_placed
    }

    /// Something that a community says. What nobody has asked for is gathered for a moment, so that no stranger has all that
    /// waits judged for each word of theirs. All has to be asked for anew after a definition, which may name lists that came
    /// before it and did not count then, and where more was said than is held.
    fn hear(&mut self, event: Arc<Event>) {
        if !self.waiting.followed().contains(event.pubkey()) {
            return;
        }
        let is_definition = event.kind() == DEFINITION;
        let is_held = self.gathered().add(event);
        if !self.is_asking {
            self.is_to_ask |= is_definition || !is_held;
            let at = self.rest_until.max(Instant::now() + PAUSE_MIN);
            self.settle_at.get_or_insert(at);
        }
    }

    /// All that the communities say is here.
    async fn hear_end(&mut self) {
        if !std::mem::take(&mut self.is_asking) {
            return;
        }
        self.is_to_ask |= self.waiting.followed_mut().answered();
        self.settle().await;
        self.pause = pause_after(self.asked_at.map_or(Duration::ZERO, |at| at.elapsed()));
    }

    /// Stores what communities have said, and lets in whom that entitles to a room.
    async fn settle(&mut self) {
        let began = Instant::now();
        self.settle_at = None;
        if let Some(gathered) = self.gathered.take() {
            store_definitions(self.me, gathered.into_events()).await;
        }
        self.let_in().await;
        self.rest_until = Instant::now() + pause_after(began.elapsed());
    }

    /// Spaces that have waited and are entitled to a room by now. The communities of those that found no place are tried
    /// again: each is asked for once, and those that make way for others from time to time.
    async fn let_in(&mut self) {
        let me = self.me;
        let is_served = |it: &PublicKey| me.communities.serves(it);
        self.waiting.look(Instant::now(), is_served);
        let in_use = me.rooms.communities();
        let mut entitled = Vec::new();
        for event in self.waiting.spaces() {
            // There may be thousands, and others are to have their turns.
            tokio::task::yield_now().await;
            let Some(space) = Space::of(&event) else {
                continue;
            };
            if self.is_entitled(&space).await {
                self.waiting.remove(&event);
                entitled.push(event);
            } else if self.waiting.is_unplaced(&event)
                && self.add_communities(&space, |it| in_use.contains(it))
            {
                self.waiting.remove(&event);
                self.waiting.add(event, true);
            }
        }
        take(me, entitled).await;
    }

    async fn is_entitled(&self, space: &Space) -> bool {
        let entitled = self.me.rooms.is_entitled(space).await;
        entitled.unwrap_or_else(|error| {
            tracing::warn!("a space of another relay could not be judged: {error}");
            false
        })
    }
}

/// How long the relay is not asked, and nothing that it says is judged, after so much work for it.
fn pause_after(took: Duration) -> Duration {
    (took * PAUSE_TIMES).clamp(PAUSE_MIN, PAUSE_MAX)
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
