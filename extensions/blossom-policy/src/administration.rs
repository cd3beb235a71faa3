//! What operators and trusted moderators decide about blobs and keys, whichever way they say it: by REST, by the management
//! API (NIP-86), by a command, or by a report.
//!
//! Invariant: every decision is written down with its reason, and with nobody's address. A decision is carried out to its
//! end once it has begun, even where whoever gave it is gone.

use crate::BlossomPolicy;
use crate::blob::BlobHash;
use crate::holdings::{Holdings, HoldingsError, to_its_end};
use crate::index::{Banned, Change, Index, IndexError, NewDecision};
use crate::refusal::Refusal;
use crate::watch;
use trellis_relay::extension::prelude::*;

/// A reason may have so many characters.
const REASON_CHARS_MAX: usize = 500;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A hash: is not stored, and what is stored of it is shown to nobody. A key: stores nothing.
    Ban,
    /// Takes that back. What is quarantined as well stays so.
    Unban,
    /// Shows a blob to nobody, until that is taken back.
    Quarantine,
    /// Shows it again, unless it is banned; what its owners have given up meanwhile is removed.
    Unquarantine,
    /// Removes a blob, whoever has claims to it. It may be stored anew, unless it is banned.
    Remove,
}

/// What it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Blob(BlobHash),
    Key(PublicKey),
}

impl Action {
    /// As decisions and metrics name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Action::Ban => "ban",
            Action::Unban => "unban",
            Action::Quarantine => "quarantine",
            Action::Unquarantine => "unquarantine",
            Action::Remove => "remove",
        }
    }
}

impl Subject {
    /// 64 hex digits of what the caller says they are.
    pub(crate) fn read(sha256: Option<&str>, pubkey: Option<&str>) -> Result<Self, Refusal> {
        match (sha256, pubkey) {
            (Some(sha256), None) => {
                let hash = sha256.parse().map(Subject::Blob);
                hash.map_err(|error: crate::blob::NoHash| Refusal::bad_request(error.to_string()))
            }
            (None, Some(pubkey)) => {
                let key = PublicKey::parse(pubkey).map(Subject::Key);
                key.map_err(|_| Refusal::bad_request("pubkey must be npub or 64 hex digits"))
            }
            _ => Err(Refusal::bad_request("say either sha256 or pubkey")),
        }
    }

    fn banned(self) -> Banned {
        match self {
            Subject::Blob(hash) => Banned::Hash(hash),
            Subject::Key(pubkey) => Banned::Pubkey(pubkey),
        }
    }

    /// A decision about it, as it is written down. The reason was [`checked`], or is one of the program's own.
    pub(crate) fn decision(self, now_ms: u64, by: &str, action: &str, reason: &str) -> NewDecision {
        NewDecision {
            decided_ms: now_ms,
            decided_by: by.to_owned(),
            action: action.to_owned(),
            subject: match self {
                Subject::Blob(hash) => hash.to_string(),
                Subject::Key(pubkey) => pubkey.to_hex(),
            },
            reason: reason.to_owned(),
        }
    }
}

/// Carries an order out and writes it down; whether anything has changed. [`Refusal::NoBlob`] where it is about a blob that
/// is not stored, unless that is to be banned. `by` is a key in hex, or the name of a service.
pub(crate) async fn carry_out(
    me: &BlossomPolicy,
    by: &str,
    action: Action,
    subject: Subject,
    reason: &str,
) -> Result<bool, Refusal> {
    let is_for_blobs = !matches!(action, Action::Ban | Action::Unban);
    if is_for_blobs && matches!(subject, Subject::Key(_)) {
        return Err(Refusal::bad_request(format!(
            "{} is for blobs: say sha256",
            action.name()
        )));
    }
    let now_ms = me.host.clock().now_ms();
    let decision = subject.decision(now_ms, by, action.name(), &checked(reason)?);
    let holdings = me.holdings.clone();
    let carried_out = async move { change(&holdings, action, subject, &decision).await };
    let has_changed = to_its_end(carried_out).await?;
    match subject {
        // Else a hash that was mistyped would look as if it was hidden or gone.
        Subject::Blob(hash) if is_for_blobs && !has_changed => {
            let blob = me.holdings.index().blob(&hash).await?;
            blob.map(|_| has_changed).ok_or(Refusal::NoBlob)
        }
        _ => Ok(has_changed),
    }
}

