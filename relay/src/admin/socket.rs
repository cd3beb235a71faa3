//! The door of a running relay to operators on the same machine: a Unix socket that only the relay's own user may open.
//!
//! One connection, one job, on a thread of its own. Invariant: a job ends soon after its connection does, and before the
//! relay's writer does; so none outlives the relay. Not here: what a job does (`job`), what is said (`dialogue`).

mod connection;

use super::database::Database;
use super::dialogue::Order;
use super::job::{Job, JobError};
use super::target::LiveRelay;
use crate::relay::Relay;
use connection::Connection;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// Jobs at one time.
const MAX_JOBS: usize = 2;
/// The longest path of a socket that every system takes: `sun_path` has 104 to 108 bytes with its final zero.
pub const MAX_PATH_BYTES: usize = 103;
/// How long jobs may take to end once they are told, and then once their connections are cut.
const STOP_TIME: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The open door. Must be closed before the relay's writer ends; merely dropped, it stays open.
#[derive(Debug)]
pub struct AdminSocket {
    path: PathBuf,
    accepting: JoinHandle<()>,
    jobs: Arc<Jobs>,
}

/// Why there is no door.
#[derive(Debug, thiserror::Error)]
pub enum AdminSocketError {
    /// Systems take short paths only.
    #[error(
        "its path {} is longer than {MAX_PATH_BYTES} bytes; name a shorter one in data.admin_socket",
        .0.display()
    )]
    PathTooLong(PathBuf),
    /// Another process listens there.
    #[error("another process listens on {}", .0.display())]
    Taken(PathBuf),
    /// Something else is in the way.
    #[error("{} exists and is not a socket", .0.display())]
    NoSocket(PathBuf),
    /// The system's word.
    #[error("{}: {source}", path.display())]
    Io {
        /// Of the socket.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

impl AdminSocket {
    /// Listens. One that a crash has left behind is replaced. To be called within an actix system.
    pub fn open(relay: Arc<Relay>, path: PathBuf) -> Result<Self, AdminSocketError> {
        let data_path = relay.config().data.path.clone();
        let database = Database::of(&data_path).map_err(|source| AdminSocketError::Io {
            path: data_path,
            source,
        })?;
        let listener = listen(&path)?;
        let jobs = Arc::new(Jobs::of(database));
        let accepting = actix_rt::spawn(accept(listener, relay, jobs.clone()));
        Ok(AdminSocket {
            path,
            accepting,
            jobs,
        })
    }

    /// Removes the socket and ends what runs: a job commits what it has in hand and says how far it came.
    pub async fn close(self) {
        self.accepting.abort();
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "the admin socket could not be removed");
        }
        self.jobs.stopping.store(true, Ordering::Release);
        // Who waits for input gets its end; then who waits for a reader of its output is let go.
        for how in [Shutdown::Read, Shutdown::Both] {
            self.jobs.cut(how);
            let until = Instant::now() + STOP_TIME;
            while !self.jobs.open().is_empty() && Instant::now() < until {
                sleep(LOOK_EVERY).await;
            }
        }
        if !self.jobs.open().is_empty() {
            tracing::error!("an operator's job did not end in time and is left behind");
        }
    }
}

/// What runs.
#[derive(Debug)]
struct Jobs {
    /// The relay's own.
    database: Database,
    open: Mutex<HashMap<u64, Dialogue>>,
    next: AtomicU64,
    stopping: AtomicBool,
}

/// A connection with a place.
#[derive(Debug)]
struct Dialogue {
    stream: UnixStream,
    /// Over while the last answer is on its way: whoever has read it finds the place free.
    is_job_over: bool,
}

impl Jobs {
    fn of(database: Database) -> Self {
        Jobs {
            database,
            open: Mutex::default(),
            next: AtomicU64::default(),
            stopping: AtomicBool::default(),
        }
    }

