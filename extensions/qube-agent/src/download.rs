//! Files from the network: bounded in bytes, time and redirects, and hashed as they come.
//!
//! Invariants: over TLS only, unless the operator allows otherwise, and so is every redirect; the file is private and
//! without an executable bit, and it is removed again when its hash is not the one that was asked for.

use crate::blocking::blocking;
use crate::config;
use crate::durable;
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, StatusCode};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use trellis_qube_protocol::Digest;
use url::Url;

const USER_AGENT: &str = concat!("qube-agent/", env!("CARGO_PKG_VERSION"));
/// Hops before a server is taken to lead nowhere.
const MAX_REDIRECTS: usize = 5;
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// How long a server may send nothing.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a probe's answer may take.
const PROBE_WITHIN: Duration = Duration::from_secs(10);

/// Fetches files; cheap to clone.
#[derive(Clone)]
pub(crate) struct Downloader {
    client: Client,
    /// Asks a node's own page, and follows it nowhere.
    probes: Client,
    allow_http: bool,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    /// The settings make no client.
    #[error("no client for downloads: {0}")]
    Client(String),
    /// Not to be asked.
    #[error("{0} is not https (http needs download.allow_http = true)")]
    NotSecure(Url),
    /// The server or the way to it.
    #[error("{host}: {problem}")]
    Failed {
        /// Whom.
        host: String,
        /// What was the matter.
        problem: String,
    },
    /// The server's answer.
    #[error("{host} answered {status}")]
    Status {
        /// Who.
        host: String,
        /// How.
        status: StatusCode,
    },
    /// Too much.
    #[error("the file has more than {0} bytes")]
    TooLarge(u64),
    /// Not the file.
    #[error("hash mismatch: the file has the SHA-256 {found}, the quorum signed {expected}")]
    Hash {
        /// Of what came.
        found: Digest,
        /// Of what was signed.
        expected: Digest,
    },
    /// The disk.
    #[error("{}: {source}", file.display())]
    Disk {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl DownloadError {
    /// Whether another try may go better.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            DownloadError::Failed { .. } | DownloadError::Status { .. } => true,
            DownloadError::Client(_)
            | DownloadError::NotSecure(_)
            | DownloadError::TooLarge(_)
            | DownloadError::Hash { .. }
            | DownloadError::Disk { .. } => false,
        }
    }
}

impl Downloader {
    /// With these settings.
    pub(crate) fn new(settings: &config::Download) -> Result<Downloader, DownloadError> {
        let allow_http = settings.allow_http;
        let tls = tls(&settings.trusted_certificates)?;
        let probes = Client::builder()
            .use_preconfigured_tls(tls.clone())
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .connect_timeout(CONNECT_WITHIN)
            .build()
            .map_err(|error| DownloadError::Client(words(&error)))?;
        let client = Client::builder()
            .use_preconfigured_tls(tls)
            .user_agent(USER_AGENT)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .redirect(Policy::custom(move |attempt| hop(attempt, allow_http)))
            .connect_timeout(CONNECT_WITHIN)
            .read_timeout(SILENCE)
            .build()
            .map_err(|error| DownloadError::Client(words(&error)))?;
        Ok(Downloader {
            client,
            probes,
            allow_http,
        })
    }

    /// Fetches a file. It is on the disk, whole, when this returns its hash; with an expected hash it has that one.
    pub(crate) async fn fetch(
        &self,
        url: &Url,
        to: &Path,
        max_bytes: u64,
        expected: Option<&Digest>,
    ) -> Result<Digest, DownloadError> {
        let outcome = self.stream(url, to, max_bytes).await;
        let outcome = outcome.and_then(|found| match expected {
            Some(expected) if *expected != found => Err(DownloadError::Hash {
                found,
                expected: *expected,
            }),
            _ => Ok(found),
        });
        if outcome.is_err() {
            // What is left of it would only take room.
            let _may_not_be_there = durable::remove(to);
        }
        outcome
    }

    async fn stream(&self, url: &Url, to: &Path, max_bytes: u64) -> Result<Digest, DownloadError> {
        if !is_allowed(url, self.allow_http) {
            return Err(DownloadError::NotSecure(url.clone()));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let failed = |error: &reqwest::Error| DownloadError::Failed {
            host: host.clone(),
            problem: words(error),
        };
        let disk = |source| DownloadError::Disk {
            file: to.to_owned(),
            source,
        };
        let answer = self.client.get(url.clone()).send().await;
        let mut answer = answer.map_err(|error| failed(&error))?;
        if !answer.status().is_success() {
            let status = answer.status();
            return Err(DownloadError::Status { host, status });
        }
        if answer
            .content_length()
            .is_some_and(|bytes| bytes > max_bytes)
        {
            return Err(DownloadError::TooLarge(max_bytes));
        }
        let mut file = durable::create_new(to).map_err(disk)?;
        let mut hash = Sha256::new();
        let mut left_bytes = max_bytes;
        while let Some(piece) = answer.chunk().await.map_err(|error| failed(&error))? {
            let too_large = || DownloadError::TooLarge(max_bytes);
            left_bytes = left_bytes
                .checked_sub(piece.len() as u64)
                .ok_or_else(too_large)?;
            hash.update(&piece);
            file.write_all(&piece).map_err(disk)?;
        }
        let path = to.to_owned();
        let sync = move || {
            file.sync_all()?;
            durable::sync_folder_of(&path)
        };
        blocking(sync).await.map_err(disk)?;
        Ok(Digest::from_bytes(hash.finalize().into()))
    }

    /// Whether a node's own page answers that it is well. A redirect is no answer.
    pub(crate) async fn is_well(&self, url: &Url) -> Result<(), String> {
        let asked = self.probes.get(url.clone()).timeout(PROBE_WITHIN).send();
        match asked.await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) if answer.status().is_redirection() => Err(format!(
                "it answers {}, a redirect, which is not followed: a url that answers 2xx itself is needed",
                answer.status()
            )),
            Ok(answer) => Err(format!("it answers {}", answer.status())),
            Err(error) => Err(words(&error)),
        }
    }
}

/// The hash of a file; none where there is no file.
pub(crate) fn hash_of(path: &Path) -> io::Result<Option<Digest>> {
    match File::open(path) {
        Ok(file) => Digest::of_reader(file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_allowed(url: &Url, allow_http: bool) -> bool {
    url.scheme() == "https" || allow_http && url.scheme() == "http"
}

fn hop(attempt: Attempt<'_>, allow_http: bool) -> reqwest::redirect::Action {
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error("too many redirects");
    }
    if !is_allowed(attempt.url(), allow_http) {
        return attempt.error("a redirect away from https");
    }
    attempt.follow()
}

/// The roots that browsers trust, and those that the operator adds.
fn tls(trusted: &[PathBuf]) -> Result<ClientConfig, DownloadError> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for file in trusted {
        let unusable = |problem: &dyn std::fmt::Display| {
            let file = file.display();
            DownloadError::Client(format!("download.trusted_certificates: {file}: {problem}"))
        };
        let read =
            CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        for certificate in read.map_err(|error| unusable(&error))? {
            let added = roots.add(certificate);
            added.map_err(|error| unusable(&error))?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| DownloadError::Client(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// An error with its causes and without its URL, which may be long.
fn words(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(inner) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    match text.is_empty() {
        true if error.is_timeout() => "no answer in time".to_owned(),
        true => "the request failed".to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests;
