//! Opens what the table describes: the directory, the storage of the backend, and the lists.
//!
//! Invariant: what comes from here is ready: what a crash interrupted is ended, or logged where the storage does not answer;
//! then it is tried again by and by.

use crate::backup;
use crate::block_lists::BlockLists;
use crate::config::{Backend, Config};
use crate::holdings::Holdings;
use crate::place::Place;
use crate::quota::Limits;
use crate::recovery;
use crate::storage::{BlobStore, Filesystem, S3, Upstream, blocking};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;
use trellis_relay::extension::prelude::*;
use url::Url;

/// The relay's start waits so long for a storage to end what was interrupted. The rest is ended while it runs, or by the next
/// start.
const PATIENCE: Duration = Duration::from_secs(10);

/// The directory of the table.
pub(crate) async fn place(config: &Config, host: &Host) -> Result<Arc<Place>, BuildError> {
    let folder = match &config.path {
        Some(path) => PathBuf::from(path),
        None => host.data_dir().join("blobs"),
    };
    Ok(Place::open(&folder).await?)
}

/// What is held there. The first time, the changes are ended that a crash has interrupted, and what a restore has left is
/// set right.
pub(crate) async fn holdings(
    config: &Config,
    place: Arc<Place>,
    host: &Host,
) -> Result<Holdings, BuildError> {
    let is_first = place.begin();
    let storage = storage(config, &place, host, is_first).await?;
    let holdings = Holdings::new(place, storage, limits(config));
    if is_first {
        match timeout(PATIENCE, recovery::recover(&holdings)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!("interrupted changes of blobs are tried again later: {error}");
            }
            Err(_) => {
                tracing::warn!("interrupted changes of blobs are many, and are ended later");
            }
        }
    }
    if is_first && let Err(error) = backup::after_restore(&holdings).await {
        tracing::warn!(
            "what a restore brought back is looked at again with the next start: {error}"
        );
    }
    Ok(holdings)
}

async fn storage(
    config: &Config,
    place: &Place,
    host: &Host,
    is_first: bool,
) -> Result<Arc<dyn BlobStore>, BuildError> {
    match config.backend {
        Backend::Filesystem => {
            let folder = place.files();
            let storage = blocking("open", move || Filesystem::open(&folder)).await?;
            Ok(Arc::new(storage))
        }
        Backend::S3 => {
            let parts = place.parts.clone();
            let storage = S3::open(&config.s3, &place.notes(), parts, Handle::current())?;
            // A new instance is built while uploads to the old one are under way.
            let ended = match is_first {
                true => timeout(PATIENCE, storage.end_unfinished()).await,
                false => Ok(Ok(0)),
            };
            match ended {
                Ok(Ok(0)) => {}
                Ok(Ok(ended)) => tracing::info!(ended, "uploads to the object store are ended"),
                Ok(Err(error)) => {
                    tracing::warn!("the object store keeps unfinished parts: {error}");
                }
                Err(_) => tracing::warn!("the object store keeps unfinished parts: it is slow"),
            }
            Ok(Arc::new(storage))
        }
        Backend::Upstream => {
            let url = config.upstream.url.as_deref().unwrap_or_default();
            let url = Url::parse(url).map_err(|error| format!("upstream.url: {error}"))?;
            Ok(Arc::new(Upstream::new(url, host.http_client().clone())))
        }
    }
}

/// The block lists of the table.
pub(crate) async fn block_lists(config: &Config) -> Result<Arc<BlockLists>, BuildError> {
    let files = config.block_lists.files.iter().map(PathBuf::from).collect();
    let lists = tokio::task::spawn_blocking(move || BlockLists::load(files)).await?;
    let lists = lists.map_err(|error| format!("block_lists.files: {error}"))?;
    Ok(Arc::new(lists))
}

fn limits(config: &Config) -> Limits {
    let quota = &config.quota;
    Limits {
        bytes_per_pubkey: quota.bytes_per_pubkey.bytes(),
        encrypted_bytes_per_pubkey: config.encrypted.bytes_per_pubkey.bytes(),
        blobs_per_pubkey: quota.blobs_per_pubkey,
        total_bytes: quota.total_bytes.map(|total| total.bytes()),
        free_bytes: quota.free_bytes.bytes(),
    }
}
