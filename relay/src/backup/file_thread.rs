//! The thread that looks at files and blobs of extensions and deletes what is too old, so that segments wait for neither.
//!
//! Files are asked for at each interval, but for no more than a twentieth of the time; blobs once in a snapshot interval, and
//! what nothing names any more is looked for after them, a little at a time, so that files wait for it neither.
//! What is in its place is handed to the thread of the backup, which lists it with a segment that is cut afterwards. A relay
//! that stops asks for a last look before its extensions are gone.

use super::BackupError;
use super::files::FileKeeper;
use super::manifest::{BlobList, FORMAT};
use super::own_rows::own_lineage;
use super::pruning::{self, Due};
use super::target::Target;
use super::thread::Order;
use super::unnamed::Unnamed;
use crate::config::Backup;
use crate::extension::Compiled;
use crate::relay::Relay;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
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

/// The thread, as who stops the relay has it.
#[derive(Debug)]
pub(super) struct Files {
    last: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Files {
    /// Asks for a last look, and for the end. The extensions have to be there still.
    pub(super) fn ask_to_stop(&self) {
        // One that has ended needs no asking.
        let _ = self.last.try_send(());
    }

    /// Whether that was done.
    pub(super) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

/// Starts the thread, which ends with the relay at the latest.
pub(super) fn start(
    relay: &Arc<Relay>,
    config: Backup,
    orders: SyncSender<Order>,
    pruning: Arc<Due>,
) -> io::Result<Files> {
    let (last, asked) = sync_channel(1);
    let work = Work {
        runtime: tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?,
        target: None,
        keeper: FileKeeper::default(),
        unnamed: Unnamed::default(),
        scratch: relay.data_dir.join(SCRATCH),
        relay: Arc::downgrade(relay),
        config,
        orders,
        pruning,
        files_at: Duration::ZERO,
        blobs_at: Duration::ZERO,
    };
    let thread = std::thread::Builder::new().name("backup-files".into());
    let thread = thread.spawn(move || work.run(&asked))?;
    Ok(Files { last, thread })
}

struct Work {
    runtime: Runtime,
    /// Once it could be opened.
    target: Option<Target>,
    keeper: FileKeeper,
    unnamed: Unnamed,
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
    fn run(mut self, asked: &Receiver<()>) {
        let pause = LOOK_EVERY.min(self.config.interval.duration());
        while let Some(relay) = self.relay.upgrade() {
            if relay.backup.get().is_none_or(|it| it.is_superseded()) {
                break;
            }
            let is_stopping = relay.is_stopping();
            if !is_stopping && let Err(error) = self.look(&relay) {
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
            match asked.recv_timeout(pause) {
                Ok(()) => {
                    self.look_for_the_last_time();
                    break;
                }
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody asks any more: the relay was killed, or runs on without its owner.
                Err(RecvTimeoutError::Disconnected) if is_stopping => break,
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(pause),
            }
        }
    }

    fn look_for_the_last_time(&mut self) {
        let Some(relay) = self.relay.upgrade() else {
            return;
        };
        let looked = self
            .prepare(&relay)
            .and_then(|()| self.look_at_files(&relay));
        if let Err(error) = looked {
            let error = error.in_full();
            tracing::error!(error, "what extensions wrote last is not in the backup");
        }
    }

    /// Opens the place where that was not done, and begins the lists anew where the lineage is another one.
    fn prepare(&mut self, relay: &Relay) -> Result<(), BackupError> {
        if self.target.is_none() {
            self.target = Some(Target::open(&self.config.url)?);
        }
        if self.keeper.follow(own_lineage(&*relay.store)?) {
            self.files_at = Duration::ZERO;
            self.blobs_at = Duration::ZERO;
        }
        Ok(())
    }

    fn look(&mut self, relay: &Relay) -> Result<(), BackupError> {
        let began = relay.clock.monotonic();
        self.prepare(relay)?;
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
        self.prune(relay)?;
        self.look_for_unnamed(relay);
        Ok(())
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
        let kept = self.keeper.keep(target, &given, &self.scratch);
        clear(&self.scratch)?;
        let (kept, bytes) = kept?;
        metrics::counter!("trellis_backup_bytes_total", "of" => "file").increment(bytes);
        for one in kept {
            let list = one.list();
            if self.order(|reply| Order::Files(list.clone(), reply)) {
                self.keeper.note(&list);
            }
        }
        let told = given.iter().filter(|one| one.outcome.is_ok());
        let told: Vec<&str> = told.map(|one| one.extension).collect();
        let mut has_all = true;
        for list in self.keeper.lists_before(target, &told)? {
            match self.order(|reply| Order::Files(list.clone(), reply)) {
                true => self.keeper.note(&list),
                false => has_all = false,
            }
        }
        if has_all {
            self.keeper.note_all();
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
        let mut told = Vec::new();
        let compiled = relay.extensions.compiled().iter();
        for extension in compiled.map(Compiled::name) {
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
                // One that is off, or is being built, has said nothing.
                let Some(page) = page else { break };
                let Some(last) = page.last() else {
                    told.push(extension);
                    break;
                };
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
        self.keeper.carry_over(target, &told, &mut list)?;
        if self.order(|reply| Order::Blobs(list, reply)) {
            self.unnamed.want();
        }
        Ok(())
    }

    /// What is left there costs room and harms nobody, so that a failure may wait for the next list of blobs.
    fn look_for_unnamed(&mut self, relay: &Relay) {
        let (Some(target), Some(own)) = (&self.target, self.keeper.lineage()) else {
            return;
        };
        let is_ours = || {
            let head = target.head()?.map(|head| head.lineage);
            Ok(head.is_some() && head == own_lineage(&*relay.store)?)
        };
        match self.unnamed.look(target, own, &is_ours) {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(
                objects = deleted,
                "files and blobs that nothing names were deleted"
            ),
            Err(error) => {
                let error = error.in_full();
                tracing::warn!(
                    error,
                    "files and blobs that nothing names could not be looked for; trying again with the next list of blobs"
                );
                metrics::counter!("trellis_backup_failures_total").increment(1);
            }
        }
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
