//! The blobs that are held: bytes in the storage, rows in the index, and what they are charged to, together.
//!
//! Invariant: a row tells of a blob that the storage has durably; a blob without a row is on its way, and the index names it
//! among its changes. Whatever changes a blob has its turn. Each change goes on to its end once it has begun, even where
//! whoever wanted it is gone.

#[cfg(test)]
mod tests;

use crate::blob::BlobHash;
use crate::index::{Blob, Claimed, Index, IndexError, NewBlob, Released};
use crate::place::Place;
use crate::quota::{Charge, Given, Kind, Limits, Quota, QuotaError, Reservation};
use crate::spool::Spooled;
use crate::storage::{BlobStore, BlobStream, Room, StorageError};
use std::ops::Range;
use std::sync::Arc;
use trellis_relay::event::PublicKey;

/// The blobs that are held. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Holdings {
    place: Arc<Place>,
    storage: Arc<dyn BlobStore>,
    quota: Quota,
}

/// What was decided about a file that has come in.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// Its type.
    pub(crate) mime_type: String,
    /// Nobody here can look into it.
    pub(crate) is_encrypted: bool,
}

/// Why a blob is not held, or not let go.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HoldingsError {
    /// It is there or was about to be, and is shown to nobody.
    #[error("the blob is quarantined or banned")]
    Hidden,
    #[error(transparent)]
    Quota(#[from] QuotaError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Index(#[from] IndexError),
    /// It was cut off at its end.
    #[error("the change was cut off")]
    CutOff,
}

type Result<T> = std::result::Result<T, HoldingsError>;

impl Holdings {
    /// What is held in a place, with its bytes in this storage.
    pub(crate) fn new(place: Arc<Place>, storage: Arc<dyn BlobStore>, limits: Limits) -> Self {
        Holdings {
            quota: Quota::new(limits, place.ledger.clone()),
            place,
            storage,
        }
    }

    /// What is known of blobs. Rows of blobs are changed by way of the holdings alone.
    pub(crate) fn index(&self) -> &Index {
        &self.place.index
    }

    /// How much may be stored, and is.
    pub(crate) fn quota(&self) -> &Quota {
        &self.quota
    }

    /// The storage, to be asked how it is.
    pub(crate) fn storage(&self) -> &Arc<dyn BlobStore> {
        &self.storage
    }

    /// The room of the disk on which files come in, which is the storage's where that is this machine's.
    pub(crate) async fn room(&self) -> Option<Room> {
        self.place.room().await
    }

    /// Reserves room for one more blob of a key.
    pub(crate) async fn reserve(
        &self,
        owner: &PublicKey,
        bytes: u64,
        kind: Kind,
    ) -> std::result::Result<Reservation, QuotaError> {
        let room = self.room().await;
        self.quota.reserve(owner, bytes, kind, room).await
    }

    /// A part of a blob, which lies within it.
    pub(crate) async fn read(&self, blob: &Blob, range: Range<u64>) -> Result<BlobStream> {
        if range.is_empty() {
            return Ok(Box::pin(futures_util::stream::empty()));
        }
        Ok(self
            .storage
            .get(&blob.sha256, range, blob.size_bytes)
            .await?)
    }

    /// Whether a blob can be read, as far as the storage tells without giving it; fails as [`Holdings::read`] does.
    pub(crate) async fn look_for(&self, blob: &Blob) -> Result<()> {
        let found_bytes = self.storage.size(&blob.sha256).await?;
        let found_bytes = found_bytes.ok_or(StorageError::Missing)?;
        match found_bytes == blob.size_bytes {
            true => Ok(()),
            false => Err(StorageError::Corrupt("a blob has another length than it had").into()),
        }
    }

    /// Stores what has come in, for whom there is a reservation. Durable when it returns. Never [`Claimed::Hidden`].
    pub(crate) async fn add(
        &self,
        spooled: Spooled,
        verdict: Verdict,
        reservation: Reservation,
        now_ms: u64,
    ) -> Result<Claimed> {
        let me = self.clone();
        let change = async move { me.add_now(spooled, verdict, reservation, now_ms).await };
        to_its_end(change).await
    }

    /// Gives a key a claim to a blob that is held. Nothing where it is not.
    #[cfg(test)]
    pub(crate) async fn own(
        &self,
        sha256: BlobHash,
        reservation: Reservation,
        now_ms: u64,
    ) -> Result<Option<Claimed>> {
        let me = self.clone();
        let change = async move {
            let _turn = me.place.turns.take(&sha256).await;
            match me.index().blob(&sha256).await? {
                None => Ok(None),
                Some(blob) => me.own_now(&blob, reservation, now_ms).await.map(Some),
            }
        };
        to_its_end(change).await
    }

    /// Takes a key's claim to a blob away; with the last one the blob goes, unless it is quarantined.
    pub(crate) async fn release(&self, sha256: BlobHash, owner: PublicKey) -> Result<Released> {
        let me = self.clone();
        to_its_end(async move { me.release_now(&sha256, &owner).await }).await
    }

