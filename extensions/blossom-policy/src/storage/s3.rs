//! Blobs as objects of a store that speaks S3: `<prefix>/<sha256>`.
//!
//! Invariant: an object appears whole or not at all; long ones go in parts, of which few are in memory at a time, whatever
//! the number of uploads. An upload in parts that a crash cut off is ended at the next start: its parts would be paid for, and
//! no list of objects shows them. Nobody waits for a store that is silent for longer than twice `s3.timeout`, nor one after the other.

mod failure;
mod silence;
mod unfinished;

use super::{BlobStore, BlobStream, CHUNK_BYTES, Room, StorageError, blocking};
use crate::blob::BlobHash;
use crate::config;
use crate::spool::Spooled;
use async_trait::async_trait;
use bytes::Bytes;
use failure::{failed, put_failed};
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::SpawnedReqwestConnector;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as Name;
use object_store::{
    Attribute, Attributes, ClientOptions, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, RetryConfig,
};
use silence::Silence;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use unfinished::Unfinished;

/// Blobs as objects.
#[derive(Clone, Debug)]
pub(crate) struct S3 {
    store: Arc<AmazonS3>,
    prefix: Name,
    /// Parts that may be in memory.
    parts: Arc<Semaphore>,
    unfinished: Unfinished,
    silence: Arc<Silence>,
}

/// What is longer goes in parts of this length, or of as much more as the highest number of parts makes necessary.
const PART_BYTES: u64 = 8 << 20;
/// S3 takes 10,000.
const PARTS_MAX: u64 = 9_000;
/// Of one upload.
const PARTS_UNDER_WAY: usize = 2;
/// Connecting may take so long, and no longer than `s3.timeout`.
const CONNECTING: Duration = Duration::from_secs(5);
/// For somebody who wants to know whether there is a store.
const REACHING: Duration = Duration::from_secs(10);

impl S3 {
    /// A store as the operator has described it. `notes` is a folder of its own on this machine, and of `parts` each part has
    /// one while it is in memory; requests are made on `runtime`. Asks nobody yet. Blocks for a moment.
    pub(crate) fn open(
        wanted: &config::S3,
        notes: &Path,
        parts: Arc<Semaphore>,
        runtime: Handle,
    ) -> Result<Self, String> {
        let (store, prefix) = Self::client(wanted, runtime)?;
        let unfinished = Unfinished::open(notes);
        Ok(S3 {
            store: Arc::new(store),
            prefix,
            parts,
            unfinished: unfinished.map_err(|error| format!("path: {notes:?}: {error}"))?,
            silence: Arc::default(),
        })
    }

