//! Whose blobs are.

use super::blobs::one;
use super::columns::{pubkey, signed, unsigned};
use super::failure::{operating, run};
use super::{Blob, Claimed, Index, NewBlob, Released, Result, Usage, bans, changes};
use crate::blob::BlobHash;
use sqlx::{Sqlite, Transaction};
use trellis_relay::event::PublicKey;

type Writing = Transaction<'static, Sqlite>;

impl Index {
    /// Gives a blob an owner, and a row if it has none. The storage must hold it. Ends its change, unless its hash is banned
    /// by now: then it gets no row.
    pub(crate) async fn claim(
        &self,
        new: &NewBlob,
        owner: &PublicKey,
        now_ms: u64,
    ) -> Result<Claimed> {
        run("claim", claim(self.begin(), new, owner, now_ms)).await
    }

    /// Gives a blob that has a row another owner. Nothing where there is no such blob.
    pub(crate) async fn claim_known(
        &self,
        sha256: &BlobHash,
        owner: &PublicKey,
        now_ms: u64,
    ) -> Result<Option<Claimed>> {
        let work = async {
            let mut writing = self.begin().await?;
            let Some(blob) = one(&mut *writing, sha256).await? else {
                return Ok(None);
            };
            let claimed = own(&mut writing, blob, owner, now_ms).await?;
            writing.commit().await?;
            Ok(Some(claimed))
        };
        run("claim", work).await
    }

    /// Takes an owner from a blob, and from one without others its row, unless it is quarantined. A change begins then, which
    /// ends when the storage has removed it.
    pub(crate) async fn release(&self, sha256: &BlobHash, owner: &PublicKey) -> Result<Released> {
        run("release", release(self.begin(), sha256, owner)).await
    }

    /// Takes a blob from all its owners, and its row, if it is still one that `is_wanted` of the blob and its owners. A
    /// change begins, as above. The blob, and who its owners were; nothing where nothing was removed.
    pub(crate) async fn remove(
        &self,
        sha256: &BlobHash,
        is_wanted: impl Fn(&Blob, &[PublicKey]) -> bool,
    ) -> Result<Option<(Blob, Vec<PublicKey>)>> {
        let work = async {
            let mut writing = self.begin().await?;
            let Some(blob) = one(&mut *writing, sha256).await? else {
                return Ok(None);
            };
            let owners: Vec<Vec<u8>> =
                sqlx::query_scalar("SELECT pubkey FROM owners WHERE sha256 = ?1")
                    .bind(sha256.as_bytes().as_slice())
                    .fetch_all(&mut *writing)
                    .await?;
            let owners = owners.into_iter().map(pubkey);
            let owners = owners.collect::<sqlx::Result<Vec<PublicKey>>>()?;
            if !is_wanted(&blob, &owners) {
                return Ok(None);
            }
            remove_row(&mut writing, sha256).await?;
            writing.commit().await?;
            Ok(Some((blob, owners)))
        };
        run("remove", work).await
    }

    /// Whether a key has claimed a blob.
    pub(crate) async fn is_owner(&self, sha256: &BlobHash, owner: &PublicKey) -> Result<bool> {
        let found = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM owners WHERE pubkey = ?1 AND sha256 = ?2)",
        )
        .bind(owner.as_bytes().as_slice())
        .bind(sha256.as_bytes().as_slice())
        .fetch_one(&self.readers);
        found.await.map_err(|error| operating("is_owner", &error))
    }

    /// What a key has claimed.
    pub(crate) async fn usage(&self, owner: &PublicKey) -> Result<Usage> {
        let found: sqlx::Result<(i64, i64, i64)> = sqlx::query_as(
            "SELECT count(*), coalesce(sum(iif(is_encrypted, 0, size_bytes)), 0), \
             coalesce(sum(iif(is_encrypted, size_bytes, 0)), 0) \
             FROM owners JOIN blobs USING (sha256) WHERE pubkey = ?1",
        )
        .bind(owner.as_bytes().as_slice())
        .fetch_one(&self.readers)
        .await;
        let (blobs, plain, encrypted) = found.map_err(|error| operating("usage", &error))?;
        Ok(Usage {
            blobs: unsigned(blobs),
            plain_bytes: unsigned(plain),
            encrypted_bytes: unsigned(encrypted),
        })
    }
}

