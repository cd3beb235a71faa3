//! What is used and what is reserved, by key and in all.
//!
//! Invariant: the accounts of keys with reservations are in memory, and whoever takes rows from the index has the turn from
//! before until the ledger knows of it. So what is read from the index is never older than what is here. Accounts without
//! reservations are forgotten when there are too many.
//!
//! Where the index fails halfway nobody knows whether it has the row: then the row counts until it is read again.

use super::{Kind, Limits, QuotaError};
use crate::index::{Index, Result as IndexResult, Usage};
use crate::storage::Room;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trellis_relay::event::PublicKey;

/// So many accounts are kept in memory, beside those with reservations.
const ACCOUNTS_MAX: usize = 10_000;

/// What is used and what is reserved.
#[derive(Debug)]
pub(crate) struct Ledger {
    index: Index,
    /// Held by who reads what a key uses, and by who takes rows away.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stored_bytes: u64,
    reserved_bytes: u64,
    /// Reservations.
    open: usize,
    /// `stored_bytes` may be too much.
    is_stale: bool,
    accounts: HashMap<PublicKey, Account>,
}

#[derive(Debug, Default)]
struct Account {
    stored: Usage,
    reserved: Usage,
    /// Reservations.
    open: usize,
    /// `stored` may be too much.
    is_stale: bool,
}

/// What a blob that was stored is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    /// The key had not claimed it before.
    pub(crate) is_new_to_owner: bool,
    /// Nobody had.
    pub(crate) is_new: bool,
}

