//! Fetches blobs from other servers, for `PUT /mirror`.
//!
//! Invariant: the URL was chosen by a stranger. Every one of them is checked before it is asked, those of redirects too; that
//! the connection goes to the address that was checked, and to no private one, is the relay's part (`[outbound]`), whose client
//! for strangers' URLs has turns of its own: a server that is slow on purpose keeps mirrors waiting, and nothing else. Nothing of
//! the client goes along, and nothing of the answer comes back but the blob, its length and its type.

mod source;

pub(crate) use source::Source;

use crate::blob::MimeType;
use crate::config::{self, Config};
use crate::refusal::Refusal;
use crate::spool::{Receive, Spool, SpoolError, Spooled};
use bytes::Bytes;
use futures_util::{Stream, stream};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use trellis_relay::extension::{HttpClient, HttpResponse, OutboundError};

const REDIRECTS_MAX: usize = 5;

/// An answer with a blob, of which nothing has been read.
pub(crate) struct Origin {
    answer: HttpResponse,
    /// It is read no further than this.
    max_bytes: u64,
    left: Duration,
}

impl Origin {
    /// Asks for the head of a blob that may have so many bytes.
    pub(crate) async fn ask(
        client: &HttpClient,
        mut source: Source,
        mirror: &config::Mirror,
        max_bytes: u64,
    ) -> Result<Self, Refusal> {
        let begun = Instant::now();
        // What the operator lets through altogether may be less.
        let max_bytes = max_bytes.min(client.max_body_bytes() as u64);
        for _ in 0..=REDIRECTS_MAX {
            let left = mirror.timeout.duration().saturating_sub(begun.elapsed());
            let request = client.get(source.url().as_str());
            let request = match mirror.https_only {
                true => request.strict(),
                false => request.unfollowed(),
            };
            let request = request.header("accept", "*/*").timeout(left);
            let request = request.max_body_bytes(usize::try_from(max_bytes).unwrap_or(usize::MAX));
            let answer = request
                .send()
                .await
                .map_err(|error| failed(&error, max_bytes))?;
            if let Some(location) = location(&answer) {
                source = source.redirected(&location, mirror.https_only)?;
                continue;
            }
            let origin = Origin {
                answer,
                max_bytes,
                left,
            };
            origin.check()?;
            return Ok(origin);
        }
        Err(unusable("the other server sends on again and again"))
    }

    /// Whether the answer is a whole blob, as far as its head tells.
    fn check(&self) -> Result<(), Refusal> {
        match self.answer.status() {
            200 => {}
            404 | 410 => return Err(unusable("the other server has no such blob")),
            status => {
                let text = format!("the other server answers with status {status}");
                return Err(Refusal::Origin(text.into()));
            }
        }
        let encoding = self.answer.header("content-encoding");
        if encoding.is_some_and(|it| !it.trim().eq_ignore_ascii_case("identity")) {
            return Err(unusable(
                "the other server sends the blob compressed, which nobody asked for",
            ));
        }
        match self.size_bytes() {
            Some(size_bytes) if size_bytes > self.max_bytes => Err(Refusal::TooLarge {
                max_bytes: self.max_bytes,
            }),
            _ => Ok(()),
        }
    }

    /// What the other server says of its length.
    pub(crate) fn size_bytes(&self) -> Option<u64> {
        self.answer.header("content-length")?.trim().parse().ok()
    }

    /// What the other server calls it, if that is a type that says something.
    pub(crate) fn mime_type(&self, says_something: impl Fn(&MimeType) -> bool) -> Option<MimeType> {
        let found = self.answer.header("content-type")?;
        MimeType::parse(found).filter(says_something)
    }

    /// Takes the blob in.
    pub(crate) async fn receive(self, spool: &Spool, wanted: Receive) -> Result<Spooled, Refusal> {
        let max_bytes = self.max_bytes.min(wanted.max_bytes);
        let wanted = Receive {
            max_bytes,
            total_timeout: wanted.total_timeout.min(self.left),
            ..wanted
        };
        let broken = Arc::new(OnceLock::new());
        let chunks = chunks(self.answer, Arc::clone(&broken));
        let received = spool.receive(chunks, &wanted).await;
        received.map_err(|error| match (error, broken.get()) {
            (SpoolError::Broken(_), Some(error))
                if !matches!(error, OutboundError::Failed { .. }) =>
            {
                failed(error, max_bytes)
            }
            (SpoolError::Broken(_) | SpoolError::WrongLength { .. }, _) => {
                unusable("the other server broke off")
            }
            (SpoolError::TooSlow, _) => unusable("the other server was too slow"),
            (error, _) => error.into(),
        })
    }
}

/// Tells the operator where the relay's own bounds let less through than mirrors may have.
pub(crate) fn tell_bounds(client: &HttpClient, config: &Config) {
    let mirror = &config.mirror;
    let wanted_bytes = mirror.max_bytes.unwrap_or(config.max_upload_bytes);
    let allowed_bytes = client.max_body_bytes() as u64;
    if mirror.enabled && allowed_bytes < wanted_bytes.bytes() {
        tracing::warn!(
            "mirrors may have {wanted_bytes}, but outbound.max_body_bytes lets {allowed_bytes} bytes through: longer ones are refused"
        );
    }
    let (wanted, allowed) = (mirror.timeout.duration(), client.timeout());
    if mirror.enabled && allowed < wanted {
        tracing::warn!(
            "mirrors may take {wanted:?}, but outbound.timeout ends them after {allowed:?}"
        );
    }
}

/// The body in parts. Why it ends early, it leaves behind.
fn chunks(
    answer: HttpResponse,
    broken: Arc<OnceLock<OutboundError>>,
) -> impl Stream<Item = Result<Bytes, &'static str>> {
    stream::unfold(Some(answer), move |answer| {
        let broken = Arc::clone(&broken);
        async move {
            let mut answer = answer?;
            match answer.chunk().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(answer))),
                Ok(None) => None,
                Err(error) => {
                    let _ = broken.set(error);
                    Some((Err("the other server failed"), None))
                }
            }
        }
    })
}

/// Where an answer sends on to, if it does.
fn location(answer: &HttpResponse) -> Option<String> {
    match answer.status() {
        301 | 302 | 303 | 307 | 308 => answer.header("location").map(str::to_owned),
        _ => None,
    }
}

fn unusable(text: &'static str) -> Refusal {
    Refusal::Origin(text.into())
}

/// What went wrong goes to the log, since it may name addresses of the operator's own network.
fn failed(error: &OutboundError, max_bytes: u64) -> Refusal {
    tracing::info!("a blob could not be fetched: {error}");
    match error {
        OutboundError::Url(_) => Refusal::bad_request("this URL is not one to be fetched"),
        OutboundError::Private { .. } => {
            Refusal::bad_request("this URL leads to an address that is not public")
        }
        OutboundError::TooLarge(_) => Refusal::TooLarge { max_bytes },
        OutboundError::Busy(_) => {
            Refusal::busy("too many blobs are being fetched; try again in a moment")
        }
        OutboundError::Timeout(_) => unusable("the other server did not answer in time"),
        OutboundError::Stopped => Refusal::busy("this server is being stopped"),
        _ => unusable("the other server could not be asked"),
    }
}
