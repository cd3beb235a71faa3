//! One client for as long as the settings stay the same, with its connections and its turns.

use super::error::OutboundError;
use super::resolver::PublicOnly;
use crate::config::Outbound;
use reqwest::{Client, redirect};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How extensions name themselves to other servers, whatever their own name.
const USER_AGENT: &str = concat!("trellis/", env!("CARGO_PKG_VERSION"));
/// Idle connections that are kept for one server, and for how long.
const IDLE_CONNECTIONS: usize = 4;
const IDLE_TIME: Duration = Duration::from_secs(30);

pub(super) struct Line {
    pub(super) settings: Outbound,
    pub(super) client: Client,
    /// For URLs that strangers choose.
    pub(super) strict_client: Client,
    /// For what is no HTTP.
    pub(super) names: PublicOnly,
    pub(super) tls: Arc<ClientConfig>,
    running: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Line {
    pub(super) fn open(settings: Outbound) -> Result<Self, OutboundError> {
        let max_concurrent = settings.max_concurrent as usize;
        let names = PublicOnly::new(settings.allow_private.clone(), max_concurrent);
        let tls = tls(&settings.trusted_certificates)?;
        Ok(Line {
            client: client(&settings, &tls, names.clone())?,
            strict_client: client(&settings, &tls, names.strict())?,
            names,
            tls: Arc::new(tls),
            running: Arc::new(Semaphore::new(max_concurrent)),
            waiting: Semaphore::new(settings.max_waiting as usize),
            settings,
        })
    }

    /// Waits for a turn, unless too many do already.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit, OutboundError> {
        if let Ok(turn) = self.running.clone().try_acquire_owned() {
            return Ok(turn);
        }
        let busy = |_| OutboundError::Busy(self.settings.max_waiting);
        let _place = self.waiting.try_acquire().map_err(busy)?;
        let turn = self.running.clone().acquire_owned().await;
        turn.map_err(|_| OutboundError::Stopped)
    }
}

fn client(
    settings: &Outbound,
    tls: &ClientConfig,
    names: PublicOnly,
) -> Result<Client, OutboundError> {
    Client::builder()
        .use_preconfigured_tls(tls.clone())
        .user_agent(USER_AGENT)
        .no_proxy()
        // Whatever else in the program has the HTTP client unpack: bytes are what the other server has sent.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        // Each hop is a request of its own, checked as the first was.
        .redirect(redirect::Policy::none())
        .connect_timeout(settings.connect_timeout.duration())
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE_TIME)
        .dns_resolver(Arc::new(names))
        .build()
        .map_err(OutboundError::of)
}

/// The roots that browsers trust and those that the operator adds, and the provider of cryptography that the relay has for
/// everything.
fn tls(trusted: &[PathBuf]) -> Result<ClientConfig, OutboundError> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for file in trusted {
        for certificate in certificates(file)? {
            let added = roots.add(certificate);
            added.map_err(|error| unusable(file, error.to_string(), error))?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| OutboundError::Failed {
            what: "no TLS",
            cause: error.to_string(),
            source: error.into(),
        })?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// What stands in a PEM file.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, OutboundError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    read.map_err(|error: pem::Error| unusable(file, error.to_string(), error))
}

fn unusable(
    file: &Path,
    cause: String,
    source: impl std::error::Error + Send + Sync + 'static,
) -> OutboundError {
    let file = file.display();
    OutboundError::Failed {
        what: "outbound.trusted_certificates cannot be read",
        cause: format!("{file}: {cause}"),
        source: source.into(),
    }
}