    /// Removes a blob, whoever has claims to it. What it was; nothing where there was none.
    pub(crate) async fn remove(&self, sha256: BlobHash) -> Result<Option<Blob>> {
        self.remove_if(sha256, |_, _| true).await
    }

    /// The same if nobody has claimed it since, and it is not quarantined.
    pub(crate) async fn remove_expired(
        &self,
        sha256: BlobHash,
        before_ms: u64,
    ) -> Result<Option<Blob>> {
        let is_over = move |blob: &Blob, _: &[PublicKey]| {
            blob.kept_from_ms < before_ms && blob.quarantined_for.is_none()
        };
        self.remove_if(sha256, is_over).await
    }

    /// The same if all of its owners have given it up while it was quarantined, which it is no more.
    pub(crate) async fn remove_given_up(&self, sha256: BlobHash) -> Result<Option<Blob>> {
        let is_given_up =
            |blob: &Blob, owners: &[PublicKey]| owners.is_empty() && blob.quarantined_for.is_none();
        self.remove_if(sha256, is_given_up).await
    }

    /// Whether the index knows a blob that the storage does not have; with `forget`, its row goes. Nothing else changes it
    /// meanwhile.
    pub(crate) async fn is_missing(&self, sha256: BlobHash, forget: bool) -> Result<bool> {
        let me = self.clone();
        let change = async move {
            let _turn = me.place.turns.take(&sha256).await;
            let is_missing = me.index().blob(&sha256).await?.is_some()
                && me.storage.size(&sha256).await?.is_none();
            if is_missing && forget {
                me.remove_now(&sha256, |_, _| true).await?;
            }
            Ok(is_missing)
        };
        to_its_end(change).await
    }

    async fn remove_if(
        &self,
        sha256: BlobHash,
        is_wanted: impl Fn(&Blob, &[PublicKey]) -> bool + Send + Sync + 'static,
    ) -> Result<Option<Blob>> {
        let me = self.clone();
        let change = async move {
            let _turn = me.place.turns.take(&sha256).await;
            me.remove_now(&sha256, is_wanted).await
        };
        to_its_end(change).await
    }

    /// Brings the storage to what the index says of a blob whose change was interrupted. Whether a blob was removed.
    pub(crate) async fn set_right(&self, sha256: BlobHash) -> Result<bool> {
        let me = self.clone();
        let change = async move {
            let _turn = me.place.turns.take(&sha256).await;
            me.set_right_now(&sha256).await
        };
        to_its_end(change).await
    }

    /// The same unless the change is under way.
    pub(crate) async fn set_right_if_idle(&self, sha256: BlobHash) -> Result<bool> {
        let me = self.clone();
        let change = async move {
            match me.place.turns.try_take(&sha256) {
                Some(_turn) => me.set_right_now(&sha256).await,
                None => Ok(false),
            }
        };
        to_its_end(change).await
    }

    /// Whether the storage has a blob that the index does not know. Nothing else changes it meanwhile.
    pub(crate) async fn is_stray(&self, sha256: BlobHash) -> Result<bool> {
        let _turn = self.place.turns.take(&sha256).await;
        Ok(self.index().blob(&sha256).await?.is_none()
            && self.storage.size(&sha256).await?.is_some())
    }

    async fn add_now(
        &self,
        spooled: Spooled,
        verdict: Verdict,
        mut reservation: Reservation,
        now_ms: u64,
    ) -> Result<Claimed> {
        let sha256 = spooled.sha256();
        let _turn = self.place.turns.take(&sha256).await;
        if let Some(blob) = self.index().blob(&sha256).await? {
            // Where the storage has lost it or has something else in its place, this is how it comes back.
            let size_bytes = self.storage.size(&sha256).await?;
            if !blob.is_hidden() && size_bytes != Some(blob.size_bytes) {
                self.storage.put(&spooled, &blob.mime_type).await?;
            }
            return self.own_now(&blob, reservation, now_ms).await;
        }
        let kind = Kind::of(verdict.is_encrypted);
        reservation.fit(spooled.size_bytes(), kind, None)?;
        self.index().begin_change(&sha256).await?;
        if let Err(error) = self.storage.put(&spooled, &verdict.mime_type).await {
            // A server that is silent would not hear of this either, and somebody waits: it is done by and by.
            if !matches!(error, StorageError::NoAnswer { .. }) {
                self.set_right_if_possible(&sha256).await;
            }
            return Err(error.into());
        }
        let new = NewBlob {
            sha256,
            size_bytes: spooled.size_bytes(),
            mime_type: verdict.mime_type,
            is_encrypted: verdict.is_encrypted,
            md5: spooled.md5(),
            sha1: spooled.sha1(),
        };
        match self.index().claim(&new, reservation.owner(), now_ms).await {
            // It was banned while it came in.
            Ok(Claimed::Hidden) => {
                self.set_right_if_possible(&sha256).await;
                Err(HoldingsError::Hidden)
            }
            Ok(claimed) => {
                reservation.settle(charge(&claimed));
                Ok(claimed)
            }
            Err(error) => {
                reservation.settle_unsure();
                self.set_right_if_possible(&sha256).await;
                Err(error.into())
            }
        }
    }

