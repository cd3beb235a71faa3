//! Asks another service about a blob without telling it which (rule B8).
//!
//! Invariant: of a hash nothing but its first digits leaves this machine, and nothing of whoever uploads it: all that a
//! request has is the URL with the digits and a header that asks for padding. The rest is compared here.
//!
//! The service answers `GET <url>/<digits>` with one hash a line, whole or without those digits, and perhaps a colon and a
//! number behind it; 0 marks what is padding.

mod answer;
mod cache;

use crate::blob::BlobHash;
use crate::config::{self, OnFailure};
use crate::watch;
use answer::Candidates;
use cache::Cache;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use trellis_relay::extension::prelude::*;
use trellis_relay::extension::{HttpClient, OutboundError};

/// An upload waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// The service, and what it has answered of late.
pub(crate) struct PrefixCheck {
    host: Host,
    url: Option<String>,
    digits: usize,
    min_candidates: usize,
    ttl_ms: u64,
    on_failure: OnFailure,
    cache: Mutex<Cache>,
}

/// What is to become of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The service does not know it, or nobody is asked.
    Clean,
    /// It is not to be stored.
    Known,
    /// The service has not answered, and the operator wants to store nothing then.
    Unanswered,
}

/// Why there is no answer to go by.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    #[error("line {0} of its answer is no hash")]
    NoHash(usize),
    #[error(
        "it knows only {found} hashes with these digits, and prefix_check.min_candidates wants {wanted}"
    )]
    Thin { found: usize, wanted: usize },
}

impl PrefixCheck {
    pub(crate) fn new(config: &config::PrefixCheck, host: &Host) -> Self {
        PrefixCheck {
            host: host.clone(),
            url: config.url.clone(),
            digits: config.prefix_digits as usize,
            min_candidates: config.min_candidates as usize,
            ttl_ms: config.cache_ttl.as_millis(),
            on_failure: config.on_failure,
            cache: Mutex::default(),
        }
    }

    /// Looks whether the service knows a blob.
    pub(crate) async fn look_up(&self, sha256: &BlobHash) -> Finding {
        let Some(url) = &self.url else {
            return Finding::Clean;
        };
        let name = sha256.to_string();
        let prefix = &name[..self.digits];
        let now_ms = self.host.clock().now_ms();
        let remembered = self.cache().get(prefix, now_ms);
        let candidates = match remembered {
            Some(candidates) => candidates,
            None => match self.ask(self.host.http_client(), url, prefix).await {
                Ok(candidates) => {
                    let candidates = Arc::new(candidates);
                    let until_ms = now_ms.saturating_add(self.ttl_ms);
                    self.cache().put(prefix, &candidates, now_ms, until_ms);
                    candidates
                }
                Err(error) => return self.failed(&error),
            },
        };
        if candidates.contains(sha256) {
            watch::prefix_checked("known");
            return Finding::Known;
        }
        // What hides among few does not hide.
        match candidates.lines() < self.min_candidates {
            true => self.failed(&CheckError::Thin {
                found: candidates.lines(),
                wanted: self.min_candidates,
            }),
            false => {
                watch::prefix_checked("clean");
                Finding::Clean
            }
        }
    }

    async fn ask(
        &self,
        client: &HttpClient,
        url: &str,
        prefix: &str,
    ) -> Result<Candidates, CheckError> {
        let request = client.get(&with_prefix(url, prefix));
        let request = match url.starts_with("https:") {
            true => request.strict(),
            // A service on the operator's own machine or network.
            false => request.unfollowed(),
        };
        // What an onlooker could tell from the length of the answer is padded away.
        let request = request.header("add-padding", "true").timeout(PATIENCE);
        let answer = request.max_body_bytes(ANSWER_BYTES_MAX).send().await?;
        let text = answer.error_for_status()?.bytes().await?;
        Candidates::read(&text, prefix).map_err(CheckError::NoHash)
    }

    fn failed(&self, error: &CheckError) -> Finding {
        tracing::warn!("the service of prefix_check.url is of no help: {error}");
        watch::prefix_checked("failed");
        match self.on_failure {
            OnFailure::Open => Finding::Clean,
            OnFailure::Closed => Finding::Unanswered,
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Behind a slash, unless the URL ends in what wants none.
fn with_prefix(url: &str, prefix: &str) -> String {
    match url.ends_with(['/', '=']) {
        true => format!("{url}{prefix}"),
        false => format!("{url}/{prefix}"),
    }
}
