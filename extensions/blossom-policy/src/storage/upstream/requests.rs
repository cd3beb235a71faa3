//! What is asked of the server, and what it may send on to.

use super::StorageError;
use crate::blob::BlobHash;
use std::ops::Range;
use trellis_relay::extension::{HttpClient, HttpRequest, HttpResponse, OutboundError};
use url::Url;

const REDIRECTS_MAX: usize = 3;

/// Asks the server.
#[derive(Clone)]
pub(super) struct Requests {
    url: Url,
    client: HttpClient,
}

impl Requests {
    pub(super) fn new(url: Url, client: HttpClient) -> Self {
        Requests { url, client }
    }

    /// An answer may be so long.
    pub(super) fn max_body_bytes(&self) -> usize {
        self.client.max_body_bytes()
    }

    pub(super) fn upload(&self) -> HttpRequest {
        self.client.put(self.url_of("upload").as_str())
    }

    pub(super) fn delete(&self, hash: &BlobHash) -> HttpRequest {
        self.client.delete(self.url_of(&hash.to_string()).as_str())
    }

    /// The head of a blob, if it is there.
    pub(super) async fn head(&self, hash: &BlobHash) -> Result<Option<HttpResponse>, StorageError> {
        self.read("size", hash, |client, url| client.head(url))
            .await
    }

    /// A part of a blob, if it is there.
    pub(super) async fn part(
        &self,
        hash: &BlobHash,
        range: &Range<u64>,
    ) -> Result<Option<HttpResponse>, StorageError> {
        let wanted = format!("bytes={}-{}", range.start, range.end - 1);
        self.read("get", hash, |client, url| {
            client.get(url).header("range", &wanted)
        })
        .await
    }

    async fn read(
        &self,
        operation: &'static str,
        hash: &BlobHash,
        request: impl Fn(&HttpClient, &str) -> HttpRequest,
    ) -> Result<Option<HttpResponse>, StorageError> {
        let mut url = self.url_of(&hash.to_string());
        for _ in 0..=REDIRECTS_MAX {
            let answer = request(&self.client, url.as_str())
                .unfollowed()
                .send()
                .await;
            let answer = answer.map_err(|error| failed(operation, &error))?;
            match answer.status() {
                200 | 206 => return Ok(Some(answer)),
                404 | 410 => return Ok(None),
                301 | 302 | 303 | 307 | 308 => {
                    let location = answer.header("location");
                    let next = location.and_then(|it| redirected(&url, it, hash));
                    url = next.ok_or_else(|| StorageError::Remote {
                        operation,
                        what: "it sends on to a URL that is not this blob's".to_owned(),
                    })?;
                }
                status => return Err(refused(operation, status)),
            }
        }
        Err(StorageError::Remote {
            operation,
            what: "it sends on again and again".to_owned(),
        })
    }

    fn url_of(&self, name: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(name);
        url
    }
}

/// Where an answer leads, if that is a URL with the blob's hash in its path (BUD-01). From https it stays https.
fn redirected(from: &Url, location: &str, hash: &BlobHash) -> Option<Url> {
    let next = from.join(location).ok()?;
    let keeps_safe = next.scheme() == "https" || next.scheme() == from.scheme();
    (keeps_safe && next.path().contains(&hash.to_string())).then_some(next)
}

/// What a server said no with.
pub(super) fn refused(operation: &'static str, status: u16) -> StorageError {
    StorageError::Remote {
        operation,
        what: format!("it answers with status {status}"),
    }
}

/// Why there is no answer, or not all of it.
pub(super) fn failed(operation: &'static str, error: &OutboundError) -> StorageError {
    let what = error.to_string();
    match error {
        OutboundError::Timeout(_) => StorageError::NoAnswer { operation, what },
        _ => StorageError::Remote { operation, what },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn b13_a_redirect_has_the_hash_and_stays_safe() {
        let hash = BlobHash::from_bytes([0xab; 32]);
        let from = Url::parse("https://media.internal/a").unwrap();
        let leads = |location: &str| redirected(&from, location, &hash).is_some();
        assert!(leads(&format!("/{hash}.pdf")));
        assert!(leads(&format!("https://cdn.example/b/{hash}")));
        assert!(!leads("https://cdn.example/other"));
        assert!(!leads(&format!("https://cdn.example/?x={hash}")));
        assert!(!leads(&format!("http://cdn.example/{hash}")));
        assert!(!leads(&format!("file:///{hash}")));
    }
}
