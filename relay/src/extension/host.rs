//! What the relay offers to an extension.

mod catching_up;
mod lists;
mod noting;
mod restore;

pub use restore::Restored;
pub(super) use restore::writes_of;

use super::access_news::AccessNews;
use super::commit::COMMIT_BYTES_MAX;
use super::haste::Haste;
use super::loops::{self, Depths};
use super::metrics::ExtensionMetrics;
use super::outbound::HttpClient;
use super::rate::RateLimiter;
use super::relay_side::Core;
use super::replays::ReplayGuards;
use super::services::{ServiceRef, Services};
use crate::clock::Clock;
use crate::config::{Mode, Network};
use crate::event::{Event, EventId, PublicKey};
use crate::filter::Filter;
use crate::kinds::Kinds;
use crate::nips::nip98::address::Target;
use crate::nips::nip98::{self, Asked, Nip98Error, ReplayGuard, Signed};
use crate::reason::Reason;
use crate::store::{Budget, Cause, Order, Outcome, Scan, Store, StoreError, Write};
use nostr::event::EventBuilder;
use nostr::types::Timestamp;
use std::future::Future;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// [`Host::query`] answers at most so many events, whatever the filter's `limit`.
const QUERY_EVENTS_MAX: usize = 10_000;
/// One page of a query; between two the reader thread is free for others.
const QUERY_PAGE: Budget = Budget {
    events: 500,
    entries: 5_000,
    bytes: 4 << 20,
    time: Duration::from_millis(5),
};

/// An extension's view of the relay. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    name: &'static str,
    clock: Arc<dyn Clock>,
    services: Services,
    core: Arc<dyn Core>,
    runtime: tokio::runtime::Handle,
    depths: Arc<Depths>,
    haste: Arc<Haste>,
    nip98_seen: Arc<ReplayGuard>,
    http_client: HttpClient,
}

/// What all extensions of a relay share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) services: Services,
    pub(super) core: Arc<dyn Core>,
    pub(super) depths: Arc<Depths>,
    pub(super) nip98_guards: ReplayGuards,
}

impl Host {
    pub(super) fn new(
        name: &'static str,
        runtime: tokio::runtime::Handle,
        shared: &Shared,
    ) -> Self {
        let shared = shared.clone();
        Host {
            inner: Arc::new(Inner {
                http_client: HttpClient::new(name, runtime.clone(), shared.core.clone()),
                name,
                runtime,
                clock: shared.clock,
                services: shared.services,
                core: shared.core,
                depths: shared.depths,
                haste: Arc::new(Haste::new()),
                nip98_seen: shared.nip98_guards.of(name),
            }),
        }
    }