    /// The job, if it is meant for this relay. An `Err` is for whoever gave the order.
    fn check(&self, order: Order) -> Result<Job, String> {
        let ours = &self.database;
        match order.database.is(ours) {
            true => Ok(order.job),
            false => Err(format!(
                "the relay that listens on this admin socket has the database in {} open, not the one in {}; \
                 give each relay a data.admin_socket of its own",
                ours.path.display(),
                order.database.path.display()
            )),
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Dialogue>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self, how: Shutdown) {
        for dialogue in self.open().values() {
            // It may have been closed from the other side.
            let _ = dialogue.stream.shutdown(how);
        }
    }

    /// Takes a place, unless all are taken.
    fn enter(self: &Arc<Self>, stream: &UnixStream) -> io::Result<Option<Place>> {
        let mut open = self.open();
        let running = open.values().filter(|dialogue| !dialogue.is_job_over);
        if running.count() >= MAX_JOBS || self.stopping.load(Ordering::Acquire) {
            return Ok(None);
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let dialogue = Dialogue {
            stream: stream.try_clone()?,
            is_job_over: false,
        };
        open.insert(number, dialogue);
        Ok(Some(Place {
            jobs: self.clone(),
            number,
        }))
    }
}

/// One of the places for jobs, given back however the job ends.
struct Place {
    jobs: Arc<Jobs>,
    number: u64,
}

impl Place {
    /// Lets another job begin, before this one's last answer is read.
    fn end_job(&self) {
        if let Some(dialogue) = self.jobs.open().get_mut(&self.number) {
            dialogue.is_job_over = true;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.jobs.open().remove(&self.number);
    }
}

fn listen(path: &Path) -> Result<UnixListener, AdminSocketError> {
    if path.as_os_str().len() > MAX_PATH_BYTES {
        return Err(AdminSocketError::PathTooLong(path.to_owned()));
    }
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(AdminSocketError::NoSocket(path.to_owned()));
        }
        if UnixStream::connect(path).is_ok() {
            return Err(AdminSocketError::Taken(path.to_owned()));
        }
    }
    bind(path).map_err(|source| AdminSocketError::Io {
        path: path.to_owned(),
        source,
    })
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    // Before it listens, so that nobody else comes in between.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    socket.listen(8)?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(std::os::unix::net::UnixListener::from(socket))
}

async fn accept(listener: UnixListener, relay: Arc<Relay>, jobs: Arc<Jobs>) {
    const PAUSE: Duration = Duration::from_millis(100);
    loop {
        let began = match listener.accept().await {
            Ok((stream, _)) => stream
                .into_std()
                .and_then(|stream| begin(stream, &relay, &jobs)),
            Err(error) => Err(error),
        };
        if let Err(error) = began {
            tracing::warn!(%error, "an operator's job could not begin");
            sleep(PAUSE).await;
        }
    }
}

/// Gives the connection a thread.
fn begin(stream: UnixStream, relay: &Arc<Relay>, jobs: &Arc<Jobs>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let place = jobs.enter(&stream)?;
    let mut connection = Connection::new(stream, jobs.clone())?;
    let Some(place) = place else {
        let words = format!("{MAX_JOBS} jobs run already; try again when one of them is done");
        return connection.refuse(words);
    };
    let relay = relay.clone();
    std::thread::Builder::new()
        .name("admin".into())
        .spawn(move || {
            serve(&mut connection, relay, &place);
        })?;
    Ok(())
}

fn serve(connection: &mut Connection, relay: Arc<Relay>, place: &Place) {
    let read = match connection.read_order() {
        Ok(Some(order)) => place.jobs.check(order),
        // Somebody only looked whether anybody is here.
        Ok(None) => return,
        Err(problem) => Err(problem),
    };
    let job = match read {
        Ok(job) => job,
        Err(problem) => {
            place.end_job();
            // Whoever wrote it may be gone.
            let _ = connection.refuse(problem);
            return;
        }
    };
    tracing::info!(job = job.name(), "an operator's job begins");
    let result = run(&job, connection, relay);
    match &result {
        Ok(_) => tracing::info!(job = job.name(), "an operator's job is done"),
        Err(error) => {
            let error = error.in_full();
            tracing::warn!(job = job.name(), error, "an operator's job ended early");
        }
    }
    let result = result.map_err(|error| match (error, connection.is_stopping()) {
        (JobError::Cancelled, true) => "the relay is stopping".to_owned(),
        (error, _) => error.in_full(),
    });
    place.end_job();
    // Likewise.
    let _ = connection.answer(result);
}

fn run(
    job: &Job,
    connection: &mut Connection,
    relay: Arc<Relay>,
) -> Result<super::job::Done, JobError> {
    job.validate()?;
    let mut input = connection
        .input(job.takes_input())
        .map_err(JobError::Read)?;
    job.run(&LiveRelay(relay), &mut input, connection)
}
