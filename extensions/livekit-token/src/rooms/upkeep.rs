//! The task that keeps LiveKit's rooms as the events ask for them, and ends what operators have closed. Where there are no
//! rooms of communities (`communities = false`) no event asks for any.
//!
//! Invariant: what cannot be read or reached is tried again, and nothing is ended meanwhile for want of an answer.

use super::Rooms;
use super::space::{SPACE, Space};
use crate::livekit::{LiveKit, LiveKitError};
use crate::room_facts::RoomFacts;
use crate::watch;
use futures_util::stream;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use std::collections::HashSet;
use std::future::ready;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use trellis_relay::event::Address;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

/// Events may expire at any second.
const TICK: Duration = Duration::from_secs(1);
/// LiveKit is asked for so many rooms at a time.
const CALLS: usize = 8;
/// Events that are read at a time.
const PAGE_EVENTS: usize = 1000;
/// When LiveKit is asked again that could not be reached.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(30);

impl Rooms {
    /// Runs until it is told to stop.
    pub(crate) async fn keep(&self, livekit: &LiveKit, stop: &StopToken) {
        let interval = Duration::from_secs(self.settings.rooms_reconcile_s);
        let mut due_at = Instant::now();
        let mut wait = WAIT_MIN;
        let mut retry_at = Instant::now();
        while !stop.is_stopped() {
            if let Err(error) = self.look().await {
                tracing::warn!("rooms could not be looked at, and will be again: {error}");
                wait_for(stop, TICK).await;
                continue;
            }
            if retry_at <= Instant::now() {
                let mut reached = self.apply(livekit).await;
                if reached.is_ok() && due_at <= Instant::now() {
                    due_at = Instant::now() + interval;
                    reached = self.reconcile(livekit).await;
                }
                match reached {
                    Ok(()) => wait = WAIT_MIN,
                    Err(error) => {
                        tracing::warn!(wait_s = wait.as_secs(), "rooms wait: {error}");
                        retry_at = Instant::now() + wait;
                        wait = (wait * 2).min(WAIT_MAX);
                    }
                }
            }
            tokio::select! {
                () = stop.stopped() => {}
                () = self.marks.rung() => {}
                () = sleep(TICK) => self.marks_of_expired(),
            }
        }
    }

    fn marks_of_expired(&self) {
        let expired = self.registry.expired(self.host.clock().now_s());
        if !expired.is_empty() {
            self.marks.rooms(expired);
        }
    }

    /// Looks at what waits, and decides.
    async fn look(&self) -> Result<(), StoreError> {
        let waiting = self.marks.take();
        let looked = async {
            if waiting.everything {
                return self.read_everything().await;
            }
            for community in &waiting.communities {
                self.read_community(community).await?;
            }
            for name in &waiting.rooms {
                self.read_room(name).await?;
            }
            Ok(())
        };
        let looked = looked.await;
        if looked.is_err() {
            self.marks.put_back(waiting);
        }
        looked
    }

    /// All spaces, and whatever is kept though there is no event for it any more.
    pub(super) async fn read_everything(&self) -> Result<(), StoreError> {
        if !self.settings.communities {
            return Ok(());
        }
        self.communities.load().await?;
        let mut unseen: HashSet<String> = self.registry.all().into_iter().collect();
        let mut until = None;
        loop {
            let page = self.host.query(Filter {
                kinds: Some(vec![SPACE]),
                until,
                limit: Some(PAGE_EVENTS),
                ..Filter::default()
            });
            let page = page.await?;
            for event in &page {
                if let Some(name) = self.decide(event).await? {
                    unseen.remove(&name);
                }
            }
            let last = page.last().map(|event| event.created_at());
            match last {
                Some(last) if page.len() == PAGE_EVENTS => {
                    // Others of the same second may follow, unless the page holds nothing but that second.
                    let is_stuck = page.first().is_some_and(|it| it.created_at() == last);
                    until = Some(if is_stuck {
                        last.saturating_sub(1)
                    } else {
                        last
                    });
                }
                _ => break,
            }
        }
        for name in unseen {
            self.read_room(&name).await?;
        }
        Ok(())
    }

    /// The spaces of a community, and those that it makes itself.
    async fn read_community(&self, community: &PublicKey) -> Result<(), StoreError> {
        for name in self.registry.of(community) {
            self.read_room(&name).await?;
        }
        let spaces = |filter: Filter| Filter {
            kinds: Some(vec![SPACE]),
            limit: Some(self.settings.bounds.watched_rooms),
            ..filter
        };
        let tagged = spaces(Filter {
            tags: [(b'h', vec![community.to_hex()])].into(),
            ..Filter::default()
        });
        let own = spaces(Filter {
            authors: Some(vec![*community]),
            ..Filter::default()
        });
        for filter in [tagged, own] {
            for event in self.host.query(filter).await? {
                self.decide(&event).await?;
            }
        }
        Ok(())
    }