    /// The extension's own name.
    pub fn name(&self) -> &'static str {
        self.inner.name
    }

    /// The time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The relay's own public key.
    pub fn relay_pubkey(&self) -> PublicKey {
        self.inner.core.pubkey()
    }

    /// What the relay takes at the moment. It changes by reload, by the management API and by the clock, so ask whenever
    /// it matters.
    pub fn mode(&self) -> Mode {
        let operation = self.inner.core.operation();
        operation.mode_at(self.inner.clock.now_s())
    }

    /// Refuses while the relay is in one of these modes: `blocked: maintenance ...`, with the operator's notice. The core
    /// itself refuses every event in `read_only`; what the other modes exclude only extensions know.
    ///
    /// ```
    /// use trellis_relay::config::Mode;
    /// use trellis_relay::extension::prelude::*;
    /// struct Groups {
    ///     host: Host,
    /// }
    /// fn admit_new_group(me: &Groups) -> Admit {
    ///     match me.host.refuse_during(&[Mode::NoNewGroups, Mode::Maintenance]) {
    ///         Ok(()) => Admit::Accept,
    ///         Err(reason) => reason.into(),
    ///     }
    /// }
    /// ```
    pub fn refuse_during(&self, modes: &[Mode]) -> Result<(), Reason> {
        let (operation, now_s) = (self.inner.core.operation(), self.inner.clock.now_s());
        let mode = operation.mode_at(now_s);
        match modes.contains(&mode) {
            true => Err(operation.refusal(mode, now_s)),
            false => Ok(()),
        }
    }

    /// How long what is running may go on once a maintenance begins (`operation.drain_timeout`).
    pub fn drain_timeout(&self) -> Duration {
        self.inner.core.operation().drain_timeout.duration()
    }

    /// Whether the relay serves, or is about to: not where a command of an extension runs on a stopped relay's store. What
    /// must not be done while events come asks for this.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn may_rewrite_all_rows(host: &Host) -> Result<(), String> {
    ///     match host.is_serving() {
    ///         true => Err("the relay is running; stop it first".to_owned()),
    ///         false => Ok(()),
    ///     }
    /// }
    /// ```
    pub fn is_serving(&self) -> bool {
        self.inner.core.is_serving()
    }

    /// The relay's data directory (`data.path`), which the extension shares with the store and with other extensions:
    /// whatever it puts there should have a name that begins with its own. The directory is there, unless somebody embeds
    /// a relay over a store of another kind.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn database(host: &Host) -> std::path::PathBuf {
    ///     host.data_dir().join("greeter.db")
    /// }
    /// ```
    pub fn data_dir(&self) -> &Path {
        self.inner.core.data_dir()
    }

    /// A service of another extension, resolved whenever it is used.
    pub fn service<T: ?Sized + Send + Sync + 'static>(&self) -> ServiceRef<T> {
        self.inner.services.reference()
    }

    /// All stored events that match, newest first, with the relay's own eyes: no extension hides anything. At most the
    /// filter's `limit`, and never more than 10,000.
    pub async fn query(&self, filter: Filter) -> Result<Vec<Arc<Event>>, StoreError> {
        let wanted = filter.limit.unwrap_or(usize::MAX).min(QUERY_EVENTS_MAX);
        let filter = Arc::new(filter);
        let mut events = Vec::new();
        let mut resume = None;
        while events.len() < wanted {
            let (filter, now) = (filter.clone(), self.inner.clock.now_s());
            let budget = Budget {
                events: QUERY_PAGE.events.min(wanted - events.len()),
                ..QUERY_PAGE
            };
            let scan_page = move |store: &dyn Store| {
                store.scan(&Scan {
                    filter: &filter,
                    order: Order::NewestFirst,
                    resume,
                    max_row: u64::MAX,
                    now,
                    budget,
                })
            };
            let page = self.inner.core.ask(scan_page).await?;
            events.extend(page.events.into_iter().map(|stored| stored.event));
            resume = page.next;
            if resume.is_none() {
                break;
            }
        }
        Ok(events)
    }

    /// Signs an event with the relay's key and publishes it through the full pipeline, other extensions' hooks included.
    /// Answers once it is durable. Events that are published in answer to published events are cut off at depth 4.
    ///
    /// ```
    /// use nostr::event::{EventBuilder, Kind};
    /// use trellis_relay::extension::prelude::*;
    /// async fn announce(host: &Host) -> Result<(), HookError> {
    ///     let note = EventBuilder::new(Kind::TextNote, "the relay is open");
    ///     match host.publish(note).await {
    ///         Ok(event) => tracing::info!(id = %event.id(), "announced"),
    ///         Err(reason) => tracing::warn!(%reason, "not announced"),
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn publish(&self, mut event: EventBuilder) -> Result<Arc<Event>, Reason> {
        let depth = loops::current_depth() + 1;
        if depth > loops::MAX_DEPTH {
            let extension = self.inner.name;
            tracing::error!(
                extension,
                "events in answer to events: publishing is cut off"
            );
            return Err(Reason::error("extensions answer each other's events"));
        }
        let now_s = self.inner.clock.now_s();
        event.created_at.get_or_insert(Timestamp::from_secs(now_s));
        let event = Arc::new(self.inner.core.sign(event)?);
        self.inner.depths.remember(*event.id(), depth);
        self.inner.core.publish(event.clone()).await?;
        Ok(event)
    }

    /// Wraps an event for one person, who alone can open it (NIP-59), sealed with the relay's key; nothing is published. An
    /// event without `created_at` is of now.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// use trellis_relay::nostr::event::{EventBuilder, Kind};
    /// fn whisper(host: &Host, to: &PublicKey) -> Result<Event, Reason> {
    ///     host.gift_wrap(to, EventBuilder::new(Kind::PrivateDirectMessage, "hello"))
    /// }
    /// ```
    pub fn gift_wrap(
        &self,
        recipient: &PublicKey,
        mut event: EventBuilder,
    ) -> Result<Event, Reason> {
        let now = Timestamp::from_secs(self.inner.clock.now_s());
        event.created_at.get_or_insert(now);
        self.inner.core.gift_wrap(recipient, event)
    }

    /// Says that viewers with these keys may see less of these kinds than before, after it is so, or that it is not known
    /// whether less or more: [`Host::tell_access`] with [`AccessNews::of`].
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn remove_member(host: &Host, member: PublicKey) {
    ///     // after it was taken out of what `request` and `deliver` look at
    ///     host.access_changed(&[member], &Kinds::from(445));
    /// }
    /// ```
    pub fn access_changed(&self, pubkeys: &[PublicKey], kinds: &Kinds) {
        self.tell_access(AccessNews::of(pubkeys, kinds));
    }

    /// Says that what some viewers may see has changed, after it has: open subscriptions of those who have authenticated as
    /// one of the keys are narrowed anew where the client's own filter touches the news, as after AUTH. Unless they have
    /// gained, sets that they reconcile (NIP-77) and that the news touch are closed, and so are subscriptions that are
    /// refused now. What [`super::Registrar::deliver`] hides is hidden at once, with or without this.
    ///
    /// Returns at once, may be called in any hook, and is never lost. Stored events are not sent again.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn add_member(host: &Host, member: PublicKey) {
    ///     // after it was put into what `request` and `deliver` look at
    ///     let news = AccessNews::of(&[member], &Kinds::from(445)).gain();
    ///     host.tell_access(news.tagged(b'h', "group"));
    /// }
    /// ```
    pub fn tell_access(&self, news: AccessNews) {
        if !news.pubkeys.is_empty() && !news.kinds.is_empty() {
            self.inner.core.access_changed(news);
        }
    }

    /// Removes an event, if no `guard_removal` hook keeps it; whether it is gone.
    pub async fn remove(&self, id: EventId, cause: Cause) -> Result<bool, StoreError> {
        // Guards have their say about expiry when an event comes, and would not be asked again.
        let cause = match cause {
            Cause::Expiry => Cause::Retention,
            cause => cause,
        };
        let outcomes = self.inner.core.submit(vec![Write::Remove(id, cause)]);
        Ok(outcomes.await?.first() == Some(&Outcome::Done))
    }

    /// A row of the extension's own key space, as its commit hooks and [`Host::kv_put`] have written it.
    pub async fn kv_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let (name, key) = (self.inner.name, key.to_vec());
        let get = move |store: &dyn Store| store.kv_get(name, &key);
        self.inner.core.ask(get).await
    }

    /// At most `max` rows of the extension's own key space whose key begins with `prefix` and is greater than `after`, in
    /// key order.
    pub async fn kv_scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        max: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let (name, prefix) = (self.inner.name, prefix.to_vec());
        let after = after.map(<[u8]>::to_vec);
        let scan = move |store: &dyn Store| store.kv_scan(name, &prefix, after.as_deref(), max);
        self.inner.core.ask(scan).await
    }

    /// Sets a row of the extension's own key space, or deletes it with `None`; durable when it returns. A value may have
    /// [`COMMIT_BYTES_MAX`] bytes.
    pub async fn kv_put(&self, key: &[u8], value: Option<Vec<u8>>) -> Result<(), StoreError> {
        let value_bytes = value.as_ref().map_or(0, Vec::len);
        if value_bytes > COMMIT_BYTES_MAX {
            return Err(StoreError::ValueTooLong {
                bytes: value_bytes,
                max_bytes: COMMIT_BYTES_MAX,
            });
        }
        let write = Write::Kv {
            extension: self.inner.name.to_owned(),
            key: key.to_vec(),
            value,
        };
        self.inner.core.submit(vec![write]).await.map(drop)
    }

    /// Runs a future on the extension's own threads; the way from a synchronous hook to I/O. It ends with the instance.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let depth = loops::current_depth();
        self.inner.runtime.spawn(loops::at_depth(depth, future));
    }

    /// Who signed the `Authorization` header of an HTTP request (NIP-98). `url` is the absolute URL as the client knows
    /// it, `body` the bytes of a body that must be covered. A header is good for one request, and that of somebody whom the
    /// operator has banned for none.
    pub fn check_nip98(
        &self,
        header: &str,
        method: &str,
        url: &str,
        body: Option<&[u8]>,
    ) -> Result<PublicKey, Nip98Error> {
        let body_sha256 = body.map(nip98::sha256);
        let asked = Asked {
            method,
            target: Target::Exact(url),
            body_sha256: body_sha256.as_ref(),
            window_s: nip98::WINDOW_S,
        };
        Ok(self.check_signed(header, asked, None)?.pubkey)
    }

    /// The same for a request whose address may be written in more ways than one, from a client at `ip`.
    pub(super) fn check_signed(
        &self,
        header: &str,
        asked: Asked<'_>,
        ip: Option<IpAddr>,
    ) -> Result<Signed, Nip98Error> {
        let now_s = self.inner.clock.now_s();
        let signed = asked.check(header, now_s)?;
        if self.inner.core.is_banned(&signed.pubkey) {
            return Err(Nip98Error::Banned);
        }
        self.inner.nip98_seen.first_time(&signed, ip, now_s)?;
        Ok(signed)
    }

    /// Leading zero bits that the id of an event of this kind must show (NIP-13, `[pow]`), 0 for none. The core asks for
    /// them where events are published; what else takes events, such as a route, does so with this.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// use trellis_relay::nips::nip13;
    /// fn check(host: &Host, event: &Event) -> Result<(), Reason> {
    ///     nip13::check(event, host.pow_bits(event.kind()))
    /// }
    /// ```
    pub fn pow_bits(&self, kind: u16) -> u16 {
        self.inner.core.pow().bits(kind)
    }

    /// What the core does in the extension's name goes there.
    pub(super) fn core(&self) -> &dyn Core {
        &*self.inner.core
    }

    /// `[network]` as it is in force.
    pub(super) fn network(&self) -> Network {
        self.inner.core.network()
    }

    /// Asks other servers by HTTP, within what `[outbound]` allows: no private address unless it is listed there.
    ///
    /// ```
    /// use trellis_relay::extension::OutboundError;
    /// use trellis_relay::extension::prelude::*;
    /// #[derive(Deserialize)]
    /// struct Verdict {
    ///     is_spam: bool,
    /// }
    /// async fn is_spam(host: &Host, event: &Event) -> Result<bool, OutboundError> {
    ///     let request = host.http_client().post("https://judge.example/verdict");
    ///     let request = request.header("authorization", "Bearer ...");
    ///     let answer = request.json(&event.content()).send().await?;
    ///     Ok(answer.json::<Verdict>().await?.is_spam)
    /// }
    /// ```
    pub fn http_client(&self) -> &HttpClient {
        &self.inner.http_client
    }

    /// Metrics that carry the extension's name as a label.
    pub fn metrics(&self) -> ExtensionMetrics {
        ExtensionMetrics::new(self.inner.name)
    }

    /// A limiter of its own: at most `max` in any `window`, for each key.
    pub fn rate_limiter(&self, max: u32, window: Duration) -> RateLimiter {
        RateLimiter::new(max, window, self.inner.clock.clone())
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Host({})", self.inner.name)
    }
}
