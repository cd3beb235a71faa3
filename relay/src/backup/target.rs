//! The place where copies go: a directory, a bucket of S3 or of Google Cloud Storage. The crate `object_store` is named in
//! this file alone.
//!
//! Invariant: an object appears whole or not at all. Calls block, each for a bounded time, and belong on a thread that may;
//! requests are made on a small runtime of this place's own.

use super::directory::Directory;
use crate::config::Place;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::aws::AmazonS3Builder;
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::path::Path as Name;
use object_store::prefix::PrefixStore;
use object_store::{
    ClientOptions, Error, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions,
    PutPayload, RetryConfig, StaticCredentialProvider,
};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// A place for objects by name, `/` between the parts of one.
pub struct Target {
    kind: Kind,
    url: String,
}

enum Kind {
    Directory(Directory),
    Bucket {
        store: Arc<dyn ObjectStore>,
        runtime: Runtime,
    },
}

/// An object that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// What is wrong with the place.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The value of `backup.url` cannot be used.
    #[error("backup.url {url:?} cannot be used")]
    Open {
        /// As configured.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Asking failed.
    #[error("cannot {what} {name:?} in the backup's place")]
    Ask {
        /// What was asked.
        what: &'static str,
        /// Of which object.
        name: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Longest time of one request with all its tries.
const PATIENCE: Duration = Duration::from_secs(60);
/// Objects that are read at a time.
const READ_AT_ONCE: usize = 16;
/// A longer file goes in parts of this length.
const PART_BYTES: usize = 16 << 20;

impl Target {
    /// The place that `backup.url` names. A bucket is not asked yet; a directory is made where it is missing.
    pub fn open(url: &str) -> Result<Self, TargetError> {
        let kind = match Place::parse(url) {
            Some(Place::Directory(path)) => Directory::open(path)
                .map(Kind::Directory)
                .map_err(|error| error.into()),
            Some(place) => open_bucket(place),
            None => Err("it is no place".into()),
        };
        Ok(Target {
            kind: kind.map_err(|source| TargetError::Open {
                url: url.to_owned(),
                source,
            })?,
            url: url.to_owned(),
        })
    }

    /// As configured.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Writes an object, in the place of one that is there.
    pub fn put(&self, name: &str, bytes: impl Into<Bytes>) -> Result<(), TargetError> {
        self.put_by(name, bytes.into(), true).map(drop)
    }

    /// Writes an object unless there is one; says whether it did.
    pub fn put_new(&self, name: &str, bytes: impl Into<Bytes>) -> Result<bool, TargetError> {
        self.put_by(name, bytes.into(), false)
    }

    fn put_by(&self, name: &str, bytes: Bytes, replaces: bool) -> Result<bool, TargetError> {
        let (store, runtime) = match &self.kind {
            Kind::Directory(directory) => {
                let put = directory.put(name, &bytes, replaces);
                return put.map_err(|error| failed(error, "write", name));
            }
            Kind::Bucket { store, runtime } => (store, runtime),
        };
        let mode = match replaces {
            true => PutMode::Overwrite,
            false => PutMode::Create,
        };
        let object = Name::from(name);
        let put = store.put_opts(&object, PutPayload::from(bytes), PutOptions::from(mode));
        match wait(runtime, put) {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(failed(error, "write", name)),
        }
    }

    /// Writes a file as an object, in the place of one that is there; a long one in parts, so that little of it is in
    /// memory.
    pub fn put_file(&self, name: &str, file: &Path) -> Result<u64, TargetError> {
        let unread = |error: io::Error| failed(error, "read a file for", name);
        let bytes = file.metadata().map_err(unread)?.len();
        if bytes <= PART_BYTES as u64 {
            let whole = std::fs::read(file).map_err(unread)?;
            return self.put(name, whole).map(|()| bytes);
        }
        let mut reader = File::open(file).map_err(unread)?;
        match &self.kind {
            Kind::Directory(directory) => {
                let put = directory.put_from(name, &mut reader);
                put.map_err(|error| failed(error, "write", name))?;
            }
            Kind::Bucket { store, runtime } => {
                let object = Name::from(name);
                let unwritten = |error| failed(error, "write", name);
                let begun = wait(
                    runtime,
                    store.put_multipart_opts(&object, Default::default()),
                );
                let mut upload = begun.map_err(unwritten)?;
                let sent = send_parts(runtime, &mut *upload, &mut reader);
                if let Err(error) = sent {
                    // Its parts would be paid for. Where this fails too, the bucket's own rules see to them.
                    let _ = wait(runtime, upload.abort());
                    return Err(unwritten(error));
                }
            }
        }
        Ok(bytes)
    }

    /// Writes an object to a new file, if there is one, and says whether there was.
    pub fn get_file(&self, name: &str, file: &Path) -> Result<bool, TargetError> {
        let unwritten = |error: io::Error| failed(error, "write a file from", name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        match &self.kind {
            Kind::Directory(directory) => {
                let read = directory.open_file(name);
                let Some(mut from) = read.map_err(|error| failed(error, "read", name))? else {
                    return Ok(false);
                };
                let mut to = options.open(file).map_err(unwritten)?;
                io::copy(&mut from, &mut to).map_err(unwritten)?;
                to.sync_all().map_err(unwritten)?;
            }
            Kind::Bucket { store, runtime } => {
                let unread = |error| failed(error, "read", name);
                let found = match wait(runtime, store.get(&Name::from(name))) {
                    Ok(found) => found,
                    Err(Error::NotFound { .. }) => return Ok(false),
                    Err(error) => return Err(unread(error)),
                };
                let mut to = options.open(file).map_err(unwritten)?;
                let mut pieces = found.into_stream();
                while let Some(piece) =
                    wait(runtime, async { pieces.try_next().await }).map_err(unread)?
                {
                    to.write_all(&piece).map_err(unwritten)?;
                }
                to.sync_all().map_err(unwritten)?;
            }
        }
        Ok(true)
    }

    /// The bytes of an object, if there is one.
    pub fn get(&self, name: &str) -> Result<Option<Bytes>, TargetError> {
        match &self.kind {
            Kind::Directory(directory) => {
                let read = directory.get(name);
                let read = read.map_err(|error| failed(error, "read", name))?;
                Ok(read.map(Bytes::from))
            }
            Kind::Bucket { store, runtime } => {
                let read = wait(runtime, read(&**store, name));
                read.map_err(|error| failed(error, "read", name))
            }
        }
    }

    /// The bytes of many objects, in their order; from a bucket some at a time.
    pub fn get_all(&self, names: &[String]) -> Result<Vec<Option<Bytes>>, TargetError> {
        let Kind::Bucket { store, runtime } = &self.kind else {
            return names.iter().map(|name| self.get(name)).collect();
        };
        let reads = names.iter().map(|name| async move {
            let read = tokio::time::timeout(PATIENCE, read(&**store, name)).await;
            let read = read.unwrap_or_else(|_| Err(late()));
            read.map_err(|error| failed(error, "read", name))
        });
        let reads = stream::iter(reads).buffered(READ_AT_ONCE);
        runtime.block_on(reads.try_collect())
    }

    /// The size of an object, if there is one.
    pub fn size(&self, name: &str) -> Result<Option<u64>, TargetError> {
        let (store, runtime) = match &self.kind {
            Kind::Directory(directory) => {
                let size = directory.size(name);
                return size.map_err(|error| failed(error, "look for", name));
            }
            Kind::Bucket { store, runtime } => (store, runtime),
        };
        match wait(runtime, store.head(&Name::from(name))) {
            Ok(found) => Ok(Some(found.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error, "look for", name)),
        }
    }

    /// Objects whose names begin with `folder` and come after `after`, in the order of names.
    pub fn list(&self, folder: &str, after: Option<&str>) -> Result<Vec<Object>, TargetError> {
        let mut objects = match &self.kind {
            Kind::Directory(directory) => {
                let listed = directory.list(folder);
                let listed = listed.map_err(|error| failed(error, "list what is in", folder))?;
                let wanted = |object: &Object| after.is_none_or(|after| *object.name > *after);
                listed.into_iter().filter(wanted).collect()
            }
            Kind::Bucket { store, runtime } => {
                let prefix = Name::from(folder);
                let listed = match after {
                    Some(after) => store.list_with_offset(Some(&prefix), &Name::from(after)),
                    None => store.list(Some(&prefix)),
                };
                let listed = listed.map_ok(|found| Object {
                    name: found.location.to_string(),
                    bytes: found.size,
                });
                // As long as it has to be: each page of it is bounded by the client's own patience.
                let listed: Result<Vec<Object>, Error> = runtime.block_on(listed.try_collect());
                listed.map_err(|error| failed(error, "list what is in", folder))?
            }
        };
        objects.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(objects)
    }

    /// Folders right below a folder, by their last names, in order.
    pub fn folders(&self, folder: &str) -> Result<Vec<String>, TargetError> {
        let mut names: Vec<String> = match &self.kind {
            Kind::Directory(directory) => {
                let listed = directory.folders(folder);
                listed.map_err(|error| failed(error, "list what is in", folder))?
            }
            Kind::Bucket { store, runtime } => {
                let prefix = Name::from(folder);
                let listed = wait(runtime, store.list_with_delimiter(Some(&prefix)));
                let listed = listed.map_err(|error| failed(error, "list what is in", folder))?;
                let folders = listed.common_prefixes.iter();
                folders
                    .filter_map(|path| path.filename().map(str::to_owned))
                    .collect()
            }
        };
        names.sort_unstable();
        Ok(names)
    }

    /// Deletes objects; those that are not there are fine.
    pub fn delete(&self, names: Vec<String>) -> Result<(), TargetError> {
        let Kind::Bucket { store, runtime } = &self.kind else {
            return names.iter().try_for_each(|name| self.delete_file(name));
        };
        let Some(first) = names.first().cloned() else {
            return Ok(());
        };
        let names = stream::iter(names.into_iter().map(|name| Ok(Name::from(name))));
        let deleted = store.delete_stream(names.boxed());
        let deleted = deleted.filter_map(|deleted| async {
            match deleted {
                Ok(_) | Err(Error::NotFound { .. }) => None,
                Err(error) => Some(error),
            }
        });
        let errors: Vec<Error> = runtime.block_on(deleted.collect());
        match errors.into_iter().next() {
            Some(error) => Err(failed(error, "delete", &first)),
            None => Ok(()),
        }
    }

    fn delete_file(&self, name: &str) -> Result<(), TargetError> {
        match &self.kind {
            Kind::Directory(directory) => directory
                .delete(name)
                .map_err(|error| failed(error, "delete", name)),
            Kind::Bucket { .. } => Ok(()),
        }
    }
}

fn wait<T>(runtime: &Runtime, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let asked = async { tokio::time::timeout(PATIENCE, asked).await };
    runtime.block_on(asked).unwrap_or_else(|_| Err(late()))
}

/// Part after part, each within the bounds of one request.
fn send_parts(
    runtime: &Runtime,
    upload: &mut dyn MultipartUpload,
    reader: &mut File,
) -> Result<(), Error> {
    loop {
        let mut part = Vec::new();
        let read = reader.take(PART_BYTES as u64).read_to_end(&mut part);
        read.map_err(|error| Error::Generic {
            store: "backup",
            source: error.into(),
        })?;
        if part.is_empty() {
            return wait(runtime, upload.complete()).map(drop);
        }
        let sent = upload.put_part(PutPayload::from(part));
        wait(runtime, sent)?;
    }
}

async fn read(store: &dyn ObjectStore, name: &str) -> Result<Option<Bytes>, Error> {
    match store.get(&Name::from(name)).await {
        Ok(found) => found.bytes().await.map(Some),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn late() -> Error {
    Error::Generic {
        store: "backup",
        source: format!("no answer within {} s", PATIENCE.as_secs()).into(),
    }
}

fn open_bucket(place: Place<'_>) -> Result<Kind, Box<dyn std::error::Error + Send + Sync>> {
    // The HTTP client takes the provider of the process; an extension may have set the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = || {
        ClientOptions::new()
            .with_connect_timeout(Duration::from_secs(5))
            .with_timeout(PATIENCE / 2)
    };
    let retry = RetryConfig {
        max_retries: 2,
        retry_timeout: PATIENCE / 2,
        ..RetryConfig::default()
    };
    let store: Arc<dyn ObjectStore> = match place {
        Place::Directory(_) => return Err("it is no bucket".into()),
        Place::S3(bucket, prefix) => {
            let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
                .into_iter()
                .find_map(|name| variables("AWS_").find(|(known, _)| known == name));
            let plain = endpoint.is_some_and(|(_, endpoint)| endpoint.starts_with("http://"));
            let with = |builder: AmazonS3Builder, (name, value): (String, String)| {
                match name.to_ascii_lowercase().parse() {
                    Ok(key) => builder.with_config(key, value),
                    // Of another tool.
                    Err(_) => builder,
                }
            };
            let store = variables("AWS_")
                .fold(AmazonS3Builder::new(), with)
                .with_bucket_name(bucket)
                .with_client_options(client().with_allow_http(plain))
                .with_retry(retry)
                .build()?;
            Arc::new(PrefixStore::new(store, prefix))
        }
        Place::Google(bucket, prefix) => {
            let base = variables("STORAGE_EMULATOR_HOST").next();
            let base = base.map(|(_, base)| base);
            let with = |builder: GoogleCloudStorageBuilder, (name, value): (String, String)| {
                match name.to_ascii_lowercase().parse() {
                    Ok(key) => builder.with_config(key, value),
                    // Of another tool.
                    Err(_) => builder,
                }
            };
            let mut builder = variables("GOOGLE_")
                .fold(GoogleCloudStorageBuilder::new(), with)
                .with_bucket_name(bucket)
                .with_client_options(client().with_allow_http(base.is_some()))
                .with_retry(retry);
            if let Some(base) = base {
                let with_scheme = match base.contains("://") {
                    true => base,
                    false => format!("http://{base}"),
                };
                // What Google's own tools do with an emulator: nobody is asked for credentials, the machine's neither.
                let nobody = GcpCredential {
                    bearer: "emulator".to_owned(),
                };
                builder = builder
                    .with_base_url(&with_scheme)
                    .with_credentials(Arc::new(StaticCredentialProvider::new(nobody)));
            }
            Arc::new(PrefixStore::new(builder.build()?, prefix))
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("backup-io")
        .enable_all()
        .build()?;
    Ok(Kind::Bucket { store, runtime })
}

/// Variables of the environment whose names begin so, by the names that the vendors' tools use (`AWS_ACCESS_KEY_ID`,
/// `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `GOOGLE_APPLICATION_CREDENTIALS`, ...). An empty one counts as none: Compose
/// passes those on that nobody has set.
fn variables(prefix: &'static str) -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty())
}

fn failed(
    error: impl std::error::Error + Send + Sync + 'static,
    what: &'static str,
    name: &str,
) -> TargetError {
    TargetError::Ask {
        what,
        name: name.to_owned(),
        source: error.into(),
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").finish_non_exhaustive()
    }
}