    /// Whether the store answers and lets us see what is in the bucket; why not.
    pub(crate) async fn reach(wanted: &config::S3, runtime: Handle) -> Result<(), String> {
        let (store, prefix) = Self::client(wanted, runtime)?;
        let mut names = store.list(Some(&prefix));
        match tokio::time::timeout(REACHING, names.next()).await {
            Ok(None | Some(Ok(_))) => Ok(()),
            Ok(Some(Err(error))) => match failed("list", &error) {
                // Of blobs nothing is asked, so what is missing is the bucket.
                StorageError::Missing => Err("there is no such bucket".to_owned()),
                error => Err(error.to_string()),
            },
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    fn client(wanted: &config::S3, runtime: Handle) -> Result<(AmazonS3, Name), String> {
        // The HTTP client takes the provider of the process; another extension may have set the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let reveal = |secret: &Option<trellis_relay::config::Secret>| {
            let secret = secret.as_ref();
            secret.map(|it| it.reveal().to_owned()).unwrap_or_default()
        };
        let patience = wanted.timeout.duration();
        let client = ClientOptions::new()
            .with_connect_timeout(CONNECTING.min(patience))
            // How long it takes altogether is up to the file and to who reads it.
            .with_timeout_disabled()
            .with_read_timeout(patience);
        let retry = RetryConfig {
            max_retries: 3,
            retry_timeout: patience,
            ..RetryConfig::default()
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(wanted.bucket.clone().unwrap_or_default())
            .with_region(&wanted.region)
            .with_access_key_id(reveal(&wanted.access_key_id))
            .with_secret_access_key(reveal(&wanted.secret_access_key))
            .with_virtual_hosted_style_request(!wanted.path_style)
            .with_http_connector(SpawnedReqwestConnector::new(runtime))
            .with_client_options(client)
            .with_retry(retry);
        if let Some(endpoint) = &wanted.endpoint {
            builder = builder
                .with_endpoint(endpoint.trim_end_matches('/'))
                .with_allow_http(endpoint.starts_with("http://"));
        }
        let prefix = Name::parse(wanted.prefix.trim_matches('/'))
            .map_err(|_| format!("s3.prefix: found {:?}, wanted a path", wanted.prefix))?;
        let store = builder
            .build()
            .map_err(|error| format!("s3: the object store cannot be used: {error}"))?;
        Ok((store, prefix))
    }

    /// Ends uploads in parts that a crash cut off. How many these were.
    pub(crate) async fn end_unfinished(&self) -> Result<usize, StorageError> {
        let mut ended = 0;
        for (hash, id) in self.unfinished.all().await? {
            self.abort(&hash, &id).await?;
            ended += 1;
        }
        Ok(ended)
    }

    fn name_of(&self, hash: &BlobHash) -> Name {
        self.prefix.clone().join(hash.to_string())
    }

    async fn put_whole(
        &self,
        spooled: &Spooled,
        attributes: Attributes,
    ) -> Result<(), StorageError> {
        let file = open(spooled)?;
        let bytes = self.part(&file, 0..spooled.size_bytes()).await?;
        let name = self.name_of(&spooled.sha256());
        let put = self
            .store
            .put_opts(&name, bytes, PutOptions::from(attributes));
        self.noted(put.await.map(drop))
    }

    async fn put_parts(
        &self,
        spooled: &Spooled,
        attributes: Attributes,
    ) -> Result<(), StorageError> {
        self.silence.check("put", Instant::now())?;
        let hash = spooled.sha256();
        let name = self.name_of(&hash);
        // There is one note for a blob.
        self.end_noted(&hash).await?;
        let options = PutMultipartOptions::from(attributes);
        let id = self.noted(self.store.create_multipart_opts(&name, options).await)?;
        let put = async {
            self.unfinished.note(&hash, &id).await?;
            let parts = self.send_parts(spooled, &name, &id).await?;
            self.noted(self.store.complete_multipart(&name, &id, parts).await)
        };
        match put.await {
            Ok(_) => self.unfinished.forget(&hash).await,
            // It would not hear of this either, and somebody waits. The note stays, for whoever deletes or sends it anew.
            Err(error @ StorageError::NoAnswer { .. }) => Err(error),
            Err(error) => {
                if let Err(error) = self.abort(&hash, &id).await {
                    tracing::warn!("parts of an upload stay in the object store: {error}");
                }
                Err(error)
            }
        }
    }

    async fn send_parts(
        &self,
        spooled: &Spooled,
        name: &Name,
        id: &String,
    ) -> Result<Vec<PartId>, StorageError> {
        let file = &open(spooled)?;
        let ranges = part_ranges(spooled.size_bytes());
        let sending = stream::iter(ranges.enumerate()).map(async |(at, range)| {
            let place = self.place().await?;
            let part = self.part(file, range).await?;
            let sent = self.store.put_part(name, id, at, part).await;
            // Before the place is free: whoever gets it next asks whether the store is silent.
            let sent = self.noted(sent);
            drop(place);
            sent
        });
        sending.buffered(PARTS_UNDER_WAY).try_collect().await
    }

    /// A place for a part in memory, unless whoever had it before has waited for the store in vain.
    async fn place(&self) -> Result<SemaphorePermit<'_>, StorageError> {
        let begun = Instant::now();
        let place = self.parts.acquire().await;
        self.silence.check("put", begun)?;
        place.map_err(|error| StorageError::of_disk("put", io::Error::other(error)))
    }

    /// What came of storing something, which tells whether the store is silent.
    fn noted<T>(&self, done: Result<T, Error>) -> Result<T, StorageError> {
        let done = done.map_err(|error| put_failed(&error));
        self.silence.note(&done);
        done
    }

    /// A part of a file, in memory.
    async fn part(&self, file: &Arc<File>, range: Range<u64>) -> Result<PutPayload, StorageError> {
        let file = file.clone();
        let read = blocking("put", move || {
            let bytes = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
            let mut part = vec![0; bytes];
            file.read_exact_at(&mut part, range.start)?;
            Ok(Bytes::from(part))
        });
        read.await.map(PutPayload::from)
    }

    /// Ends the upload in parts that is noted of a blob, if there is one. A store that refuses that is no reason not to
    /// store or delete the blob.
    async fn end_noted(&self, hash: &BlobHash) -> Result<(), StorageError> {
        let Some(id) = self.unfinished.of(hash).await? else {
            return Ok(());
        };
        match self.abort(hash, &id).await {
            Err(error @ StorageError::NoAnswer { .. }) => Err(error),
            Err(error) => {
                tracing::warn!("parts of an upload stay in the object store: {error}");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Ends an upload in parts. One that is not there any more is fine.
    async fn abort(&self, hash: &BlobHash, id: &String) -> Result<(), StorageError> {
        match self.store.abort_multipart(&self.name_of(hash), id).await {
            Ok(()) | Err(Error::NotFound { .. }) => self.unfinished.forget(hash).await,
            Err(error) => Err(failed("abort", &error)),
        }
    }
}

#[async_trait]
impl BlobStore for S3 {
    async fn put(&self, spooled: &Spooled, mime_type: &str) -> Result<(), StorageError> {
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, mime_type.to_owned().into());
        if spooled.size_bytes() > PART_BYTES {
            return self.put_parts(spooled, attributes).await;
        }
        let _place = self.place().await?;
        self.put_whole(spooled, attributes).await
    }

    async fn get(
        &self,
        hash: &BlobHash,
        range: Range<u64>,
        size_bytes: u64,
    ) -> Result<BlobStream, StorageError> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(range.clone())),
            ..GetOptions::default()
        };
        let found = self.store.get_opts(&self.name_of(hash), options).await;
        let found = found.map_err(|error| failed("get", &error))?;
        if found.range != range || found.meta.size != size_bytes {
            return Err(StorageError::Corrupt(
                "an object has another length than its blob",
            ));
        }
        let chunks = found.into_stream().map(|chunk| match chunk {
            Ok(chunk) => stream::iter(in_chunks(chunk).map(Ok)).left_stream(),
            Err(error) => {
                let error = Err(failed("get", &error));
                stream::once(std::future::ready(error)).right_stream()
            }
        });
        Ok(Box::pin(chunks.flatten()))
    }

