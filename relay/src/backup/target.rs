//! The place where copies go: a directory, a bucket of S3 or of Google Cloud Storage.
//!
//! Invariant: an object appears whole or not at all. Calls block, each request of one for a bounded time, and belong on a
//! thread that may. Deliberately not here: what a bucket is asked, which is `bucket`'s.

mod bucket;
mod client;

use super::directory::Directory;
use crate::config::Place;
use bucket::{Bucket, Parts};
use bytes::Bytes;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// A place for objects by name, `/` between the parts of one.
pub struct Target {
    kind: Kind,
    url: String,
}

enum Kind {
    Directory(Directory),
    Bucket(Bucket),
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

impl Target {
    /// The place that `backup.url` names, with the credentials that this process was given. A bucket is not asked yet; a
    /// directory is made where it is missing.
    pub fn open(url: &str) -> Result<Self, TargetError> {
        Target::open_with(url, &client::environment())
    }

    /// Likewise, with these variables for the environment.
    fn open_with(url: &str, environment: &[(String, String)]) -> Result<Self, TargetError> {
        let kind = match Place::parse(url) {
            Some(Place::Directory(path)) => Directory::open(path)
                .map(Kind::Directory)
                .map_err(|error| error.into()),
            Some(place) => client::open(place, environment)
                .and_then(|store| Ok(Kind::Bucket(Bucket::new(store)?))),
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
        match &self.kind {
            Kind::Directory(directory) => directory
                .put(name, &bytes, replaces)
                .map_err(|error| failed(error, "write", name)),
            Kind::Bucket(bucket) => bucket
                .put(name, bytes, replaces)
                .map_err(|error| failed(error, "write", name)),
        }
    }

    /// Writes a file as an object, in the place of one that is there; a long one in parts, so that little of it is in
    /// memory.
    pub fn put_file(&self, name: &str, file: &Path) -> Result<u64, TargetError> {
        let unread = |error: io::Error| failed(error, "read a file for", name);
        let mut reader = File::open(file).map_err(unread)?;
        let bytes = reader.metadata().map_err(unread)?.len();
        match &self.kind {
            Kind::Directory(directory) => directory
                .put_from(name, &mut reader)
                .map_err(|error| failed(error, "write", name))?,
            Kind::Bucket(bucket) => bucket
                .put_from(name, &mut reader, bytes)
                .map_err(|error| failed(error, "write", name))?,
        }
        Ok(bytes)
    }

    /// Writes an object to a new file, if there is one, and says whether there was; a long one in parts.
    pub fn get_file(&self, name: &str, file: &Path) -> Result<bool, TargetError> {
        let unwritten = |error: io::Error| failed(error, "write a file from", name);
        let Some(mut from) = self.open_object(name)? else {
            return Ok(false);
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut to = options.open(file).map_err(unwritten)?;
        let copied = io::copy(&mut from, &mut to);
        copied.map_err(|error| {
            let unread = error.downcast::<TargetError>();
            unread.unwrap_or_else(unwritten)
        })?;
        to.sync_all().map_err(unwritten)?;
        Ok(true)
    }

    /// An object to be read, if there is one; a long one comes in parts. Where reading fails because of the place, the
    /// error has a [`TargetError`] in it.
    pub fn open_object(&self, name: &str) -> Result<Option<Reading<'_>>, TargetError> {
        let unread = |error| failed(error, "read", name);
        let source = match &self.kind {
            Kind::Directory(directory) => {
                let found = directory.open_file(name);
                found.map_err(unread)?.map(Source::File)
            }
            Kind::Bucket(bucket) => {
                let found = bucket.open(name);
                let found = found.map_err(|error| failed(error, "read", name))?;
                found.map(|parts| Source::Bucket {
                    bucket,
                    parts: Box::new(parts),
                    part: Bytes::new(),
                })
            }
        };
        let name = name.to_owned();
        Ok(source.map(|source| Reading { name, source }))
    }

    /// The bytes of an object, if there is one.
    pub fn get(&self, name: &str) -> Result<Option<Bytes>, TargetError> {
        match &self.kind {
            Kind::Directory(directory) => {
                let read = directory.get(name);
                let read = read.map_err(|error| failed(error, "read", name))?;
                Ok(read.map(Bytes::from))
            }
            Kind::Bucket(bucket) => bucket
                .get(name)
                .map_err(|error| failed(error, "read", name)),
        }
    }

    /// The bytes of many objects, in their order; from a bucket some at a time.
    pub fn get_all(&self, names: &[String]) -> Result<Vec<Option<Bytes>>, TargetError> {
        match &self.kind {
            Kind::Directory(_) => names.iter().map(|name| self.get(name)).collect(),
            Kind::Bucket(bucket) => bucket
                .get_all(names)
                .map_err(|(name, error)| failed(error, "read", &name)),
        }
    }

    /// The size of an object, if there is one.
    pub fn size(&self, name: &str) -> Result<Option<u64>, TargetError> {
        match &self.kind {
            Kind::Directory(directory) => directory
                .size(name)
                .map_err(|error| failed(error, "look for", name)),
            Kind::Bucket(bucket) => bucket
                .size(name)
                .map_err(|error| failed(error, "look for", name)),
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
            Kind::Bucket(bucket) => bucket
                .list(folder, after)
                .map_err(|error| failed(error, "list what is in", folder))?,
        };
        objects.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(objects)
    }

    /// Folders right below a folder, by their last names, in order.
    pub fn folders(&self, folder: &str) -> Result<Vec<String>, TargetError> {
        let mut names = match &self.kind {
            Kind::Directory(directory) => directory
                .folders(folder)
                .map_err(|error| failed(error, "list what is in", folder))?,
            Kind::Bucket(bucket) => bucket
                .folders(folder)
                .map_err(|error| failed(error, "list what is in", folder))?,
        };
        names.sort_unstable();
        Ok(names)
    }

    /// Deletes objects; those that are not there are fine.
    pub fn delete(&self, names: Vec<String>) -> Result<(), TargetError> {
        match &self.kind {
            Kind::Directory(directory) => names.iter().try_for_each(|name| {
                let deleted = directory.delete(name);
                deleted.map_err(|error| failed(error, "delete", name))
            }),
            Kind::Bucket(bucket) => {
                let first = names.first().cloned().unwrap_or_default();
                let deleted = bucket.delete(names);
                deleted.map_err(|error| failed(error, "delete", &first))
            }
        }
    }
}

/// An object that is being read.
pub struct Reading<'t> {
    name: String,
    source: Source<'t>,
}

enum Source<'t> {
    File(File),
    Bucket {
        bucket: &'t Bucket,
        parts: Box<Parts<'t>>,
        /// What is left of the part that came last.
        part: Bytes,
    },
}

impl Read for Reading<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let failed = |error: io::Error| {
            let kind = error.kind();
            io::Error::new(kind, failed(error, "read", &self.name))
        };
        match &mut self.source {
            Source::File(file) => file.read(into).map_err(failed),
            Source::Bucket {
                bucket,
                parts,
                part,
            } => {
                if part.is_empty() && !into.is_empty() {
                    let next = bucket.next_part(parts);
                    *part = next
                        .map_err(io::Error::other)
                        .map_err(failed)?
                        .unwrap_or_default();
                }
                let read = part.len().min(into.len());
                into[..read].copy_from_slice(&part.split_to(read));
                Ok(read)
            }
        }
    }
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

#[cfg(test)]
mod tests;
