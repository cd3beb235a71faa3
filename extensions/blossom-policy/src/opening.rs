//! How the parts that hold blobs are made of a configuration.
//!
//! Invariant: what comes from here is ready: what a crash interrupted is ended, or logged where the storage does not answer;
//! then it waits for the next start.

use crate::config::{Backend, Config};
use crate::holdings::Holdings;
use crate::place::Place;
use crate::quota::Limits;
use crate::recovery;
use crate::spool::Spool;
use crate::storage::{BlobStore, Filesystem, S3, blocking};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::Handle;
use trellis_relay::extension::prelude::*;

/// Opens what is held, and what takes files in.
pub(crate) async fn open(config: &Config, host: &Host) -> Result<(Holdings, Spool), BuildError> {
    let folder = match &config.path {
        Some(path) => PathBuf::from(path),
        None => host.data_dir().join("blobs"),
    };
    let place = Place::open(&folder).await?;
    let storage = open_storage(config, &place).await?;
    let spool = Spool::new(&place.incoming(), config.max_uploads);
    let holdings = Holdings::new(place, storage, limits(config));
    if let Err(error) = recovery::recover(&holdings).await {
        tracing::warn!("interrupted changes of blobs are left until the next start: {error}");
    }
    Ok((holdings, spool))
}

async fn open_storage(config: &Config, place: &Place) -> Result<Arc<dyn BlobStore>, BuildError> {
    match config.backend {
        Backend::Filesystem => {
            let folder = place.files();
            let storage = blocking("open", move || Filesystem::open(&folder)).await?;
            Ok(Arc::new(storage))
        }
        Backend::S3 => {
            let storage = S3::open(&config.s3, &place.notes(), Handle::current())?;
            match storage.end_unfinished().await {
                Ok(0) => {}
                Ok(ended) => tracing::info!(ended, "uploads to the object store are ended"),
                Err(error) => tracing::warn!("the object store keeps unfinished parts: {error}"),
            }
            Ok(Arc::new(storage))
        }
        Backend::Upstream => Err("backend: \"upstream\" is not there yet".into()),
    }
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
