//! The relay's side of what extensions may ask for: reading, writing, publishing as the relay.

use super::Relay;
use crate::access_changes::AccessChange;
use crate::config::{Network, Operation, Outbound, Pow};
use crate::event::{Event, KindClass, PublicKey};
use crate::extension::{AccessNews, Admit, AdmitRequest, Core, ReadJob, Viewer};
use crate::nips::nip62;
use crate::reason::Reason;
use crate::store::{Outcome, StoreError, Write};
use crate::visibility::Visibility;
use crate::worker::WorkerMessage;
use crate::writer::{self, Origin, Submission, public_reason};
use futures_util::future::BoxFuture;
use nostr::event::{EventBuilder, FinalizeEvent as _, FinalizeUnsignedEvent as _};
use nostr::nips::nip59::GiftWrapBuilder;
use std::future::ready;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::oneshot;

/// Gives extensions the relay without letting them keep it alive.
#[derive(Clone, Debug)]
pub(crate) struct ForExtensions(pub(crate) Arc<Relay>);

impl Core for ForExtensions {
    fn read(&self, job: ReadJob) {
        let store = self.0.store.clone();
        // A job that finds no place is dropped, which its owner reads as "not available".
        let _ = self.0.readers.spawn(move || job(&*store));
    }

    fn submit(&self, writes: Vec<Write>) -> BoxFuture<'static, Result<Vec<Outcome>, StoreError>> {
        hand_in(&self.0, writes, |reply| Origin::Internal(Some(reply)))
    }

    fn restore(
        &self,
        events: Vec<Arc<Event>>,
    ) -> BoxFuture<'static, Result<Vec<Outcome>, StoreError>> {
        let writes = events.into_iter().map(Write::Put).collect();
        hand_in(&self.0, writes, Origin::Operator)
    }

    fn publish(&self, event: Arc<Event>) -> BoxFuture<'static, Result<(), Reason>> {
        let relay = self.0.clone();
        Box::pin(async move { publish(&relay, event).await })
    }

    fn is_serving(&self) -> bool {
        self.0.is_serving.load(Relaxed)
    }

    fn operation(&self) -> Operation {
        self.0.config().operation.clone()
    }

    fn network(&self) -> Network {
        self.0.config().network.clone()
    }

    fn pow(&self) -> Pow {
        self.0.config().pow.clone()
    }

    fn outbound(&self) -> Outbound {
        self.0.config().outbound.clone()
    }

    fn data_dir(&self) -> &Path {
        &self.0.data_dir
    }

    fn is_banned(&self, pubkey: &PublicKey) -> bool {
        self.0.moderation().banned_pubkeys.contains(pubkey)
    }

    fn may_read(&self, ip: IpAddr, pubkey: &PublicKey) -> Result<(), Reason> {
        Ok(self.0.access().may_req(ip, &[*pubkey])?)
    }

    fn may_publish(&self, ip: IpAddr, pubkey: &PublicKey) -> Result<(), Reason> {
        Ok(self.0.access().may_publish(ip, &[*pubkey], pubkey, [])?)
    }

    fn shows(&self, event: &Event, viewer: &Viewer) -> bool {
        let (hooks, config) = (self.0.hooks.load(), self.0.config());
        let visibility = Visibility {
            hooks: &hooks,
            protected: &config.protection.read_protected_kinds,
            now: self.0.clock.now_s(),
        };
        visibility.shows(event, event.expiration(), viewer)
    }

    fn hooks_changed(&self) {
        self.0.tell_workers(|| WorkerMessage::HooksChanged);
    }

    fn access_changed(&self, news: AccessNews) {
        let changes = &self.0.access_changes;
        changes.push(&AccessChange::from(news));
        for worker in self.0.workers().iter() {
            // One whose inbox is full looks at them before the messages that are in it.
            let _ = worker.try_send(WorkerMessage::AccessChanged);
        }
    }

    fn pubkey(&self) -> PublicKey {
        self.0.keys.public_key()
    }

    fn sign(&self, event: EventBuilder) -> Result<Event, Reason> {
        let signed = event.finalize(&self.0.keys).map_err(|error| {
            tracing::error!(%error, "an event of an extension could not be signed");
            Reason::internal()
        })?;
        Event::parse(signed.as_json().as_bytes()).map_err(|error| {
            tracing::error!(%error, "an event of an extension is malformed");
            Reason::internal()
        })
    }

    fn gift_wrap(&self, recipient: &PublicKey, event: EventBuilder) -> Result<Event, Reason> {
        // What the library says of a failure may hold what was to be hidden.
        let failed = || {
            tracing::error!("an event of an extension could not be wrapped");
            Reason::internal()
        };
        let rumor = event.finalize_unsigned(self.0.keys.public_key());
        let wrap = GiftWrapBuilder::new(*recipient, rumor).finalize(&self.0.keys);
        let wrap = wrap.map_err(|_| failed())?;
        Event::parse(wrap.as_json().as_bytes()).map_err(|_| failed())
    }
}

