//! Why a request is refused: one code for programs, one sentence for people.
//!
//! Invariant: every refusal of these routes has the form `{"error": {"code", "message", "details"}}`. What failed inside is
//! logged where it failed and is no part of it.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};

/// What programs go by. The status belongs to the code but for two that may be about the `Authorization` header (401) or
/// about the event in the body (400).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// 401: no `Authorization` header of NIP-98, or one that cannot be read.
    AuthRequired,
    /// 401 of the header, 400 of the event.
    InvalidSignature(Whose),
    /// 401 of the header, 400 of the event.
    TimestampOutOfRange(Whose),
    /// 401: this header was used before.
    AuthReplayed,
    /// 400: the body cannot be read, or says what cannot be.
    InvalidRequest,
    /// 413: the body is too long.
    TooLarge,
    /// 400, with `{provided, required}` in bits.
    PowInsufficient,
    /// 400: the event in the body is over by its own words.
    EventExpired,
    /// 403
    NotGroupMember,
    /// 403
    UserBanned,
    /// 403
    BlockedByParticipant,
    /// 403
    NotCommunityMember,
    /// 403
    CommunityNotAuthorized,
    /// 403: the room or its community names another operator.
    OperatorMismatch,
    /// 403
    RoomClosed,
    /// 403
    NotEpochLeader,
    /// 404
    RoomNotFound,
    /// 404
    CallNotFound,
    /// 403: the proxy asks nobody for this URL.
    TargetNotAllowed,
    /// 404: the server that the proxy asked has no such file.
    FileNotFound,
    /// 502: the server that the proxy asked did not do its part.
    UpstreamFailed,
    /// 409
    CallNotAnswered,
    /// 409, with `{epoch}`.
    MlsEpochMismatch,
    /// 429, with `Retry-After`.
    RateLimited,
    /// 503: LiveKit, or what has to be known for an answer, cannot be reached.
    LivekitUnavailable,
    /// 503
    Maintenance,
}

/// What a code is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Header,
    Event,
}

impl Code {
    fn status_and_name(self) -> (u16, &'static str) {
        let of = |whose| match whose {
            Whose::Header => 401,
            Whose::Event => 400,
        };
        match self {
            Code::AuthRequired => (401, "AUTH_REQUIRED"),
            Code::InvalidSignature(whose) => (of(whose), "INVALID_SIGNATURE"),
            Code::TimestampOutOfRange(whose) => (of(whose), "TIMESTAMP_OUT_OF_RANGE"),
            Code::AuthReplayed => (401, "AUTH_REPLAYED"),
            Code::InvalidRequest => (400, "INVALID_REQUEST"),
            Code::TooLarge => (413, "TOO_LARGE"),
            Code::PowInsufficient => (400, "POW_INSUFFICIENT"),
            Code::EventExpired => (400, "EVENT_EXPIRED"),
            Code::NotGroupMember => (403, "NOT_GROUP_MEMBER"),
            Code::UserBanned => (403, "USER_BANNED"),
            Code::BlockedByParticipant => (403, "BLOCKED_BY_PARTICIPANT"),
            Code::NotCommunityMember => (403, "NOT_COMMUNITY_MEMBER"),
            Code::CommunityNotAuthorized => (403, "COMMUNITY_NOT_AUTHORIZED"),
            Code::OperatorMismatch => (403, "OPERATOR_MISMATCH"),
            Code::RoomClosed => (403, "ROOM_CLOSED"),
            Code::NotEpochLeader => (403, "NOT_EPOCH_LEADER"),
            Code::RoomNotFound => (404, "ROOM_NOT_FOUND"),
            Code::CallNotFound => (404, "CALL_NOT_FOUND"),
            Code::TargetNotAllowed => (403, "TARGET_NOT_ALLOWED"),
            Code::FileNotFound => (404, "FILE_NOT_FOUND"),
            Code::UpstreamFailed => (502, "UPSTREAM_FAILED"),
            Code::CallNotAnswered => (409, "CALL_NOT_ANSWERED"),
            Code::MlsEpochMismatch => (409, "MLS_EPOCH_MISMATCH"),
            Code::RateLimited => (429, "RATE_LIMITED"),
            Code::LivekitUnavailable => (503, "LIVEKIT_UNAVAILABLE"),
            Code::Maintenance => (503, "MAINTENANCE"),
        }
    }
}

impl Code {
    /// What metrics call it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Code::AuthRequired => "auth_required",
            Code::InvalidSignature(_) => "invalid_signature",
            Code::TimestampOutOfRange(_) => "timestamp_out_of_range",
            Code::AuthReplayed => "auth_replayed",
            Code::InvalidRequest => "invalid_request",
            Code::TooLarge => "too_large",
            Code::PowInsufficient => "pow_insufficient",
            Code::EventExpired => "event_expired",
            Code::NotGroupMember => "not_group_member",
            Code::UserBanned => "user_banned",
            Code::BlockedByParticipant => "blocked_by_participant",
            Code::NotCommunityMember => "not_community_member",
            Code::CommunityNotAuthorized => "community_not_authorized",
            Code::OperatorMismatch => "operator_mismatch",
            Code::RoomClosed => "room_closed",
            Code::NotEpochLeader => "not_epoch_leader",
            Code::RoomNotFound => "room_not_found",
            Code::CallNotFound => "call_not_found",
            Code::TargetNotAllowed => "target_not_allowed",
            Code::FileNotFound => "file_not_found",
            Code::UpstreamFailed => "upstream_failed",
            Code::CallNotAnswered => "call_not_answered",
            Code::MlsEpochMismatch => "mls_epoch_mismatch",
            Code::RateLimited => "rate_limited",
            Code::LivekitUnavailable => "livekit_unavailable",
            Code::Maintenance => "maintenance",
        }
    }
}

/// A refusal.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) code: Code,
    /// For people: what was wrong and what would be right.
    message: String,
    /// What programs can use beside the code; an empty object where there is nothing.
    details: Value,
    retry_after_s: Option<u64>,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Failure {
            code,
            message: message.into(),
            details: json!({}),
            retry_after_s: None,
        }
    }

    /// `details` is an object.
    #[must_use]
    pub(crate) fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// When it makes sense to ask again.
    #[must_use]
    pub(crate) fn retry_after_s(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        let (status, _) = self.code.status_and_name();
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let (_, code) = self.code.status_and_name();
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((RETRY_AFTER, HeaderValue::from(seconds)));
        }
        response.json(json!({"error": {
            "code": code,
            "message": self.message,
            "details": self.details,
        }}))
    }
}