    async fn delete(&self, hash: &BlobHash) -> Result<(), StorageError> {
        self.end_noted(hash).await?;
        match self.store.delete(&self.name_of(hash)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete", &error)),
        }
    }

    async fn size(&self, hash: &BlobHash) -> Result<Option<u64>, StorageError> {
        self.silence.check("size", Instant::now())?;
        let found = match self.store.head(&self.name_of(hash)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("size", &error)),
        };
        self.silence.note(&found);
        found
    }

    async fn list(
        &self,
        after: Option<BlobHash>,
        max: usize,
    ) -> Result<Vec<BlobHash>, StorageError> {
        let prefix = (!self.prefix.is_root()).then_some(&self.prefix);
        let found = match after {
            None => self.store.list(prefix),
            Some(after) => self.store.list_with_offset(prefix, &self.name_of(&after)),
        };
        let hashes = found.try_filter_map(async |object| {
            let name = object.location.filename().unwrap_or_default();
            let hash: Option<BlobHash> = name.parse().ok();
            Ok(hash.filter(|hash| self.name_of(hash) == object.location))
        });
        let hashes: Result<Vec<BlobHash>, Error> = hashes.take(max).try_collect().await;
        hashes.map_err(|error| failed("list", &error))
    }

    async fn room(&self) -> Option<Room> {
        None
    }

    async fn check(&self) -> Result<(), StorageError> {
        match self.list(None, 1).await {
            // Of blobs nothing is asked, so what is missing is the bucket.
            Err(StorageError::Missing) => Err(StorageError::Remote {
                operation: "check",
                what: "there is no such bucket".to_owned(),
            }),
            result => result.map(drop),
        }
    }
}

fn open(spooled: &Spooled) -> Result<Arc<File>, StorageError> {
    let file = spooled.file().try_clone();
    file.map(Arc::new)
        .map_err(|error| StorageError::of_disk("put", error))
}

/// The parts of a file of this length.
fn part_ranges(size_bytes: u64) -> impl Iterator<Item = Range<u64>> {
    let part_bytes = PART_BYTES.max(size_bytes.div_ceil(PARTS_MAX));
    let starts = (0..size_bytes.div_ceil(part_bytes)).map(move |at| at * part_bytes);
    starts.map(move |start| start..size_bytes.min(start + part_bytes))
}

/// What has come, in pieces that are not too long.
fn in_chunks(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let chunk = bytes.split_to(bytes.len().min(CHUNK_BYTES));
        (!chunk.is_empty()).then_some(chunk)
    })
}

#[cfg(test)]
mod tests;
