//! A request, from what the extension wants to the head of the answer.

use super::HttpClient;
use super::destination;
use super::error::OutboundError;
use super::line::Line;
use super::parts::{Body, Parts};
use super::response::HttpResponse;
use super::tally::Tally;
use bytes::Bytes;
use futures_util::Stream;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// A request that is being put together. What is wrong with it, [`HttpRequest::send`] says.
///
/// ```
/// use std::time::Duration;
/// use trellis_relay::extension::OutboundError;
/// use trellis_relay::extension::prelude::*;
/// async fn is_known(host: &Host, event: &Event) -> Result<bool, OutboundError> {
///     let url = format!("https://accounts.example/{}", event.pubkey());
///     let request = host.http_client().get(&url);
///     let answer = request.timeout(Duration::from_millis(500)).send().await?;
///     Ok(answer.status() == 200)
/// }
/// ```
#[must_use = "nothing happens before `send`"]
pub struct HttpRequest {
    client: HttpClient,
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Body,
    timeout: Duration,
    max_body_bytes: usize,
    redirects: Redirects,
    problem: Option<OutboundError>,
}

impl HttpRequest {
    pub(super) fn new(client: HttpClient, method: Method, url: &str) -> Self {
        HttpRequest {
            client,
            method,
            url: url.to_owned(),
            headers: HeaderMap::new(),
            body: Body::default(),
            timeout: Duration::MAX,
            max_body_bytes: usize::MAX,
            redirects: Redirects::Follow,
            problem: None,
        }
    }

    /// Sets a header. A redirect to another origin takes only `Accept` and `Content-Type` along.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(mut value)) => {
                // No `Debug` shows it.
                value.set_sensitive(true);
                self.headers.insert(name, value);
            }
            _ => self.problem = Some(OutboundError::Header),
        }
        self
    }

    /// Sends these bytes. A redirect that would take them to another origin is [`OutboundError::BodyElsewhere`]: ask that
    /// one by its own URL if it shall have them.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Body::Whole(body.into());
        self
    }

    /// Sends what comes in parts, `bytes` together: a file that is too long for memory. More or less than that breaks the
    /// request off, as an error of the stream does. It is sent once, so a redirect that wants it again is
    /// [`OutboundError::BodySent`].
    ///
    /// ```
    /// use trellis_relay::extension::OutboundError;
    /// use trellis_relay::extension::prelude::*;
    /// async fn store(host: &Host) -> Result<u16, OutboundError> {
    ///     let parts = ["what is ", "long"].map(|it| std::io::Result::Ok(it.into()));
    ///     let parts = futures_util::stream::iter(parts);
    ///     let request = host.http_client().put("https://files.example/upload").stream(12, parts);
    ///     Ok(request.send().await?.status())
    /// }
    /// ```
    pub fn stream<E>(
        mut self,
        bytes: u64,
        parts: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    ) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.body = Body::Parts(Parts::new(bytes, parts));
        self
    }

    /// Sends this as JSON.
    pub fn json(mut self, body: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(body) {
            Ok(json) => self.body = Body::Whole(json.into()),
            Err(error) => self.problem = Some(OutboundError::Json(error)),
        }
        let json = HeaderValue::from_static("application/json");
        self.headers.entry(CONTENT_TYPE).or_insert(json);
        self
    }

    /// The whole answer shall be there within this time; `outbound.timeout` counts where it is shorter.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// A longer answer is an error; `outbound.max_body_bytes` counts where it is less.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// For a URL that a stranger chose: `https` alone; a name that leads to any address where extensions may not go leads
    /// nowhere, whatever else it leads to; and a redirect is an answer like any other, so that whoever asks looks at where
    /// it leads before following it with a request of its own.
    pub fn strict(mut self) -> Self {
        self.redirects = Redirects::Strict;
        self
    }

    /// A redirect is an answer like any other, so that whoever asks looks at where it leads first. [`HttpRequest::strict`]
    /// has this as well.
    pub fn unfollowed(mut self) -> Self {
        if self.redirects == Redirects::Follow {
            self.redirects = Redirects::Answer;
        }
        self
    }

    /// Sends it, and waits for the head of the answer, whatever its status. Dropping the future calls it off.
    pub async fn send(mut self) -> Result<HttpResponse, OutboundError> {
        let mut tally = Tally::new(self.client.inner.extension);
        let answer = self.ask().await;
        let told = answer
            .as_ref()
            .map_or_else(OutboundError::outcome, |_| "answered");
        tally.say(told);
        let (answer, terms) = answer?;
        Ok(HttpResponse::new(answer, terms, tally))
    }

    async fn ask(&mut self) -> Result<(reqwest::Response, Terms), OutboundError> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        let url = destination::parse(&self.url)?;
        let line = self.client.line()?;
        let timeout = self.timeout.min(line.settings.timeout.duration());
        let settings_bytes = line.settings.max_body_bytes.as_usize();
        let deadline = Instant::now() + timeout;
        let late = |_| OutboundError::Timeout(timeout);

        let turn = timeout_at(deadline, line.turn()).await.map_err(late)??;
        let hops = Hops {
            line,
            method: self.method.clone(),
            url,
            headers: std::mem::take(&mut self.headers),
            body: std::mem::take(&mut self.body),
            redirects: self.redirects,
        };
        let asking = self.client.inner.runtime.spawn(hops.follow());
        let mut asking = CalledOff(asking);
        let asked = timeout_at(deadline, &mut asking.0).await.map_err(late)?;
        let answer = asked.map_err(|_| OutboundError::Stopped)??;
        let terms = Terms {
            deadline,
            timeout,
            max_body_bytes: self.max_body_bytes.min(settings_bytes),
            _turn: turn,
        };
        Ok((answer, terms))
    }
}

