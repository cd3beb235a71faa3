//! What a bucket is asked, whoever keeps it.
//!
//! Invariant: every request is answered or given up within [`PATIENCE`], however much there is to read or to write: what
//! is longer than a part goes and comes in parts. Requests are made on a small runtime of this place's own.

use super::Object;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path as Name;
use object_store::{
    Error, GetResult, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions,
    PutPayload,
};
use std::fs::File;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Longest time of one request with all its tries.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Objects that are read at a time.
const READ_AT_ONCE: usize = 16;
/// A longer object goes and comes in parts of this length.
pub(super) const PART_BYTES: usize = 16 << 20;

type Result<T> = std::result::Result<T, Error>;

/// A bucket, or what is in it below a prefix.
pub(super) struct Bucket {
    store: Arc<dyn ObjectStore>,
    runtime: Runtime,
}

impl Bucket {
    pub(super) fn new(store: Arc<dyn ObjectStore>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("backup-io")
            .enable_all()
            .build()?;
        Ok(Bucket { store, runtime })
    }

    fn wait<T>(&self, asked: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime.block_on(async { patiently(asked).await })
    }

    /// Whether it was written: without `replaces` only where there is none.
    pub(super) fn put(&self, name: &str, bytes: Bytes, replaces: bool) -> Result<bool> {
        let mode = match replaces {
            true => PutMode::Overwrite,
            false => PutMode::Create,
        };
        let (object, options) = (Name::from(name), PutOptions::from(mode));
        let payload = PutPayload::from(bytes);
        match self.wait(self.store.put_opts(&object, payload, options)) {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes a file of that length.
    pub(super) fn put_from(&self, name: &str, reader: &mut File, bytes: u64) -> Result<()> {
        if bytes <= PART_BYTES as u64 {
            let mut whole = Vec::new();
            reader.read_to_end(&mut whole).map_err(unread)?;
            return self.put(name, whole.into(), true).map(drop);
        }
        let object = Name::from(name);
        let begun = self.store.put_multipart_opts(&object, Default::default());
        let mut upload = self.wait(begun)?;
        let sent = self.send_parts(&mut *upload, reader);
        if sent.is_err() {
            // Its parts would be paid for. Where this fails too, the bucket's own rules see to them.
            let _ = self.wait(upload.abort());
        }
        sent
    }

    fn send_parts(&self, upload: &mut dyn MultipartUpload, reader: &mut File) -> Result<()> {
        loop {
            let mut part = Vec::new();
            let read = reader.take(PART_BYTES as u64).read_to_end(&mut part);
            read.map_err(unread)?;
            if part.is_empty() {
                return self.wait(upload.complete()).map(drop);
            }
            self.wait(upload.put_part(PutPayload::from(part)))?;
        }
    }

    /// An object, to be read part after part, if there is one.
    pub(super) fn open(&self, name: &str) -> Result<Option<Parts<'_>>> {
        self.runtime.block_on(Parts::of(&*self.store, name))
    }

    /// `None` at the end.
    pub(super) fn next_part(&self, parts: &mut Parts<'_>) -> Result<Option<Bytes>> {
        self.runtime.block_on(parts.next_part())
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<Bytes>> {
        self.runtime.block_on(read(&*self.store, name))
    }

    /// The first that fails is named.
    pub(super) fn get_all(
        &self,
        names: &[String],
    ) -> std::result::Result<Vec<Option<Bytes>>, (String, Error)> {
        let reads = names.iter().map(|name| async move {
            let read = read(&*self.store, name).await;
            read.map_err(|error| (name.clone(), error))
        });
        let reads = stream::iter(reads).buffered(READ_AT_ONCE);
        self.runtime.block_on(reads.try_collect())
    }

    pub(super) fn size(&self, name: &str) -> Result<Option<u64>> {
        match self.wait(self.store.head(&Name::from(name))) {
            Ok(found) => Ok(Some(found.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn list(&self, folder: &str, after: Option<&str>) -> Result<Vec<Object>> {
        let prefix = Name::from(folder);
        let listed = match after {
            Some(after) => self
                .store
                .list_with_offset(Some(&prefix), &Name::from(after)),
            None => self.store.list(Some(&prefix)),
        };
        let listed = listed.map_ok(|found| Object {
            name: found.location.to_string(),
            bytes: found.size,
        });
        // As long as it has to be: each page of it is bounded by the client's own patience.
        self.runtime.block_on(listed.try_collect())
    }

    pub(super) fn folders(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = Name::from(folder);
        let listed = self.wait(self.store.list_with_delimiter(Some(&prefix)))?;
        let folders = listed.common_prefixes.iter();
        Ok(folders
            .filter_map(|path| path.filename().map(str::to_owned))
            .collect())
    }

    pub(super) fn delete(&self, names: Vec<String>) -> Result<()> {
        let names = stream::iter(names.into_iter().map(|name| Ok(Name::from(name))));
        let deleted = self.store.delete_stream(names.boxed());
        let deleted = deleted.filter_map(|deleted| async {
            match deleted {
                Ok(_) | Err(Error::NotFound { .. }) => None,
                Err(error) => Some(error),
            }
        });
        let errors: Vec<Error> = self.runtime.block_on(deleted.collect());
        errors.into_iter().next().map_or(Ok(()), Err)
    }
}

/// An object that is read part after part.
pub(super) struct Parts<'s> {
    store: &'s dyn ObjectStore,
    name: Name,
    /// All of it, which nobody has read yet.
    whole: Option<GetResult>,
    bytes: u64,
    from: u64,
}

impl<'s> Parts<'s> {
    async fn of(store: &'s dyn ObjectStore, name: &str) -> Result<Option<Self>> {
        let name = Name::from(name);
        match patiently(store.get(&name)).await {
            Ok(whole) => Ok(Some(Parts {
                store,
                name,
                bytes: whole.meta.size,
                whole: Some(whole),
                from: 0,
            })),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn next_part(&mut self) -> Result<Option<Bytes>> {
        let end = self.bytes.min(self.from + PART_BYTES as u64);
        if self.from == end {
            return Ok(None);
        }
        let part = match self.whole.take().filter(|_| self.bytes == end) {
            Some(whole) => patiently(whole.bytes()).await?,
            None => patiently(self.store.get_range(&self.name, self.from..end)).await?,
        };
        if part.len() as u64 != end - self.from {
            return Err(failure("it changed while it was read".into()));
        }
        self.from = end;
        Ok(Some(part))
    }
}

async fn read(store: &dyn ObjectStore, name: &str) -> Result<Option<Bytes>> {
    let Some(mut parts) = Parts::of(store, name).await? else {
        return Ok(None);
    };
    let Some(first) = parts.next_part().await? else {
        return Ok(Some(Bytes::new()));
    };
    if parts.from == parts.bytes {
        return Ok(Some(first));
    }
    let mut whole = Vec::from(first);
    while let Some(part) = parts.next_part().await? {
        whole.extend_from_slice(&part);
    }
    Ok(Some(whole.into()))
}

async fn patiently<T>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    let answer = tokio::time::timeout(PATIENCE, asked).await;
    answer.unwrap_or_else(|_| {
        let problem = format!("no answer within {} s", PATIENCE.as_secs());
        Err(failure(problem.into()))
    })
}

fn unread(error: io::Error) -> Error {
    failure(error.into())
}

fn failure(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Generic {
        store: "backup",
        source,
    }
}
