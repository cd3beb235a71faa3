//! Opens what the table describes: the directory, the storage of the backend, and the lists.

use crate::block_lists::BlockLists;
use crate::config::{Backend, Config};
use crate::holdings::Holdings;
use crate::place::Place;
use crate::quota::Limits;
use crate::recovery;
use crate::storage::{BlobStore, Filesystem, S3, Upstream};
use std::path::PathBuf;
use std::sync::Arc;
use trellis_relay::extension::prelude::*;
use url::Url;

/// The directory of the table.
pub(crate) async fn place(config: &Config, host: &Host) -> Result<Arc<Place>, BuildError> {
    let folder = match &config.path {
        Some(path) => PathBuf::from(path),
        None => host.data_dir().join("blobs"),
    };
    Ok(Place::open(&folder).await?)
}

/// What is held there, with the changes ended that a crash has interrupted.
pub(crate) async fn holdings(
    config: &Config,
    place: Arc<Place>,
    host: &Host,
) -> Result<Holdings, BuildError> {
    let storage: Arc<dyn BlobStore> = match config.backend {
        Backend::Filesystem => Arc::new(Filesystem::open(&place.files())?),
        Backend::S3 => {
            let runtime = tokio::runtime::Handle::current();
            let storage = S3::open(&config.s3, &place.notes(), runtime)?;
            storage.end_unfinished().await?;
            Arc::new(storage)
        }
        Backend::Upstream => {
            let url = config.upstream.url.as_deref().unwrap_or_default();
            let url = Url::parse(url).map_err(|error| format!("upstream.url: {error}"))?;
            Arc::new(Upstream::new(url, host.http_client().clone()))
        }
    };
    let holdings = Holdings::new(place, storage, limits(config));
    recovery::recover(&holdings).await?;
    Ok(holdings)
}

/// The block lists of the table.
pub(crate) async fn block_lists(config: &Config) -> Result<Arc<BlockLists>, BuildError> {
    let files = config.block_lists.files.iter().map(PathBuf::from).collect();
    let lists = tokio::task::spawn_blocking(move || BlockLists::load(files)).await?;
    let lists = lists.map_err(|error| format!("block_lists.files: {error}"))?;
    Ok(Arc::new(lists))
}

fn limits(config: &Config) -> Limits {
    Limits {
        bytes_per_pubkey: config.quota.bytes_per_pubkey.bytes(),
        encrypted_bytes_per_pubkey: config.encrypted.bytes_per_pubkey.bytes(),
        blobs_per_pubkey: config.quota.blobs_per_pubkey,
        total_bytes: config.quota.total_bytes.map(|it| it.bytes()),
        free_bytes: config.quota.free_bytes.bytes(),
    }
}