/// What becomes of an answer that sends the request on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Redirects {
    /// It is asked where it leads.
    Follow,
    /// It is the answer.
    Answer,
    /// The same, for a URL that a stranger chose.
    Strict,
}

/// What holds until the body has been read.
pub(super) struct Terms {
    pub(super) deadline: Instant,
    pub(super) timeout: Duration,
    pub(super) max_body_bytes: usize,
    _turn: tokio::sync::OwnedSemaphorePermit,
}

/// A request on its way from server to server.
struct Hops {
    line: Arc<Line>,
    method: Method,
    url: reqwest::Url,
    headers: HeaderMap,
    body: Body,
    redirects: Redirects,
}

impl Hops {
    async fn follow(self) -> Result<reqwest::Response, OutboundError> {
        match self.redirects {
            Redirects::Follow => self.ask_on().await,
            Redirects::Answer | Redirects::Strict => self.ask_once().await,
        }
    }

    async fn ask_once(self) -> Result<reqwest::Response, OutboundError> {
        let client = match self.redirects {
            Redirects::Strict if self.url.scheme() != "https" => {
                return Err(OutboundError::Url("only https can be asked"));
            }
            Redirects::Strict => &self.line.strict_client,
            Redirects::Follow | Redirects::Answer => &self.line.client,
        };
        destination::check(&self.url, &self.line.settings.allow_private)?;
        let request = client.request(self.method, self.url);
        let request = request.headers(self.headers).body(self.body.into_sent());
        request.send().await.map_err(OutboundError::of)
    }

    async fn ask_on(mut self) -> Result<reqwest::Response, OutboundError> {
        let settings = &self.line.settings;
        for _ in 0..=settings.max_redirects {
            destination::check(&self.url, &settings.allow_private)?;
            let request = self
                .line
                .client
                .request(self.method.clone(), self.url.clone())
                .headers(self.headers.clone())
                .body(self.body.take().ok_or(OutboundError::BodySent)?);
            let answer = request.send().await.map_err(OutboundError::of)?;
            let Some(next) = destination::redirect(&answer, &self.url)? else {
                return Ok(answer);
            };
            if !destination::keeps_body(answer.status(), &self.method) {
                self.method = Method::GET;
                self.body = Body::default();
                self.headers.remove(CONTENT_TYPE);
            }
            if next.origin() != self.url.origin() {
                if !self.body.is_empty() {
                    return Err(OutboundError::BodyElsewhere);
                }
                destination::strip(&mut self.headers);
            }
            self.url = next;
        }
        Err(OutboundError::Redirects(settings.max_redirects))
    }
}

/// A task that ends with whoever waits for it.
struct CalledOff<T>(JoinHandle<T>);

impl<T> Drop for CalledOff<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl std::fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpRequest({})", self.method)
    }
}