    async fn read_room(&self, name: &str) -> Result<(), StoreError> {
        let Some(address) = Address::parse(name) else {
            return Ok(());
        };
        match self.newest(&address).await? {
            Some(event) => self.decide(&event).await.map(drop),
            None => {
                self.registry.drop(name);
                Ok(())
            }
        }
    }

    /// Puts a space's room on the list, or takes it off. The name of the room, where there shall be one.
    async fn decide(&self, event: &Event) -> Result<Option<String>, StoreError> {
        let Some(space) = Space::of(event) else {
            return Ok(None);
        };
        let name = space.name();
        match self.judge(&space).await? {
            Ok(()) => {
                self.registry.put(&space);
                Ok(Some(name))
            }
            Err(_) => {
                self.registry.drop(&name);
                Ok(None)
            }
        }
    }

    /// Ends what is to be ended, and makes what is to be made, until LiveKit cannot be reached.
    async fn apply(&self, livekit: &LiveKit) -> Result<(), LiveKitError> {
        let leaving = stream::iter(self.registry.leaving());
        let leaving = leaving.map(|name| self.end_one(livekit, name));
        drain(leaving.buffer_unordered(CALLS)).await?;
        let not_made = stream::iter(self.registry.not_made());
        let not_made = not_made.map(|name| self.make_one(livekit, name));
        drain(not_made.buffer_unordered(CALLS)).await
    }

    async fn end_one(&self, livekit: &LiveKit, name: String) -> Result<(), LiveKitError> {
        match self.delete(livekit, &name).await {
            Err(error @ LiveKitError::Unreachable) => return Err(error),
            Ok(()) => watch::room("closed"),
            // It is gone already, or found again when LiveKit's rooms are compared.
            Err(_) => {}
        }
        self.registry.gone(&name);
        Ok(())
    }

    async fn make_one(&self, livekit: &LiveKit, name: String) -> Result<(), LiveKitError> {
        match self.make(livekit, &name).await {
            Ok(_) => {
                watch::room("opened");
                self.registry.made(&name);
            }
            Err(error @ LiveKitError::Unreachable) => return Err(error),
            Err(error) => {
                tracing::warn!("LiveKit does not make a room: {error}");
                self.registry.refused(&name);
            }
        }
        Ok(())
    }

    /// Compares what LiveKit has with what the events ask for.
    async fn reconcile(&self, livekit: &LiveKit) -> Result<(), LiveKitError> {
        // Before the events are read: a room that is made meanwhile is in neither.
        let there = livekit.rooms(Vec::new()).await?;
        if let Err(error) = self.read_everything().await {
            tracing::warn!("rooms could not be compared, and will be again: {error}");
            return Ok(());
        }
        if let Err(error) = self.ended.prune().await {
            tracing::warn!("what was closed long ago could not be forgotten: {error}");
        }
        let names: HashSet<&str> = there.iter().map(|room| room.name.as_str()).collect();
        for name in self.registry.all() {
            if !names.contains(name.as_str()) {
                self.registry.not_there(&name);
            }
        }
        for room in &there {
            // LiveKit may have refused to end it, or somebody may have come in with an older token.
            let facts = RoomFacts::of_room(&room.name, &room.metadata);
            if facts.is_some() && self.is_call_ended(&room.name) {
                self.registry.leave(&room.name);
                continue;
            }
            if !self.is_ours(&room.metadata) || self.registry.contains(&room.name) {
                continue;
            }
            match self.is_wanted(&room.name).await {
                Ok(true) => {}
                Ok(false) => match self.delete(livekit, &room.name).await {
                    Ok(()) => watch::room("closed"),
                    Err(error @ LiveKitError::Unreachable) => return Err(error),
                    Err(LiveKitError::NotFound) => {}
                    // The next comparison tries again; others are not to wait for it.
                    Err(error) => tracing::warn!("LiveKit does not end a room: {error}"),
                },
                Err(error) => tracing::warn!("a room could not be looked at: {error}"),
            }
        }
        self.apply(livekit).await
    }

    /// Whether an event asks for a room that has no place in the registry.
    async fn is_wanted(&self, name: &str) -> Result<bool, StoreError> {
        let Some(address) = Address::parse(name) else {
            return Ok(false);
        };
        let newest = self.newest(&address).await?;
        match newest.and_then(|event| Space::of(&event)) {
            Some(space) => Ok(self.judge(&space).await?.is_ok()),
            None => Ok(false),
        }
    }
}

/// Waits for all, or for the first that fails.
async fn drain(calls: impl Stream<Item = Result<(), LiveKitError>>) -> Result<(), LiveKitError> {
    calls.try_for_each(|()| ready(Ok(()))).await
}

async fn wait_for(stop: &StopToken, time: Duration) {
    tokio::select! {
        () = stop.stopped() => {}
        () = sleep(time) => {}
    }
}
