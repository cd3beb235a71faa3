//! Why a request to another server brought no answer.
//!
//! Invariant: the text names hosts and addresses at most, never paths, queries, headers or bodies, so that it can be logged.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

/// Why a request to another server brought no answer. An answer with a status of 400 or more is an answer, unless
/// [`super::HttpResponse::error_for_status`] is asked.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The URL, or one that a redirect named, is not one to ask.
    #[error("{0}")]
    Url(&'static str),
    /// A header's name or value holds what no header may.
    #[error("a header's name or value has characters that no header may have")]
    Header,
    /// What was to be sent as JSON, or came as it, is not.
    #[error("the body is no such JSON")]
    Json(#[source] serde_json::Error),
    /// It is somewhere that extensions may not go.
    #[error(
        "{host} is at {address}, which is not a public address; outbound.allow_private can allow it"
    )]
    Private {
        /// As the URL has it.
        host: String,
        /// Where it leads.
        address: IpAddr,
    },
    /// A redirect from `https` to `http`.
    #[error("a redirect from https to http")]
    Downgrade,
    /// A redirect by which another origin would get the body, which is meant for the first.
    #[error("a redirect that takes the body of the request to another origin")]
    BodyElsewhere,
    /// A redirect that wants the body again, of which nothing is kept once it was sent.
    #[error("a redirect that wants a body again that was sent in parts")]
    BodySent,
    /// It was redirected again and again.
    #[error("more than {0} redirects; outbound.max_redirects can allow more")]
    Redirects(u32),
    /// So many requests of the extension wait already.
    #[error(
        "{0} requests of this extension wait for their turn already; outbound.max_concurrent and outbound.max_waiting bound them"
    )]
    Busy(u32),
    /// The whole answer was not there in time.
    #[error("no whole answer within {0:?}; outbound.timeout bounds it, or the request itself")]
    Timeout(Duration),
    /// The body is longer than is taken. Bytes.
    #[error(
        "the answer is longer than {0} bytes; outbound.max_body_bytes bounds it, or the request itself"
    )]
    TooLarge(usize),
    /// The name could not be resolved, the connection not be made, or it broke.
    #[error("{what}: {cause}")]
    Failed {
        /// What was being done.
        what: &'static str,
        /// The innermost reason, as the system or the protocol calls it.
        cause: String,
        /// All of them.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The answer was there, and its status was not one of 200 to 299.
    #[error("the answer has status {0}")]
    Status(u16),
    /// The extension is being stopped.
    #[error("the extension is being stopped")]
    Stopped,
}

impl OutboundError {
    /// Without the URL, which the other's error would tell.
    pub(super) fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut cause: &(dyn Error + 'static) = &error;
        loop {
            if let Some(OutboundError::Private { host, address }) = cause.downcast_ref() {
                return OutboundError::Private {
                    host: host.clone(),
                    address: *address,
                };
            }
            let Some(inner) = cause.source() else { break };
            cause = inner;
        }
        let what = match () {
            () if error.is_connect() => "no connection",
            () if error.is_body() || error.is_decode() => "the answer broke off",
            () => "the request failed",
        };
        OutboundError::Failed {
            what,
            cause: cause.to_string(),
            source: error.into(),
        }
    }

    /// The label of `trellis_outbound_requests_total`.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            OutboundError::Url(_)
            | OutboundError::Private { .. }
            | OutboundError::Downgrade
            | OutboundError::BodyElsewhere
            | OutboundError::BodySent
            | OutboundError::Redirects(_) => "refused",
            OutboundError::Busy(_) => "busy",
            OutboundError::Timeout(_) => "timeout",
            OutboundError::TooLarge(_) => "too_large",
            OutboundError::Stopped => "dropped",
            OutboundError::Header
            | OutboundError::Json(_)
            | OutboundError::Status(_)
            | OutboundError::Failed { .. } => "failed",
        }
    }
}
