//! The file that is open, with its tables. A compaction replaces it as a whole.

use super::fault::{self, Result};
use super::keys::KeyedHash;
use super::meta::{self, Migration};
use super::moving::{Move, Steps};
use super::newest::Newest;
use super::room::Room;
use super::tables::{Table, Tables};
use super::{LmdbOptions, opening};
use crate::store::StoreStats;
use lmdb::Environment;
use std::path::Path;

/// One environment and what is known of it.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) env: Environment,
    pub(super) tables: Tables,
    pub(super) hash: KeyedHash,
    /// Done by this opening.
    pub(super) migration: Option<Migration>,
    pub(super) room: Room,
    pub(super) removal_log_entries: u64,
    pub(super) newest: Newest,
}

impl Mapped {
    /// Opens the file of a locked directory.
    pub(super) fn open(directory: &Path, options: &LmdbOptions) -> Result<Self> {
        Self::open_moving(directory, options, Steps::default())
    }

    /// As [`Mapped::open`]; records that have to be moved go by these steps.
    pub(super) fn open_moving(
        directory: &Path,
        options: &LmdbOptions,
        steps: Steps,
    ) -> Result<Self> {
        let env = opening::environment(directory, options)?;
        let room = Room::new(&env, directory, options.quota_bytes, options.ballast_bytes)?;
        let tables = room.with_ballast(|| Ok(Tables::open(&env)?))?;
        let records = Move::plan(&env, &room, steps)?;
        let prepared = room.with_ballast(|| meta::prepare(&env, &tables))?;
        if let Some(records) = records {
            records.run(&env, &tables, &room)?;
        }
        let hash = KeyedHash::new(prepared.hash_key);
        let last_row = meta::last_row(&env.begin_ro_txn()?, &tables)?;
        Ok(Mapped {
            env,
            tables,
            hash,
            migration: prepared.migration,
            room,
            removal_log_entries: options.removal_log_entries,
            newest: Newest::at(last_row),
        })
    }

    /// Anybody may ask for health at any time, so this costs a look at each table's root and waits for no commit.
    pub(super) fn stats(&self) -> fault::Result<StoreStats> {
        let txn = self.env.begin_ro_txn()?;
        let pages = self.tables.used_pages(&self.env, &txn)?;
        let used_bytes = pages * self.room.page_bytes();
        Ok(StoreStats {
            events: self.tables.entries(&txn, Table::Id)?,
            used_bytes,
            quota_bytes: self.room.quota_bytes(),
            full: self.room.looks_full(&self.env, used_bytes)?,
        })
    }
}
