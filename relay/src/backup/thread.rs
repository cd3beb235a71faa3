//! The backup of a running relay as others see it: a handle for who writes, asks or orders, and the thread behind it.
//!
//! Not here: what the thread does, which is `work`'s.

use super::file_thread::{self, Files};
use super::keeps::Keeps;
use super::manifest::{BlobList, FileList};
use super::noted::Noted;
use super::opening::Opened;
use super::pruning::Due;
use super::shipping::Shipper;
use super::status::{Health, Status};
use super::work::Work;
use crate::admin::backup::Written;
use crate::relay::Relay;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// Bytes of notes of what was written.
const NOTED_BYTES: usize = 16 << 20;
/// Orders that wait.
const ORDERS: usize = 8;

/// What the relay and its operators know of the backup.
#[derive(Debug)]
pub struct Handle {
    noted: Arc<Noted>,
    status: Arc<Status>,
    orders: SyncSender<Order>,
}

/// What the thread is asked for.
#[derive(Debug)]
pub(super) enum Order {
    /// List files of an extension that are in their place, with a segment that is cut now, and say
    /// so.
    Files(FileList, SyncSender<()>),
    /// List blobs, and say so.
    Blobs(BlobList, SyncSender<()>),
    /// Write what was committed, and a snapshot if it is wanted; then say so.
    Now {
        snapshot: bool,
        reply: SyncSender<Result<Written, String>>,
    },
    /// Look whether to stop: to write what was committed, and end the lineage and the thread.
    Stop,
}

/// Whether the end was asked for, which an [`Order::Stop`] only wakes the thread for: that one may find no place among the
/// others.
#[derive(Clone, Debug, Default)]
pub(super) struct Stopping(Arc<AtomicBool>);

impl Stopping {
    /// Asks for it.
    fn ask(&self, orders: &SyncSender<Order>) {
        self.0.store(true, Ordering::Release);
        // A full queue holds orders that wake the thread as well; one that is closed has ended.
        let _ = orders.try_send(Order::Stop);
    }

    /// Whether it was asked for before the last order that was taken.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Handle {
    /// Notes of the writer.
    pub fn noted(&self) -> &Noted {
        &self.noted
    }

    /// Whether another relay writes to the same place now, so that nothing may be stored here.
    pub fn is_superseded(&self) -> bool {
        self.status.is_superseded()
    }

    /// How it goes.
    pub fn health(&self) -> Health {
        self.status.health()
    }

    /// Has everything written that is committed now, with a snapshot or without, and gives the answer when it is there.
    /// Blocks.
    pub fn write_now(&self, snapshot: bool) -> Result<Written, String> {
        let (reply, answer) = sync_channel(1);
        let order = Order::Now { snapshot, reply };
        match self.orders.try_send(order) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err("too many others wait for the same".into()),
            Err(TrySendError::Disconnected(_)) => return Err(ENDED.to_owned()),
        }
        answer.recv().unwrap_or_else(|_| Err(ENDED.to_owned()))
    }
}

/// What is said to those who come too late.
pub(super) const ENDED: &str = "the backup has ended";

/// A relay's backup, to be begun once the relay runs.
pub(crate) struct Prepared {
    opened: Opened,
    handle: Arc<Handle>,
    orders: Receiver<Order>,
}

/// The thread.
#[derive(Debug)]
pub(crate) struct Thread {
    orders: SyncSender<Order>,
    stopping: Stopping,
    files: Files,
    thread: JoinHandle<()>,
}

impl Prepared {
    pub(crate) fn new(opened: Opened) -> Self {
        let (sender, orders) = sync_channel(ORDERS);
        let handle = Arc::new(Handle {
            noted: Arc::new(Noted::new(NOTED_BYTES)),
            status: Arc::new(Status::new(if opened.is_claimed { opened.row } else { 0 })),
            orders: sender,
        });
        Prepared {
            opened,
            handle,
            orders,
        }
    }

    /// For the relay, before its writer starts: from then on everything is noted.
    pub(crate) fn handle(&self) -> Arc<Handle> {
        self.handle.clone()
    }

    pub(crate) fn start(self, relay: &Arc<Relay>, keeps: Keeps) -> std::io::Result<Thread> {
        let Prepared {
            opened,
            handle,
            orders,
        } = self;
        let shipper = Shipper::new(
            opened,
            relay.store.clone(),
            handle.noted.clone(),
            relay.clock.clone(),
            keeps,
        );
        let sender = handle.orders.clone();
        let (stopping, pruning) = (Stopping::default(), Arc::new(Due::default()));
        let status = handle.status.clone();
        let work = Work::new(relay, shipper, status, stopping.clone(), pruning.clone());
        let thread = std::thread::Builder::new()
            .name("backup".into())
            .spawn(move || work.run(&orders))?;
        let files = file_thread::start(
            relay,
            relay.config().backup.clone(),
            sender.clone(),
            pruning,
        )?;
        Ok(Thread {
            orders: sender,
            stopping,
            files,
            thread,
        })
    }
}

impl Thread {
    /// Asks for a last look at files of extensions, which have to be there still.
    pub(crate) fn ask_for_files(&self) {
        self.files.ask_to_stop();
    }

    /// Whether they were looked at.
    pub(crate) fn has_files(&self) -> bool {
        self.files.is_finished()
    }

    /// Asks for the end. The relay must have stored everything that it answers OK.
    pub(crate) fn ask_to_stop(&self) {
        self.stopping.ask(&self.orders);
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn d4_a_request_to_stop_is_heard_where_no_other_order_has_room() {
        let (orders, receiver) = sync_channel(1);
        orders.send(Order::Stop).unwrap();
        let stopping = Stopping::default();
        stopping.ask(&orders);
        // Whoever takes the order that had the room sees it.
        receiver.recv().unwrap();
        assert!(stopping.is_set());
    }
}