/// Gives writes to the writer at once, and waits for what became of them.
fn hand_in(
    relay: &Relay,
    writes: Vec<Write>,
    origin: impl Fn(oneshot::Sender<Outcome>) -> Origin,
) -> BoxFuture<'static, Result<Vec<Outcome>, StoreError>> {
    if writer::is_this_thread() {
        let problem = "a commit hook cannot write through its host".to_owned();
        return Box::pin(ready(Err(StoreError::Unavailable(problem))));
    }
    let gone = || StoreError::Unavailable("the writer has stopped".into());
    // So that the writer takes several as a whole.
    let approach = (writes.len() > 1).then(|| relay.writer.approach());
    let answers: Result<Vec<_>, _> = writes
        .into_iter()
        .map(|write| {
            let (reply, answer) = oneshot::channel();
            // Nobody is asked about rows and removals: where one is refused, nothing was committed.
            let may_be_refused = write.event().is_some();
            let submission = Submission {
                write,
                origin: origin(reply),
                permit: None,
            };
            let submitted = relay.writer.submit(submission);
            submitted.map(|()| (answer, may_be_refused))
        })
        .collect();
    drop(approach);
    Box::pin(async move {
        let mut outcomes = Vec::new();
        for (answer, may_be_refused) in answers.map_err(|_| gone())? {
            let outcome = answer.await.map_err(|_| gone())?;
            if let (Outcome::Refused(reason), false) = (&outcome, may_be_refused) {
                return Err(StoreError::Unavailable(reason.text.to_string()));
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    })
}

/// The flow of an EVENT for the relay itself: the extensions are asked as for anybody else.
async fn publish(relay: &Relay, event: Arc<Event>) -> Result<(), Reason> {
    if writer::is_this_thread() {
        // It would wait for itself.
        return Err(Reason::error("a commit hook cannot publish"));
    }
    let permits = relay.permits_for(&event);
    let permit = relay
        .in_flight
        .clone()
        .acquire_many_owned(permits)
        .await
        .map_err(|_| Reason::internal())?;
    match admit(relay, &event).await {
        Admit::Accept => {}
        Admit::Shadow => return Ok(()),
        Admit::Reject(reason) => return Err(reason),
    }
    if event.class() == KindClass::Ephemeral {
        relay.send_ephemeral(&event, permit);
        return Ok(());
    }
    let config = relay.config();
    let write = nip62::write_for(event, config.network.relay_url.as_deref())?;
    let (reply, answer) = oneshot::channel();
    let submission = Submission {
        write,
        origin: Origin::Internal(Some(reply)),
        permit: Some(permit),
    };
    let stopped = || Reason::error("the relay is stopping");
    relay.writer.submit(submission).map_err(|_| stopped())?;
    match answer.await.map_err(|_| stopped())? {
        Outcome::Stored(_) | Outcome::StoredThenRemoved | Outcome::Duplicate | Outcome::Done => {
            Ok(())
        }
        refused => Err(public_reason(&refused).unwrap_or_else(Reason::internal)),
    }
}

/// The word of the extensions in force when it is given.
async fn admit(relay: &Relay, event: &Arc<Event>) -> Admit {
    let viewer = Arc::new(Viewer::relay(relay.keys.public_key()));
    loop {
        let hooks = relay.hooks.load();
        let plan = hooks.plan(event.kind());
        let mut verdict = plan.admit(event, &viewer);
        if verdict == Admit::Accept && plan.wants_async(event, &viewer) {
            let (event, viewer) = (event.clone(), viewer.clone());
            verdict = plan.admit_async(AdmitRequest { event, viewer }).await;
        }
        if relay.hooks.generation() == hooks.generation() {
            return verdict;
        }
    }
}