async fn claim(
    begin: impl Future<Output = sqlx::Result<Writing>>,
    new: &NewBlob,
    owner: &PublicKey,
    now_ms: u64,
) -> sqlx::Result<Claimed> {
    let mut writing = begin.await?;
    changes::end(&mut *writing, &new.sha256).await?;
    if let Some(blob) = one(&mut *writing, &new.sha256).await? {
        let claimed = own(&mut writing, blob, owner, now_ms).await?;
        writing.commit().await?;
        return Ok(claimed);
    }
    if bans::is_hash_banned(&mut *writing, &new.sha256).await? {
        // Nothing is committed, so the change goes on until the storage has removed the bytes.
        return Ok(Claimed::Hidden);
    }
    sqlx::query(
        "INSERT INTO blobs (sha256, size_bytes, mime_type, uploaded_ms, kept_from_ms, is_encrypted, md5, sha1) \
         VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7)",
    )
    .bind(new.sha256.as_bytes().as_slice())
    .bind(signed(new.size_bytes))
    .bind(&new.mime_type)
    .bind(signed(now_ms))
    .bind(new.is_encrypted)
    .bind(new.md5.map(|it| it.to_vec()))
    .bind(new.sha1.map(|it| it.to_vec()))
    .execute(&mut *writing)
    .await?;
    add_owner(&mut writing, &new.sha256, owner, now_ms).await?;
    writing.commit().await?;
    Ok(Claimed::New(Blob {
        sha256: new.sha256,
        size_bytes: new.size_bytes,
        mime_type: new.mime_type.clone(),
        uploaded_ms: now_ms,
        kept_from_ms: now_ms,
        is_encrypted: new.is_encrypted,
        quarantined_for: None,
        banned_for: None,
        md5: new.md5,
        sha1: new.sha1,
    }))
}

/// Another owner for a blob that is there.
async fn own(
    writing: &mut Writing,
    blob: Blob,
    owner: &PublicKey,
    now_ms: u64,
) -> sqlx::Result<Claimed> {
    if blob.is_hidden() {
        return Ok(Claimed::Hidden);
    }
    sqlx::query("UPDATE blobs SET kept_from_ms = max(kept_from_ms, ?2) WHERE sha256 = ?1")
        .bind(blob.sha256.as_bytes().as_slice())
        .bind(signed(now_ms))
        .execute(&mut **writing)
        .await?;
    let is_new_owner = add_owner(writing, &blob.sha256, owner, now_ms).await?;
    Ok(Claimed::Known {
        blob: Blob {
            kept_from_ms: blob.kept_from_ms.max(now_ms),
            ..blob
        },
        is_new_owner,
    })
}

async fn add_owner(
    writing: &mut Writing,
    sha256: &BlobHash,
    owner: &PublicKey,
    now_ms: u64,
) -> sqlx::Result<bool> {
    let added = sqlx::query(
        "INSERT INTO owners (pubkey, sha256, claimed_ms) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )
    .bind(owner.as_bytes().as_slice())
    .bind(sha256.as_bytes().as_slice())
    .bind(signed(now_ms))
    .execute(&mut **writing)
    .await?;
    Ok(added.rows_affected() > 0)
}

async fn release(
    begin: impl Future<Output = sqlx::Result<Writing>>,
    sha256: &BlobHash,
    owner: &PublicKey,
) -> sqlx::Result<Released> {
    let mut writing = begin.await?;
    let gone = sqlx::query("DELETE FROM owners WHERE pubkey = ?1 AND sha256 = ?2")
        .bind(owner.as_bytes().as_slice())
        .bind(sha256.as_bytes().as_slice())
        .execute(&mut *writing)
        .await?;
    let blob = one(&mut *writing, sha256).await?;
    let Some(blob) = blob.filter(|_| gone.rows_affected() > 0) else {
        return Ok(Released::NotOwner);
    };
    let is_owned: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM owners WHERE sha256 = ?1)")
            .bind(sha256.as_bytes().as_slice())
            .fetch_one(&mut *writing)
            .await?;
    let released = match is_owned {
        true => Released::StillOwned(blob),
        false if blob.quarantined_for.is_some() => Released::Kept(blob),
        false => {
            remove_row(&mut writing, sha256).await?;
            Released::Removed(blob)
        }
    };
    writing.commit().await?;
    Ok(released)
}

/// The owners go with it.
async fn remove_row(writing: &mut Writing, sha256: &BlobHash) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM blobs WHERE sha256 = ?1")
        .bind(sha256.as_bytes().as_slice())
        .execute(&mut **writing)
        .await?;
    changes::begin(&mut **writing, sha256).await
}