    /// Gives a claim to a blob that has a row. Its turn is held.
    async fn own_now(
        &self,
        blob: &Blob,
        mut reservation: Reservation,
        now_ms: u64,
    ) -> Result<Claimed> {
        if blob.is_hidden() {
            return Err(HoldingsError::Hidden);
        }
        let owner = *reservation.owner();
        if !self.index().is_owner(&blob.sha256, &owner).await? {
            reservation.fit(blob.size_bytes, Kind::of(blob.is_encrypted), None)?;
        }
        let claimed = self.index().claim_known(&blob.sha256, &owner, now_ms).await;
        match claimed {
            Ok(Some(Claimed::Hidden)) => Err(HoldingsError::Hidden),
            Ok(Some(claimed)) => {
                reservation.settle(charge(&claimed));
                Ok(claimed)
            }
            // Nobody takes a row away whose turn is held.
            Ok(None) => Err(HoldingsError::CutOff),
            Err(error) => {
                reservation.settle_unsure();
                Err(error.into())
            }
        }
    }

    async fn release_now(&self, sha256: &BlobHash, owner: &PublicKey) -> Result<Released> {
        let _turn = self.place.turns.take(sha256).await;
        let take = async {
            let released = self.index().release(sha256, owner).await?;
            let (blob, is_gone) = match &released {
                Released::Removed(blob) => (blob, true),
                Released::StillOwned(blob) | Released::Kept(blob) => (blob, false),
                Released::NotOwner => return Ok((released, None)),
            };
            let given = Given::of(blob, vec![*owner], is_gone);
            Ok((released, Some(given)))
        };
        let released = self.place.ledger.take_away(take).await?;
        if matches!(released, Released::Removed(_)) {
            self.finish_removal_if_possible(sha256).await;
        }
        Ok(released)
    }

    /// Removes a blob that is as it is wanted. Its turn is held.
    async fn remove_now(
        &self,
        sha256: &BlobHash,
        is_wanted: impl Fn(&Blob, &[PublicKey]) -> bool,
    ) -> Result<Option<Blob>> {
        let take = async {
            Ok(match self.index().remove(sha256, is_wanted).await? {
                None => (None, None),
                Some((blob, owners)) => {
                    let given = Given::of(&blob, owners, true);
                    (Some(blob), Some(given))
                }
            })
        };
        let removed = self.place.ledger.take_away(take).await?;
        if removed.is_some() {
            self.finish_removal_if_possible(sha256).await;
        }
        Ok(removed)
    }

    /// Removes the bytes of a blob whose row is gone. Its turn is held.
    async fn finish_removal(&self, sha256: &BlobHash) -> Result<()> {
        self.storage.delete(sha256).await?;
        Ok(self.index().end_change(sha256).await?)
    }

    /// The same, of a blob that nobody has any more whatever the storage says: what fails is tried again by and by.
    async fn finish_removal_if_possible(&self, sha256: &BlobHash) {
        if let Err(error) = self.finish_removal(sha256).await {
            tracing::warn!("the bytes of a removed blob are still there: {error}");
        }
    }

    async fn set_right_now(&self, sha256: &BlobHash) -> Result<bool> {
        let is_held = self.index().blob(sha256).await?.is_some();
        match is_held {
            true => self.index().end_change(sha256).await?,
            false => self.finish_removal(sha256).await?,
        }
        Ok(!is_held)
    }

    /// The same where it failed already once: what fails again is tried again by and by.
    async fn set_right_if_possible(&self, sha256: &BlobHash) {
        if let Err(error) = self.set_right_now(sha256).await {
            tracing::warn!("what is left of an upload is still there: {error}");
        }
    }
}

/// Goes on even if whoever waits for it goes away.
pub(crate) async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let done = tokio::spawn(change).await;
    done.unwrap_or(Err(HoldingsError::CutOff))
}

/// What a claim costs.
fn charge(claimed: &Claimed) -> Charge {
    match claimed {
        Claimed::New(_) => Charge {
            is_new_to_owner: true,
            is_new: true,
        },
        Claimed::Known { is_new_owner, .. } => Charge {
            is_new_to_owner: *is_new_owner,
            is_new: false,
        },
        Claimed::Hidden => Charge {
            is_new_to_owner: false,
            is_new: false,
        },
    }
}

impl Given {
    fn of(blob: &Blob, owners: Vec<PublicKey>, is_gone: bool) -> Self {
        Given {
            owners,
            bytes: blob.size_bytes,
            kind: Kind::of(blob.is_encrypted),
            is_gone,
        }
    }
}
