//! The thread that looks at files and blobs of extensions and deletes what is too old, so that segments wait for neither.
//!
//! Files are asked for at each interval, but for no more than a twentieth of the time; blobs once in a snapshot interval.
//! What is in its place is handed to the thread of the backup, which lists it with a segment that is cut afterwards.

use super::BackupError;
use super::files::FileKeeper;
use super::manifest::{BlobList, FORMAT};
use super::pruning::{self, Due};
use super::target::Target;
use super::thread::Order;
use crate::config::Backup;
use crate::relay::Relay;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::Runtime;

/// Where extensions copy their files to, below the data directory. A name that nobody else would choose.
const SCRATCH: &str = ".trellis-backing-up";
/// For each second of work so many go by.
const SPARSENESS: u32 = 20;
/// How long an extension may take for its files, or for a page of blobs.
const PATIENCE: Duration = Duration::from_secs(300);
/// Blobs that are asked for at a time.
const BLOBS_PAGE: usize = 500;
/// How often it is seen whether the relay stops.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Starts the thread, which ends with the relay.
pub(super) fn start(
    relay: &Arc<Relay>,
    config: Backup,
    orders: SyncSender<Order>,
    pruning: Arc<Due>,
) -> io::Result<()> {
    let work = Work {
        runtime: tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?,
        target: None,
        keeper: FileKeeper::default(),
        scratch: relay.data_dir.join(SCRATCH),
        relay: Arc::downgrade(relay),
        config,
        orders,
        pruning,
        files_at: Duration::ZERO,
        blobs_at: Duration::ZERO,
    };
    let thread = std::thread::Builder::new().name("backup-files".into());
    thread.spawn(move || work.run()).map(drop)
}

struct Work {
    runtime: Runtime,
    /// Once it could be opened.
    target: Option<Target>,
    keeper: FileKeeper,
    scratch: PathBuf,
    relay: Weak<Relay>,
    config: Backup,
    orders: SyncSender<Order>,
    /// What is too old.
    pruning: Arc<Due>,
    /// On the relay's monotonic clock.
    files_at: Duration,
    /// Likewise.
    blobs_at: Duration,
}

impl Work {
    fn run(mut self) {
        while let Some(relay) = self.relay.upgrade() {
            let is_over = relay.backup.get().is_none_or(|it| it.is_superseded());
            if relay.is_stopping() || is_over {
                break;
            }
            if let Err(error) = self.look(&relay) {
                let error = error.in_full();
                tracing::warn!(
                    error,
                    "files of extensions are not in the backup; trying again"
                );
                metrics::counter!("trellis_backup_failures_total").increment(1);
                let now = relay.clock.monotonic();
                self.files_at = self.files_at.max(now + self.config.interval.duration());
                self.blobs_at = self.blobs_at.max(now + self.config.interval.duration() * 2);
            }
            drop(relay);
            std::thread::sleep(LOOK_EVERY.min(self.config.interval.duration()));
        }
        // Empty, or of no use.
        let _ = clear(&self.scratch);
    }

    fn look(&mut self, relay: &Relay) -> Result<(), BackupError> {
        let began = relay.clock.monotonic();
        if self.target.is_none() {
            self.target = Some(Target::open(&self.config.url)?);
        }
        if began >= self.files_at {
            self.look_at_files(relay)?;
            let worked = relay.clock.monotonic().saturating_sub(began);
            let rest = self.config.interval.duration().max(worked * SPARSENESS);
            self.files_at = relay.clock.monotonic() + rest;
        }
        if began >= self.blobs_at {
            self.look_at_blobs(relay)?;
            let rest = self.config.snapshot_interval.duration();
            self.blobs_at = relay.clock.monotonic() + rest;
        }
        self.prune(relay)
    }

    fn prune(&self, relay: &Relay) -> Result<(), BackupError> {
        let (Some(target), Some(old)) = (&self.target, self.pruning.take()) else {
            return Ok(());
        };
        let deleted = pruning::prune(target, &old, &|| !relay.is_stopping())?;
        if deleted > 0 {
            tracing::info!(objects = deleted, "old copies were deleted");
        }
        Ok(())
    }

    fn look_at_files(&mut self, relay: &Relay) -> Result<(), BackupError> {
        let Some(target) = &self.target else {
            return Ok(());
        };
        clear(&self.scratch)?;
        DirBuilder::new().mode(0o700).create(&self.scratch)?;
        let asked = relay.extensions.back_up(&self.scratch, PATIENCE);
        let given = self.runtime.block_on(asked);
        let (kept, bytes) = self.keeper.keep(target, &given, &self.scratch)?;
        clear(&self.scratch)?;
        metrics::counter!("trellis_backup_bytes_total", "of" => "file").increment(bytes);
        for one in kept {
            let list = one.list();
            if self.order(|reply| Order::Files(list.clone(), reply)) {
                self.keeper.note(&list);
            }
        }
        Ok(())
    }

    fn look_at_blobs(&mut self, relay: &Relay) -> Result<(), BackupError> {
        let Some(target) = &self.target else {
            return Ok(());
        };
        self.keeper.forget_blobs();
        let mut list = BlobList {
            format: FORMAT,
            at_ms: relay.clock.now_ms(),
            sequence: 0,
            blobs: Vec::new(),
        };
        for extension in relay.extensions.names() {
            let mut after = None;
            loop {
                let asked = relay
                    .extensions
                    .back_up_blobs(extension, after, BLOBS_PAGE, PATIENCE);
                let page = match self.runtime.block_on(asked) {
                    Ok(page) => page,
                    Err(error) => {
                        // A list that lacks some would be their end.
                        return Err(BackupError::Extension {
                            extension: extension.to_owned(),
                            problem: error.to_string(),
                        });
                    }
                };
                let Some(last) = page.last() else { break };
                after = Some(last.sha256);
                let bytes = self
                    .keeper
                    .keep_blobs(target, extension, &page, &mut list)?;
                metrics::counter!("trellis_backup_bytes_total", "of" => "blob").increment(bytes);
                if relay.is_stopping() {
                    return Ok(());
                }
            }
        }
        if self.order(|reply| Order::Blobs(list, reply)) {
            let deleted = pruning::prune_unnamed(target)?;
            if deleted > 0 {
                tracing::info!(
                    objects = deleted,
                    "files and blobs that nothing names were deleted"
                );
            }
        }
        Ok(())
    }

    /// Whether it was done. If not, the other thread says why, or is gone.
    fn order(&self, order: impl FnOnce(SyncSender<()>) -> Order) -> bool {
        let (reply, answer) = sync_channel(1);
        self.orders.send(order(reply)).is_ok() && answer.recv().is_ok()
    }
}

fn clear(scratch: &Path) -> io::Result<()> {
    match fs::remove_dir_all(scratch) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
