//! A small fixed pool of threads that read the store, so that long scans do not hold up the workers.
//!
//! Invariant: one job, one short read transaction. Not here: paging; the flows ask for page after page.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The pool. Threads end when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Readers {
    jobs: SyncSender<Job>,
}

/// Too many pages wait already, or the pool is gone.
#[derive(Debug, thiserror::Error)]
#[error("the relay is too busy to read more now")]
pub struct Busy;

/// Pages that may wait; each subscription has at most one.
const QUEUE: usize = 4096;

impl Readers {
    /// Starts the threads.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel::<Job>(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for index in 0..threads.max(1) {
            let queue = queue.clone();
            std::thread::Builder::new()
                .name(format!("reader-{index}"))
                .spawn(move || work(&queue))?;
        }
        Ok(Readers { jobs })
    }

    /// Runs a job some time soon.
    pub fn spawn(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Busy> {
        self.jobs.try_send(Box::new(job)).map_err(|_| Busy)
    }

    /// Runs a blocking read on the pool and waits for what it found.
    pub async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (reply, answer) = oneshot::channel();
        self.spawn(move || {
            // The asker may be gone; then nobody misses the answer.
            let _ = reply.send(read());
        })?;
        answer.await.map_err(|_| Busy)
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = {
            let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.recv()
        };
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}
