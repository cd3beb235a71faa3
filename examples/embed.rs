//! An actix-web application of its own, `/hello`, with the relay and an extension inside: `embed -c FILE`.
//!
//! Configuration, environment, log and end are those of `trellis serve`. docs/embedding.md explains each step.

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use anyhow::Context as _;
use clap::Parser;
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use trellis_relay::config::{self, process_environment};
use trellis_relay::extension::Compiled;
use trellis_relay::http::{allow_origins, install_recorder, keep_out};
use trellis_relay::parts::Parts;
use trellis_relay::running::RunningRelay;
use trellis_relay::server::listen;
use trellis_relay::ws::actor::keep_socket;

/// What the relay may switch on; `[extensions.members_only]` in FILE does.
const EXTENSIONS: &[Compiled] = &[Compiled::of::<members_only::MembersOnly>()];

/// A web application with a relay inside.
#[derive(Debug, Parser)]
struct Arguments {
    /// The relay's configuration; without it, the built-in defaults.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let loaded = config::load(arguments.config.as_deref(), &process_environment())?;
    // Not where everything is lost with the instance, unless that is wanted.
    loaded.check_durability()?;
    let config = loaded.config;
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&config.log.filter)?)
        .with_writer(std::io::stderr)
        .init();
    install_recorder();
    let listener = listen(&config.network)?;
    let address = listener.local_addr()?;
    let running = RunningRelay::start(Parts::from_config(config.clone(), EXTENSIONS)?).await?;

    let relay = running.mount();
    let app = move || {
        App::new()
            .route(
                "/hello",
                web::get().to(async || "hello from the application\n"),
            )
            .configure(relay.clone())
            .wrap(from_fn(keep_out))
            .wrap(from_fn(allow_origins))
    };
    let server = HttpServer::new(app)
        .on_connect(keep_socket)
        .workers(config.thread.http_threads())
        .client_request_timeout(config.network.handshake_timeout.duration())
        .client_disconnect_timeout(Duration::from_secs(1))
        .shutdown_timeout(1)
        .disable_signals()
        .listen(listener)?
        .run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    tracing::info!("listening on http://{address}");

    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    handle.pause().await;
    running.stop().await;
    handle.stop(false).await;
    Ok(())
}
