//! What stands for the backup in a program that was built without it: nothing of this can be had.
//!
//! Invariant: each name is one of the real module's, with the same shape, so that nobody else asks which of them is there.

mod keeps;
mod noted;

pub use keeps::Keeps;
pub use noted::{Noted, Taken};

use crate::admin::backup::Written;
use crate::clock::Clock;
use crate::config::Config;
use crate::relay::Relay;
use crate::store::lmdb::LmdbStore;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// There is none.
#[derive(Debug)]
pub enum Opened {}

/// There is none.
#[derive(Debug)]
pub enum Handle {}

/// There is none.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {}

#[derive(Debug)]
pub(crate) enum Prepared {}

#[derive(Debug)]
pub(crate) enum Thread {}

/// Opens the store that a configuration names.
pub fn open_store<E>(
    config: &Config,
    _clock: &dyn Clock,
    open: &(dyn Fn(&Path) -> Result<LmdbStore, E> + Sync),
) -> Result<(LmdbStore, Option<Opened>), E> {
    Ok((open(&config.data.path)?, None))
}

impl Handle {
    /// What the writer notes.
    pub fn noted(&self) -> &Noted {
        match *self {}
    }

    /// Whether another relay writes to the same place now.
    pub fn is_superseded(&self) -> bool {
        match *self {}
    }

    /// How it goes.
    pub fn health(&self) -> Option<()> {
        match *self {}
    }

    /// Has everything written that is committed now.
    pub fn write_now(&self, _snapshot: bool) -> Result<Written, String> {
        match *self {}
    }
}

impl Prepared {
    pub(crate) fn new(opened: Opened) -> Self {
        match opened {}
    }

    pub(crate) fn handle(&self) -> Arc<Handle> {
        match *self {}
    }

    pub(crate) fn start(self, _relay: &Arc<Relay>, _keeps: Keeps) -> io::Result<Thread> {
        match self {}
    }
}

impl Thread {
    pub(crate) fn ask_for_files(&self) {
        match *self {}
    }

    pub(crate) fn has_files(&self) -> bool {
        match *self {}
    }

    pub(crate) fn ask_to_stop(&self) {
        match *self {}
    }

    pub(crate) fn is_finished(&self) -> bool {
        match *self {}
    }
}
