//! The only text that clients see: NIP-01's machine-readable prefixes and a sentence.
//!
//! Invariant: internal error text never becomes a `Reason`; what fails inside is logged and answered
//! with [`Reason::internal`].

use std::borrow::Cow;
use std::fmt;

/// Why something was refused, as it stands in OK, CLOSED and NOTICE messages.
///
/// ```
/// use trellis_relay::reason::Reason;
/// assert_eq!(Reason::invalid("kind must be an integer").to_string(), "invalid: kind must be an integer");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The machine-readable part.
    pub prefix: Prefix,
    /// One sentence for people: what was wrong and what would be right.
    pub text: Cow<'static, str>,
}

/// The standard prefixes of NIP-01, NIP-42, NIP-45 and NIP-77.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// The relay has it already.
    Duplicate,
    /// Not enough proof of work (NIP-13).
    Pow,
    /// Refused by a policy that logging in does not change.
    Blocked,
    /// Too much in too little time.
    RateLimited,
    /// The message does not have the required form.
    Invalid,
    /// The authenticated user may not do this (NIP-42).
    Restricted,
    /// Authenticate first (NIP-42).
    AuthRequired,
    /// The relay does not do this.
    Unsupported,
    /// What was open is over (NIP-77).
    Closed,
    /// The relay failed; trying again may help.
    Error,
}

impl Prefix {
    /// The word before the colon.
    pub const fn as_str(self) -> &'static str {
        match self {
            Prefix::Duplicate => "duplicate",
            Prefix::Pow => "pow",
            Prefix::Blocked => "blocked",
            Prefix::RateLimited => "rate-limited",
            Prefix::Invalid => "invalid",
            Prefix::Restricted => "restricted",
            Prefix::AuthRequired => "auth-required",
            Prefix::Unsupported => "unsupported",
            Prefix::Closed => "closed",
            Prefix::Error => "error",
        }
    }
}

impl Reason {
    /// A reason with any prefix.
    pub fn new(prefix: Prefix, text: impl Into<Cow<'static, str>>) -> Self {
        Reason {
            prefix,
            text: text.into(),
        }
    }

    /// `invalid: ...`
    pub fn invalid(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Prefix::Invalid, text)
    }

    /// `blocked: ...`
    pub fn blocked(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Prefix::Blocked, text)
    }

    /// `restricted: ...`
    pub fn restricted(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Prefix::Restricted, text)
    }

    /// `auth-required: ...`
    pub fn auth_required(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Prefix::AuthRequired, text)
    }

    /// `duplicate: ...`
    pub fn duplicate(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Prefix::Duplicate, text)
    }

    /// `pow: ...`
    pub fn pow(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Prefix::Pow, text)
    }

    /// `rate-limited: ...`
    pub fn rate_limited(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Prefix::RateLimited, text)
    }

    /// `unsupported: ...`
    pub fn unsupported(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Prefix::Unsupported, text)
    }

    /// `closed: ...`
    pub fn closed(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Prefix::Closed, text)
    }

    /// `error: ...`
    pub fn error(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Prefix::Error, text)
    }

    /// For failures whose cause is logged and is nobody else's business.
    pub fn internal() -> Self {
        Self::error("the relay could not do this now; try again later")
    }

    /// For what has waited in vain for its turn.
    pub fn busy() -> Self {
        Self::error("the relay has too much to do; try again later")
    }

    /// For what cannot be judged any more.
    pub fn stopping() -> Self {
        Self::error("the relay is stopping")
    }
}

/// A text of others has at most so many characters when it is shown to clients.
pub const REASON_CHARS_MAX: usize = 1_000;

impl Reason {
    /// One short line, whoever wrote it.
    #[must_use]
    pub fn presentable(self) -> Self {
        Reason {
            prefix: self.prefix,
            text: presentable(self.text),
        }
    }
}

/// A text as one line of at most so many characters, in which none moves the cursor or turns the direction of writing.
pub fn one_line(text: &str, max_chars: usize) -> String {
    let kept = text.chars().take(max_chars);
    kept.map(|c| if disturbs(c) { ' ' } else { c }).collect()
}

/// A text as one line of at most [`REASON_CHARS_MAX`] characters, in which none moves the cursor or turns the direction of
/// writing; a generic one where nothing is left.
pub fn presentable(text: Cow<'static, str>) -> Cow<'static, str> {
    // As many bytes are no more characters, so most texts are looked at once.
    let is_short = text.len() <= REASON_CHARS_MAX;
    let text = match is_short && !text.contains(disturbs) {
        true => text,
        false => one_line(&text, REASON_CHARS_MAX).into(),
    };
    match text.trim().is_empty() {
        true => "no reason was given".into(),
        false => text,
    }
}

/// Control characters, line and paragraph separators, and those that turn the direction of writing.
fn disturbs(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.prefix.as_str(), self.text)
    }
}
