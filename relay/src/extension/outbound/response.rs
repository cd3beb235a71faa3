//! An answer: its head, and a body that is read within bounds.

use super::error::OutboundError;
use super::request::Terms;
use super::tally::Tally;
use bytes::{Bytes, BytesMut};
use serde::de::DeserializeOwned;
use tokio::time::timeout_at;

/// An answer, whatever its status: see [`HttpResponse::error_for_status`]. It holds its place among the extension's
/// requests until it is read or dropped.
#[must_use = "an answer may be a refusal: look at its status"]
pub struct HttpResponse {
    answer: reqwest::Response,
    terms: Terms,
    read_bytes: usize,
    tally: Tally,
}

impl HttpResponse {
    pub(super) fn new(answer: reqwest::Response, terms: Terms, tally: Tally) -> Self {
        HttpResponse {
            answer,
            terms,
            read_bytes: 0,
            tally,
        }
    }

    /// The status, such as 200.
    pub fn status(&self) -> u16 {
        self.answer.status().as_u16()
    }

    /// Whether the status is one of 200 to 299.
    pub fn is_success(&self) -> bool {
        self.answer.status().is_success()
    }

    /// The answer if its status is one of 200 to 299, else [`OutboundError::Status`].
    pub fn error_for_status(self) -> Result<Self, OutboundError> {
        match self.is_success() {
            true => Ok(self),
            false => Err(OutboundError::Status(self.status())),
        }
    }

    /// The first header of this name, if it is plain text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.answer.headers().get(name)?.to_str().ok()
    }

    /// The next part of the body, `None` at its end. Fails once the bytes or the time are used up.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, OutboundError> {
        let chunk = self.next().await;
        if let Err(error) = &chunk {
            self.tally.say(error.outcome());
        }
        chunk
    }

    /// The whole body.
    pub async fn bytes(mut self) -> Result<Bytes, OutboundError> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The whole body as text; what is not UTF-8 is replaced.
    pub async fn text(self) -> Result<String, OutboundError> {
        Ok(String::from_utf8_lossy(&self.bytes().await?).into_owned())
    }

    /// The whole body, read as JSON.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, OutboundError> {
        serde_json::from_slice(&self.bytes().await?).map_err(OutboundError::Json)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, OutboundError> {
        let Terms {
            deadline,
            timeout,
            max_body_bytes,
            ..
        } = self.terms;
        let too_large = OutboundError::TooLarge(max_body_bytes);
        let announced = self.answer.content_length().unwrap_or(0);
        if announced > max_body_bytes as u64 {
            return Err(too_large);
        }
        let chunk = timeout_at(deadline, self.answer.chunk()).await;
        let chunk = chunk.map_err(|_| OutboundError::Timeout(timeout))?;
        let chunk = chunk.map_err(OutboundError::of)?;
        self.read_bytes += chunk.as_ref().map_or(0, Bytes::len);
        match self.read_bytes > max_body_bytes {
            true => Err(too_large),
            false => Ok(chunk),
        }
    }
}

impl std::fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpResponse({})", self.status())
    }
}
