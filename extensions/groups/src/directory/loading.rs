//! Rows on their way into memory: all of them before anything else happens, and those that an event touched after its commit.

use super::{Directory, Known};
use crate::group::{Display, Group, Staff};
use crate::state::{self, BARRIER, DISPLAY, GROUP, STAFF, STANDING, TO_CLEAR};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

/// Rows of one page.
const PAGE_ROWS: usize = 2_000;
/// More users than so many are read together with all others of their group.
const SINGLE_USERS_MAX: usize = 32;

/// What was committed is followed sooner than this, unless it was not committed after all.
const PATIENCE: Duration = Duration::from_secs(2);

/// Which rows of a group are read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reload {
    /// What it is and what is shown of it.
    Facts,
    /// That, and these users.
    Users(Vec<PublicKey>),
    /// Everything.
    All,
}

impl Directory {
    /// Reads every group.
    pub(crate) async fn load(&self, host: &Host) -> Result<(), StoreError> {
        let mut ids = Vec::new();
        each_row(host, &[GROUP], |key, _| {
            ids.extend(state::parts(key).map(|(id, _)| id.to_owned()));
        })
        .await?;
        for id in ids {
            let _turn = self.turn.lock().await;
            self.read(host, &id, &Reload::All).await?;
            if self.look(&id, |known| known.group.is_deleted) == Some(true) {
                let to_clear = host.kv_get(&state::key(TO_CLEAR, &id, &[])).await?;
                if to_clear.is_none() {
                    self.clear(&id);
                }
            }
        }
        Ok(())
    }

    /// Reads the groups again of which something was committed, or nearly so, and that nobody has told of since; which.
    pub(crate) async fn settle_old(&self, host: &Host) -> Result<Vec<String>, StoreError> {
        let old = self.pending.older_than(PATIENCE);
        let mut touched = Vec::new();
        if old.is_empty() {
            return Ok(touched);
        }
        // Writes are in one order: when this one is done, what was under way is committed or has failed.
        host.kv_put(&[BARRIER], Some(Vec::new())).await?;
        for (id, events) in old {
            touched.extend(self.refresh(host, &id, &Reload::All).await?);
            self.pending.remove(&events);
        }
        Ok(touched)
    }

    /// Reads rows of a group again, and of those above and below where it is found that these have changed: rows may be
    /// ahead of the event that one follows. All groups that were read.
    pub(crate) async fn refresh(
        &self,
        host: &Host,
        id: &str,
        what: &Reload,
    ) -> Result<Vec<String>, StoreError> {
        let _turn = self.turn.lock().await;
        let mut touched = vec![id.to_owned()];
        let mut read = 0;
        while let Some(id) = touched.get(read).cloned() {
            let (before, was_hidden) = (self.kin(&id), self.is_kept_hidden(&id));
            let what = if read == 0 { what } else { &Reload::Facts };
            self.read(host, &id, what).await?;
            let (after, is_hidden) = (self.kin(&id), self.is_kept_hidden(&id));
            // What is hidden is named by nobody, and what is not any more is.
            let changed = match was_hidden == is_hidden {
                true => before.symmetric_difference(&after).cloned().collect(),
                false => &before | &after,
            };
            for kin in changed {
                if !touched.contains(&kin) {
                    touched.push(kin);
                }
            }
            read += 1;
        }
        Ok(touched)
    }

    /// Whether a group that memory has forgotten was deleted, by its row.
    pub(crate) async fn was_deleted(&self, host: &Host, id: &str) -> Result<bool, StoreError> {
        let row = read::<Group>(host, GROUP, id).await?;
        Ok(matches!(row, Row::Is(group) if group.is_deleted))
    }

    fn is_kept_hidden(&self, id: &str) -> bool {
        self.look(id, |known| known.group.is_hidden) == Some(true)
    }

    async fn read(&self, host: &Host, id: &str, what: &Reload) -> Result<(), StoreError> {
        let mut is_unreadable = false;
        let group = match read::<Group>(host, GROUP, id).await? {
            Row::Absent => {
                let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
                groups.remove(id);
                return Ok(());
            }
            Row::Is(group) => group,
            Row::Unreadable => {
                is_unreadable = true;
                Group::closed_to_all()
            }
        };
        let display = read::<Display>(host, DISPLAY, id).await?;
        let display = display.or_default(&mut is_unreadable);
        let staff = read::<Staff>(host, STAFF, id).await?;
        let staff = staff.or_default(&mut is_unreadable);
        if is_unreadable {
            tracing::warn!(
                "rows of a group cannot be read; `trellis groups check` tells which, `trellis groups rebuild --apply` puts them right"
            );
        }
        let is_deleted = group.is_deleted;
        self.change(id, |known| {
            known.group = group;
            known.display = display;
            known.staff = staff;
            known.is_cleared &= is_deleted;
            known.is_unreadable = is_unreadable;
        });
        match what {
            // Those who were members may still be told that it is gone.
            _ if is_deleted => {}
            Reload::Facts => {}
            Reload::All => self.refresh_all_users(host, id).await?,
            Reload::Users(users) if users.len() > SINGLE_USERS_MAX => {
                self.refresh_all_users(host, id).await?;
            }
            Reload::Users(users) => {
                for user in users {
                    let key = state::key(STANDING, id, user.as_bytes());
                    let row = host.kv_get(&key).await?;
                    let standing = row.and_then(|row| state::standing_of(&row));
                    self.change(id, |known| match standing {
                        Some(standing) => drop(known.users.insert(*user, standing)),
                        None => drop(known.users.remove(user)),
                    });
                }
            }
        }
        Ok(())
    }

    async fn refresh_all_users(&self, host: &Host, id: &str) -> Result<(), StoreError> {
        if self.look(id, |known| known.group.is_deleted) != Some(false) {
            return Ok(());
        }
        let mut users = HashMap::new();
        each_row(host, &state::key(STANDING, id, &[]), |key, row| {
            let user = state::parts(key).and_then(|(_, user)| PublicKey::from_slice(user).ok());
            users.extend(user.zip(state::standing_of(row)));
        })
        .await?;
        self.change(id, |known| known.users = users);
        Ok(())
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Known)) {
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        groups.change(id, change);
    }
}

/// Hands over every row whose key begins so.
pub(crate) async fn each_row(
    host: &Host,
    prefix: &[u8],
    mut take: impl FnMut(&[u8], &[u8]),
) -> Result<(), StoreError> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let rows = host.kv_scan(prefix, after.as_deref(), PAGE_ROWS).await?;
        for (key, row) in &rows {
            take(key, row);
        }
        match rows.len() == PAGE_ROWS {
            true => after = rows.into_iter().next_back().map(|(key, _)| key),
            false => return Ok(()),
        }
    }
}

/// What a row of a group says.
enum Row<T> {
    Absent,
    Is(T),
    Unreadable,
}

impl<T: Default> Row<T> {
    /// Nothing, where nothing can be read; notes if so.
    fn or_default(self, is_unreadable: &mut bool) -> T {
        match self {
            Row::Absent => T::default(),
            Row::Is(value) => value,
            Row::Unreadable => {
                *is_unreadable = true;
                T::default()
            }
        }
    }
}

async fn read<T: DeserializeOwned>(
    host: &Host,
    letter: u8,
    id: &str,
) -> Result<Row<T>, StoreError> {
    let Some(row) = host.kv_get(&state::key(letter, id, &[])).await? else {
        return Ok(Row::Absent);
    };
    Ok(serde_json::from_slice(&row).map_or(Row::Unreadable, Row::Is))
}