impl Ledger {
    /// Reads what is stored in all.
    pub(crate) async fn open(index: Index) -> IndexResult<Self> {
        let stored_bytes = index.totals().await?.bytes;
        Ok(Ledger {
            index,
            turn: tokio::sync::Mutex::default(),
            state: Mutex::new(State {
                stored_bytes,
                ..State::default()
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn used_bytes(&self) -> (u64, u64) {
        let state = self.state();
        (state.stored_bytes, state.reserved_bytes)
    }

    pub(super) async fn reserve(
        self: &Arc<Self>,
        limits: &Limits,
        owner: &PublicKey,
        bytes: u64,
        kind: Kind,
        room: Option<Room>,
    ) -> Result<Reservation, QuotaError> {
        if !self.is_at_hand(owner) {
            self.read(owner).await?;
        }
        let added = {
            let mut state = self.state();
            // It may have been forgotten meanwhile, which is as good as unknown.
            let is_known = state.accounts.contains_key(owner);
            is_known.then(|| state.add(limits, owner, bytes, kind, room))
        };
        let added = match added {
            Some(added) => added,
            None => {
                let _turn = self.turn.lock().await;
                let usage = self.index.usage(owner).await?;
                let mut state = self.state();
                state.know(owner, usage);
                state.add(limits, owner, bytes, kind, room)
            }
        };
        added?;
        Ok(Reservation {
            ledger: self.clone(),
            limits: *limits,
            owner: *owner,
            bytes,
            kind,
            is_open: true,
        })
    }

    /// Whether nothing has to be read before this key can reserve.
    fn is_at_hand(&self, owner: &PublicKey) -> bool {
        let state = self.state();
        !(state.is_stale && state.open == 0) && state.accounts.contains_key(owner)
    }

    async fn read(&self, owner: &PublicKey) -> IndexResult<()> {
        let _turn = self.turn.lock().await;
        let is_stale = {
            let state = self.state();
            state.is_stale && state.open == 0
        };
        if is_stale {
            let bytes = self.index.totals().await?.bytes;
            let mut state = self.state();
            // Whoever has reserved meanwhile may have stored what this does not count.
            if state.open == 0 {
                state.stored_bytes = bytes;
                state.is_stale = false;
            }
        }
        if !self.state().accounts.contains_key(owner) {
            let usage = self.index.usage(owner).await?;
            self.state().know(owner, usage);
        }
        Ok(())
    }

    /// Takes rows from the index, and what they were charged to off the accounts. `work` says of whom, what and how many
    /// bytes, and whether nobody has the blob any more.
    pub(crate) async fn take_away<T>(
        &self,
        work: impl Future<Output = IndexResult<(T, Option<Given>)>>,
    ) -> IndexResult<T> {
        let _turn = self.turn.lock().await;
        let (result, given) = work.await?;
        if let Some(given) = given {
            self.state().give_back(&given);
        }
        Ok(result)
    }
}

/// What was given up.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) owners: Vec<PublicKey>,
    pub(crate) bytes: u64,
    pub(crate) kind: Kind,
    /// Nobody has the blob any more.
    pub(crate) is_gone: bool,
}

impl State {
    /// Keeps what a key uses, and forgets others where there are too many.
    fn know(&mut self, owner: &PublicKey, stored: Usage) {
        if self.accounts.len() >= ACCOUNTS_MAX {
            self.accounts.retain(|_, account| account.open > 0);
        }
        self.accounts.entry(*owner).or_insert_with(|| Account {
            stored,
            ..Account::default()
        });
    }

    /// Reserves, for a key that is known.
    fn add(
        &mut self,
        limits: &Limits,
        owner: &PublicKey,
        bytes: u64,
        kind: Kind,
        room: Option<Room>,
    ) -> Result<(), QuotaError> {
        self.check_all(limits, bytes, room)?;
        let account = self.accounts.entry(*owner).or_default();
        account.check(limits, bytes, kind)?;
        let blobs = account.stored.blobs.saturating_add(account.reserved.blobs);
        // Of no bytes is what the key has already; if it has lost it meanwhile, `fit` looks.
        if bytes > 0 && blobs >= limits.blobs_per_pubkey {
            return Err(QuotaError::Blobs {
                limit: limits.blobs_per_pubkey,
            });
        }
        account.reserved.add(bytes, kind);
        account.open += 1;
        self.reserved_bytes += bytes;
        self.open += 1;
        Ok(())
    }

    /// Whether there is room for so much more in all.
    fn check_all(&self, limits: &Limits, more: u64, room: Option<Room>) -> Result<(), QuotaError> {
        let reserved = self.reserved_bytes.saturating_add(more);
        let used = self.stored_bytes.saturating_add(reserved);
        let is_over = limits.total_bytes.is_some_and(|total| used > total);
        // What is reserved may be on the disk in part, so this errs to the safe side.
        let wanted = reserved.saturating_add(limits.free_bytes);
        let is_tight = room.is_some_and(|room| wanted > room.free_bytes);
        match more > 0 && (is_over || is_tight) {
            true => Err(QuotaError::Full),
            false => Ok(()),
        }
    }

    fn give_back(&mut self, given: &Given) {
        for owner in &given.owners {
            if let Some(account) = self.accounts.get_mut(owner) {
                account.stored.take(given.bytes, given.kind);
            }
        }
        if given.is_gone {
            self.stored_bytes = self.stored_bytes.saturating_sub(given.bytes);
        }
    }
}

impl Account {
    /// Whether the key has room for so much more.
    fn check(&self, limits: &Limits, more: u64, kind: Kind) -> Result<(), QuotaError> {
        let of = |usage: &Usage| match kind {
            Kind::Plain => usage.plain_bytes,
            Kind::Encrypted => usage.encrypted_bytes,
        };
        let used_bytes = of(&self.stored).saturating_add(of(&self.reserved));
        let (limit_bytes, error) = match kind {
            Kind::Plain => (
                limits.bytes_per_pubkey,
                QuotaError::Bytes {
                    limit_bytes: limits.bytes_per_pubkey,
                    used_bytes,
                },
            ),
            Kind::Encrypted => (
                limits.encrypted_bytes_per_pubkey,
                QuotaError::EncryptedBytes {
                    limit_bytes: limits.encrypted_bytes_per_pubkey,
                    used_bytes,
                },
            ),
        };
        match more > 0 && used_bytes.saturating_add(more) > limit_bytes {
            true => Err(error),
            false => Ok(()),
        }
    }
}

/// Room for one blob of one key. Dropped, it is given back.
#[derive(Debug)]
pub(crate) struct Reservation {
    ledger: Arc<Ledger>,
    limits: Limits,
    owner: PublicKey,
    bytes: u64,
    kind: Kind,
    is_open: bool,
}

impl Reservation {
    /// Whose it is.
    pub(crate) fn owner(&self) -> &PublicKey {
        &self.owner
    }

    /// Makes it fit for what is known by now: another length, or another kind. More may be too much; then it stays.
    pub(crate) fn fit(
        &mut self,
        bytes: u64,
        kind: Kind,
        room: Option<Room>,
    ) -> Result<(), QuotaError> {
        let mut state = self.ledger.state();
        let more = bytes.saturating_sub(self.bytes);
        state.check_all(&self.limits, more, room)?;
        let account = state.accounts.entry(self.owner).or_default();
        let more_of_kind = match kind == self.kind {
            true => more,
            false => bytes,
        };
        account.check(&self.limits, more_of_kind, kind)?;
        // This one is among those that are reserved.
        let blobs = account.stored.blobs.saturating_add(account.reserved.blobs);
        if self.bytes == 0 && bytes > 0 && blobs > self.limits.blobs_per_pubkey {
            return Err(QuotaError::Blobs {
                limit: self.limits.blobs_per_pubkey,
            });
        }
        account.reserved.take(self.bytes, self.kind);
        account.reserved.add(bytes, kind);
        state.reserved_bytes = state.reserved_bytes.saturating_sub(self.bytes) + bytes;
        (self.bytes, self.kind) = (bytes, kind);
        Ok(())
    }

    /// The index has the row, so this is used and not reserved any more.
    pub(crate) fn settle(mut self, charge: Charge) {
        self.close(Some(charge), false);
    }

    /// Nobody knows whether the index has the row: it counts until what is used is read again.
    pub(crate) fn settle_unsure(mut self) {
        let charge = Charge {
            is_new_to_owner: true,
            is_new: true,
        };
        self.close(Some(charge), true);
    }

    /// Ends the reservation, and charges for what became of it, at once.
    fn close(&mut self, charge: Option<Charge>, is_unsure: bool) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        let mut state = self.ledger.state();
        let (bytes, kind) = (self.bytes, self.kind);
        state.reserved_bytes = state.reserved_bytes.saturating_sub(bytes);
        state.open = state.open.saturating_sub(1);
        state.is_stale |= is_unsure;
        if charge.is_some_and(|charge| charge.is_new) {
            state.stored_bytes += bytes;
        }
        let account = state.accounts.entry(self.owner).or_default();
        account.reserved.take(bytes, kind);
        account.open = account.open.saturating_sub(1);
        account.is_stale |= is_unsure;
        if charge.is_some_and(|charge| charge.is_new_to_owner) {
            account.stored.add(bytes, kind);
        }
        if account.open == 0 && account.is_stale {
            state.accounts.remove(&self.owner);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.close(None, false);
    }
}

impl Usage {
    fn bytes_of(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Plain => &mut self.plain_bytes,
            Kind::Encrypted => &mut self.encrypted_bytes,
        }
    }

    /// One more blob.
    fn add(&mut self, bytes: u64, kind: Kind) {
        self.blobs += 1;
        *self.bytes_of(kind) += bytes;
    }

    /// One blob less.
    fn take(&mut self, bytes: u64, kind: Kind) {
        self.blobs = self.blobs.saturating_sub(1);
        let of_kind = self.bytes_of(kind);
        *of_kind = of_kind.saturating_sub(bytes);
    }
}