/// Whether anything has changed.
async fn change(
    holdings: &Holdings,
    action: Action,
    subject: Subject,
    decision: &NewDecision,
) -> Result<bool, HoldingsError> {
    let index = holdings.index();
    let banned = subject.banned();
    Ok(match (action, subject) {
        (Action::Ban, _) => decide(index, Change::Ban(&banned), decision).await?,
        (Action::Unban, _) => decide(index, Change::Unban(&banned), decision).await?,
        (Action::Quarantine, Subject::Blob(hash)) => {
            decide(index, Change::Quarantine(&hash), decision).await?
        }
        (Action::Unquarantine, Subject::Blob(hash)) => {
            let is_new = decide(index, Change::Unquarantine(&hash), decision).await?;
            if is_new && holdings.remove_given_up(hash).await?.is_some() {
                watch::removed("owner");
            }
            is_new
        }
        (Action::Remove, Subject::Blob(hash)) => {
            let is_removed = holdings.remove(hash).await?.is_some();
            if is_removed {
                watch::removed("operator");
                write_down(index, decision).await?;
            }
            is_removed
        }
        // Keys are banned and unbanned, and nothing else.
        (_, Subject::Key(_)) => false,
    })
}

/// Decides. The log hears that there was something, and not about whom or what.
pub(crate) async fn decide(
    index: &Index,
    change: Change<'_>,
    decision: &NewDecision,
) -> Result<bool, IndexError> {
    let has_changed = index.decide(change, decision).await?;
    if has_changed {
        tell(decision);
    }
    Ok(has_changed)
}

/// Writes down what was decided and is done. The same of its reason.
pub(crate) async fn write_down(index: &Index, decision: &NewDecision) -> Result<(), IndexError> {
    tell(decision);
    index.add_decision(decision).await
}

fn tell(decision: &NewDecision) {
    let (action, reason) = (&*decision.action, &*decision.reason);
    tracing::info!(action, reason, "decision about blobs");
}

/// The reason, if it can be logged: one line, not too long, that names nobody.
pub(crate) fn checked(reason: &str) -> Result<String, Refusal> {
    let reason = reason.trim();
    let chars = reason.chars().count();
    if chars == 0 || chars > REASON_CHARS_MAX || reason.chars().any(char::is_control) {
        return Err(Refusal::bad_request(format!(
            "reason must be one line of 1 to {REASON_CHARS_MAX} characters"
        )));
    }
    let is_hex = |text: &str| text.len() >= 64 && text.bytes().all(|it| it.is_ascii_hexdigit());
    let mut words = reason.split(|char: char| !char.is_ascii_alphanumeric());
    match words.any(|word| is_hex(word) || word.starts_with("npub1")) {
        true => Err(Refusal::bad_request(
            "reason is logged, so it must name no key and no hash",
        )),
        false => Ok(reason.to_owned()),
    }
}

impl From<IndexError> for Refusal {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Full => Refusal::Full,
            error => Refusal::inside(error),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn b14_a_reason_is_a_line_that_names_nobody() {
        assert_eq!(
            checked(" reported as malware ").unwrap(),
            "reported as malware"
        );
        let hash = "b1674191a88ec5cdd733e4240a81803105dc412d6c6708d53ab94fc248f4f553";
        let npub = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6";
        let long = "x".repeat(REASON_CHARS_MAX + 1);
        for wrong in ["", " ", "a\nb", &long, hash, &format!("see ({npub})")] {
            assert!(checked(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn b14_an_order_is_about_a_blob_or_a_key() {
        let hex = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e";
        assert!(matches!(
            Subject::read(Some(hex), None),
            Ok(Subject::Blob(_))
        ));
        assert!(matches!(
            Subject::read(None, Some(hex)),
            Ok(Subject::Key(_))
        ));
        for (sha256, pubkey) in [(None, None), (Some(hex), Some(hex)), (Some("x"), None)] {
            assert!(Subject::read(sha256, pubkey).is_err());
        }
    }
}
