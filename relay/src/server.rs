//! The relay's own server: a listener before a running relay.
//!
//! Not here: the relay's threads and what else stops in order, which are `running`'s.

use crate::admin::socket::AdminSocket;
use crate::config::Network;
use crate::own_host::LocalAddress;
use crate::parts::Parts;
use crate::relay::Relay;
use crate::running::{self, RunningRelay};
use crate::worker::Worker;
use crate::{http, ws};
use actix_http::HttpService;
use actix_rt::net::TcpStream;
use actix_server::ServerHandle;
use actix_service::{fn_service, map_config};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::middleware::from_fn;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// A relay that listens. Must be started and stopped within an actix system.
#[derive(Debug)]
pub struct Server {
    /// The relay behind the listener.
    pub running: RunningRelay,
    /// Where it listens.
    pub address: SocketAddr,
    handle: ServerHandle,
    admin: Option<AdminSocket>,
}

/// Why a server did not start.
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
    /// The relay did not start.
    #[error(transparent)]
    Relay(#[from] running::StartError),
    /// A worker could not be started.
    #[error("cannot start: {0}")]
    Worker(#[from] std::io::Error),
}

impl Server {
    /// Starts the relay, then listens; clients are served from when it returns.
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        let config = parts.config.clone();
        // An address that is taken is found out before anything is started.
        let listener = listen(&config.network)?;
        let address = listener.local_addr()?;
        let running = RunningRelay::start(parts).await?;
        let server = actix_server::Server::build()
            .disable_signals()
            .workers(config.thread.http_threads())
            .backlog(BACKLOG as u32)
            .shutdown_timeout(1)
            .listen("trellis", listener, {
                let relay = running.relay.clone();
                move || serve_connections(relay.clone())
            })?
            .run();
        let handle = server.handle();
        actix_rt::spawn(server);
        let admin = open_admin_socket(&running.relay);
        Ok(Server {
            running,
            address,
            handle,
            admin,
        })
    }

    /// Takes no new connections, and stops the relay in order.
    pub async fn stop(self) {
        self.handle.pause().await;
        let close_admin = async {
            if let Some(admin) = self.admin {
                admin.close().await;
            }
        };
        futures_util::join!(close_admin, self.running.stop());
        self.handle.stop(false).await;
    }

    /// Ends as a crash would: nobody is told anything, and nothing that is under way is waited for.
    #[cfg(feature = "testing")]
    pub(crate) async fn kill(self) {
        self.handle.stop(false).await;
        if let Some(admin) = self.admin {
            admin.close().await;
        }
        self.running.kill().await;
    }
}

/// A relay that cannot have its socket serves clients all the same: not every file system knows sockets.
fn open_admin_socket(relay: &Arc<Relay>) -> Option<AdminSocket> {
    let path = relay.config().data.admin_socket_path()?;
    AdminSocket::open(relay.clone(), path)
        .inspect_err(|error| {
            tracing::warn!(%error, "no admin socket: commands cannot reach this relay while it runs");
        })
        .ok()
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
    let worker = Worker::of_this_thread(&relay);
    let network = relay.config().network.clone();
    let pages = map_config(
        App::new()
            .configure(http::pages(relay))
            .wrap(from_fn(http::keep_out))
            .wrap(from_fn(http::allow_origins))
            .wrap(from_fn(http::record_times)),
        |_: ()| AppConfig::default(),
    );
    HttpService::build()
        .client_request_timeout(network.handshake_timeout.duration())
        .client_disconnect_timeout(Duration::from_secs(1))
        .tcp_nodelay(true)
        .on_connect_ext(|stream: &TcpStream, connection| {
            if let Ok(local) = stream.local_addr() {
                connection.insert(LocalAddress(local.ip()));
            }
        })
        .upgrade(fn_service(move |(request, framed)| {
            ws::upgrade::accept(worker.clone(), request, framed)
        }))
        .finish(pages)
        .tcp()
}

const BACKLOG: i32 = 4_096;

/// Listens as `[network]` says. The kernel cuts off peers of this listener that take nothing for `write_timeout`.
pub fn listen(network: &Network) -> Result<TcpListener, StartError> {
    let bind = || -> std::io::Result<TcpListener> {
        use std::net::ToSocketAddrs;
        let resolved = (network.host.as_str(), network.port)
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
        socket.set_tcp_user_timeout(Some(network.write_timeout.duration()))?;
        socket.bind(&resolved.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    bind().map_err(|source| StartError::Listen {
        address: format!("{}:{}", network.host, network.port),
        source,
    })
}
