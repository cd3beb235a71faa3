//! Starts the threads of a relay, listens, and stops again in order.
//!
//! Order of stopping: no new connections, no more reading, the queue of the writer to its end, answers out, close frames,
//! extensions, writer. Each step has its share of `STOP_TIME`, since whoever stops us (Cloud Run) does not wait long.

mod engine;

pub use engine::Engine;

use crate::clock::Clock;
use crate::config::Config;
use crate::extension::{Compiled, ExtensionError};
use crate::relay::Relay;
use crate::store::Store;
use crate::worker::{Worker, WorkerMessage};
use crate::{http, sweeper, ws};
use actix_http::HttpService;
use actix_rt::net::TcpStream;
use actix_server::ServerHandle;
use actix_service::{fn_service, map_config};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::middleware::from_fn;
use std::cell::RefCell;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::error::TrySendError;

/// What a relay is made of.
pub struct Parts {
    /// The configuration to start with.
    pub config: Arc<Config>,
    /// Where events live.
    pub store: Arc<dyn Store>,
    /// The extensions that are compiled in.
    pub extensions: &'static [Compiled],
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// The key of the relay itself.
    pub keys: nostr::key::Keys,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// Why a relay did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As configured.
        address: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// An extension did not start.
    #[error(transparent)]
    Extension(#[from] ExtensionError),
    /// A thread or runtime could not be started.
    #[error("cannot start: {0}")]
    Thread(#[from] std::io::Error),
}

/// A relay that listens. Must be started and stopped within an actix system.
#[derive(Debug)]
pub struct Server {
    /// What all threads share.
    pub relay: Arc<Relay>,
    /// Where it listens.
    pub address: SocketAddr,
    handle: ServerHandle,
    engine: Engine,
}

/// All of stopping takes less than this.
pub const STOP_TIME: Duration = Duration::from_secs(8);

impl Server {
    /// Starts the extensions, then listens; clients are served from when it returns.
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        let config = parts.config.clone();
        let (listener, address) = listen(&config)?;
        let engine = Engine::start(parts).await?;
        let relay = engine.relay.clone();
        let server = actix_server::Server::build()
            .disable_signals()
            .workers(config.thread.http_threads())
            .backlog(4_096)
            .shutdown_timeout(1)
            .listen("trellis", listener, {
                let relay = relay.clone();
                move || serve_connections(relay.clone())
            })?
            .run();
        let handle = server.handle();
        actix_rt::spawn(server);
        actix_rt::spawn(sweeper::run(Arc::downgrade(&relay)));
        Ok(Server {
            relay,
            address,
            handle,
            engine,
        })
    }

    /// Puts a new configuration in force, extensions first: where one refuses its table, all stays as it was. Keys that
    /// need a restart keep their effect until then.
    pub async fn reconfigure(&mut self, config: Arc<Config>) -> Result<(), ExtensionError> {
        let applied = self.engine.extensions.apply_all(&config.extensions).await?;
        for (name, applied) in &applied {
            tracing::info!(extension = name, "{applied:?}");
        }
        *self
            .relay
            .config
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = config.clone();
        for worker in self.relay.workers().iter() {
            tell(worker, WorkerMessage::Config(config.clone()));
        }
        if !applied.is_empty() {
            for worker in self.relay.workers().iter() {
                tell(worker, WorkerMessage::HooksChanged);
            }
        }
        self.relay
            .event_limits
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .reconfigure(&config);
        Ok(())
    }

    /// Stops in order; everything that was answered OK is stored, and every client is told that the relay goes.
    pub async fn stop(self) {
        let until = Instant::now() + STOP_TIME;
        self.relay.stopping.store(true, Ordering::Release);
        self.handle.pause().await;
        for worker in self.relay.workers().iter() {
            tell(worker, WorkerMessage::StopReading);
        }
        self.engine.settle(STOP_TIME / 2).await;
        for worker in self.relay.workers().iter() {
            tell(worker, WorkerMessage::Close);
        }
        let all_closed = async {
            while self.relay.connections.open() > 0 {
                actix_rt::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = actix_rt::time::timeout(STOP_TIME / 4, all_closed).await;
        // Some time for them, even if the other steps have used it up.
        let left = until.saturating_duration_since(Instant::now()) / 2;
        let left = left.max(Duration::from_millis(500));
        self.engine.stop_within(left).await;
        self.handle.stop(false).await;
    }
}

/// Puts a message into an inbox at once, so that a worker that looks into it finds what is in force; where the inbox is
/// full, as soon as the worker breathes.
fn tell(worker: &tokio::sync::mpsc::Sender<WorkerMessage>, message: WorkerMessage) {
    let Err(TrySendError::Full(message)) = worker.try_send(message) else {
        return;
    };
    let worker = worker.clone();
    actix_rt::spawn(async move {
        // A closed inbox is a worker that has ended.
        let _ = worker.send(message).await;
    });
}

thread_local! {
    static WORKER: RefCell<Option<Rc<Worker>>> = const { RefCell::new(None) };
}

/// The worker of this thread; the first call makes it.
pub(crate) fn worker_of_this_thread(relay: &Arc<Relay>) -> Rc<Worker> {
    let known = WORKER.with_borrow(Clone::clone);
    match known {
        Some(worker) if Arc::ptr_eq(&worker.relay, relay) => worker,
        _ => {
            let worker = Worker::start(relay.clone());
            WORKER.set(Some(worker.clone()));
            worker
        }
    }
}

/// One worker's service: WebSocket handshakes to the front that owns its sockets, everything else to the pages.
fn serve_connections(
    relay: Arc<Relay>,
) -> impl actix_service::ServiceFactory<
    TcpStream,
    Config = (),
    Response = (),
    Error = actix_http::error::DispatchError,
    InitError = (),
> {
    let worker = worker_of_this_thread(&relay);
    let network = relay.config().network.clone();
    let pages = map_config(
        App::new()
            .configure(http::pages(relay))
            .wrap(from_fn(http::allow_origins)),
        |_: ()| AppConfig::default(),
    );
    HttpService::build()
        .client_request_timeout(network.handshake_timeout.duration())
        .client_disconnect_timeout(Duration::from_secs(1))
        .tcp_nodelay(true)
        .upgrade(fn_service(move |(request, framed)| {
            ws::upgrade::accept(worker.clone(), request, framed)
        }))
        .finish(pages)
        .tcp()
}

fn listen(config: &Config) -> Result<(TcpListener, SocketAddr), StartError> {
    let address = format!("{}:{}", config.network.host, config.network.port);
    let bind = || -> std::io::Result<(TcpListener, SocketAddr)> {
        use std::net::ToSocketAddrs;
        let resolved = (config.network.host.as_str(), config.network.port)
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| std::io::Error::other("the host name has no address"))?;
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(resolved),
            socket2::Type::STREAM,
            Some(socket2::Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        // Accepted sockets inherit both: a peer that acknowledges nothing is cut off by the kernel, whatever we do.
        socket.set_tcp_nodelay(true)?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(config.network.write_timeout.duration()))?;
        socket.bind(&resolved.into())?;
        socket.listen(4_096)?;
        let listener = TcpListener::from(socket);
        let local = listener.local_addr()?;
        Ok((listener, local))
    };
    bind().map_err(|source| StartError::Listen { address, source })
}
