//! What became of actions on this node, and the reports that are still to be delivered: one file a network.
//!
//! Invariant: how an action ended and the signed report of it come onto the disk together, in one renamed file. So an
//! action is reported by one event, whatever happens in between, and that event is offered to each relay until the relay
//! has taken it or refused it for good.

use crate::durable;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use trellis_qube_protocol::decision::{self, Past};
use trellis_qube_protocol::{ActionKey, ActionKind, Directive, Pubkey, Version};
use url::Url;

/// The format of the file.
const FORMAT: u32 = 1;
/// How long a report is offered to a relay that does not answer. Seconds.
const OFFERED_FOR_S: u64 = 7 * 86_400;
/// Finished entries that are kept. What is older than all of these counts as never done: an upgrade is a downgrade then, and
/// refused where the operator allows none.
const KEPT: usize = 2_000;

/// All that ended.
pub(crate) struct History {
    path: PathBuf,
    book: Book,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    format: u32,
    entries: BTreeMap<ActionKey, Entry>,
    /// What came after the outcome of an action without being one, and reports of earlier outcomes that are on their way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    beside: Vec<(ActionKey, Entry)>,
    /// What the Go client had done, by its own keys: `upgrade:v1.2.3`, `reboot:v1.2.3:https://...`.
    #[serde(default)]
    imported: BTreeSet<String>,
}

/// One action.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// What was directed.
    pub(crate) directive: Directive,
    /// Whose directive is reported on.
    pub(crate) developer: Pubkey,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// When. Unix seconds.
    pub(crate) action_at: u64,
    /// When it was decided, which tells one time of doing it from another. Unix seconds.
    #[serde(default)]
    pub(crate) decided_at: u64,
    /// The signed report, until no relay needs it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) report: Option<nostr::event::Event>,
    /// Relays that are done with it, and what they said.
    #[serde(default)]
    pub(crate) delivered: BTreeMap<Url, String>,
}

impl Entry {
    /// Those of these relays that still need the report: others may have had it that are no longer asked.
    pub(crate) fn missing<'a>(&'a self, relays: &'a [Url]) -> impl Iterator<Item = &'a Url> {
        let needs = |url: &&Url| self.report.is_some() && !self.delivered.contains_key(*url);
        relays.iter().filter(needs)
    }
}

/// How an action ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Done.
    Success,
    /// Tried in vain.
    Failure {
        /// Why.
        error: String,
    },
    /// Not tried.
    Refused {
        /// Why.
        error: String,
        /// Whether it is never looked at again.
        is_final: bool,
    },
}

impl Outcome {
    /// One word.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure { .. } => "failure",
            Outcome::Refused { .. } => "refused",
        }
    }

    /// What went wrong.
    pub(crate) fn error(&self) -> Option<&str> {
        match self {
            Outcome::Success => None,
            Outcome::Failure { error } | Outcome::Refused { error, .. } => Some(error),
        }
    }
}

impl History {
    /// Reads it; where there is none, nothing ended.
    pub(crate) fn open(folder: &Path) -> io::Result<History> {
        let path = folder.join("history.json");
        let book = match durable::read(&path)? {
            Some(text) => serde_json::from_slice(&text).map_err(|error| {
                let message = format!("{}: {error}", path.display());
                io::Error::new(io::ErrorKind::InvalidData, message)
            })?,
            None => Book {
                format: FORMAT,
                entries: BTreeMap::new(),
                beside: Vec::new(),
                imported: BTreeSet::new(),
            },
        };
        if book.format != FORMAT {
            let message = format!(
                "{}: its format is {}; this agent reads {FORMAT}",
                path.display(),
                book.format
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(History { path, book })
    }

    /// What decisions need to know.
    pub(crate) fn past(&self) -> BTreeMap<ActionKey, Past> {
        let of = |(key, entry): (&ActionKey, &Entry)| {
            let outcome = match &entry.outcome {
                Outcome::Success => decision::Outcome::Done,
                Outcome::Failure { .. } | Outcome::Refused { is_final: true, .. } => {
                    decision::Outcome::Failed
                }
                Outcome::Refused { .. } => return None,
            };
            let at_s = entry.action_at;
            Some((*key, Past { outcome, at_s }))
        };
        self.book.entries.iter().filter_map(of).collect()
    }

    /// Of one action.
    pub(crate) fn entry(&self, key: &ActionKey) -> Option<&Entry> {
        self.book.entries.get(key)
    }

    /// All.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&ActionKey, &Entry)> {
        let beside = self.book.beside.iter().map(|(key, entry)| (key, entry));
        self.book.entries.iter().chain(beside)
    }

    /// Whether this is what was said of an action last, or of its refusal.
    pub(crate) fn has_told(&self, key: &ActionKey, error: &str) -> bool {
        self.entries()
            .filter(|(known, _)| *known == key)
            .any(|(_, entry)| entry.outcome.error() == Some(error))
    }

    /// The version of the last upgrade that succeeded here.
    pub(crate) fn version(&self) -> Option<&Version> {
        let done = |entry: &&Entry| {
            entry.outcome == Outcome::Success
                && entry.directive.action.kind() == ActionKind::Upgrade
        };
        let entries = self.book.entries.values().filter(done);
        let newest = entries.max_by_key(|entry| entry.action_at)?;
        Some(&newest.directive.version)
    }

    /// Whether the Go client did this action before the agent took its place.
    pub(crate) fn was_imported(&self, directive: &Directive) -> bool {
        let tail = match directive.action.genesis_url() {
            Some(url) => format!(":{url}"),
            None => String::new(),
        };
        let kind = directive.action.kind();
        let version = &directive.version;
        // It keys by the version as it was written, with or without v.
        [format!("{version}"), format!("v{version}")]
            .iter()
            .any(|version| {
                self.book
                    .imported
                    .contains(&format!("{kind}:{version}{tail}"))
            })
    }

    /// Adds what the Go client did.
    pub(crate) fn import(&mut self, keys: impl IntoIterator<Item = String>) -> io::Result<()> {
        self.book.imported.extend(keys);
        self.save()
    }

    /// Writes down how an action ended, with its report; durable when this returns. What was done stays done when it is
    /// refused later, and no report is lost that a relay still needs.
    pub(crate) fn record(&mut self, key: ActionKey, entry: Entry) -> io::Result<()> {
        let is_refusal = matches!(entry.outcome, Outcome::Refused { .. });
        let known = self.book.entries.get(&key);
        let was_done = known.is_some_and(|known| known.outcome == Outcome::Success);
        // Of what was said beside, only what is still on its way outlives something newer.
        let beside = &mut self.book.beside;
        beside.retain(|(other, said)| *other != key || said.report.is_some());
        if is_refusal && was_done {
            beside.push((key, entry));
        } else if let Some(before) = self.book.entries.insert(key, entry)
            && before.report.is_some()
        {
            beside.push((key, before));
        }
        self.forget_oldest();
        self.save()
    }

    /// The reports that these relays still need.
    pub(crate) fn undelivered(
        &self,
        relays: &[Url],
    ) -> Vec<(ActionKey, nostr::event::Event, Vec<Url>)> {
        let of = |(key, entry): (&ActionKey, &Entry)| {
            let missing: Vec<Url> = entry.missing(relays).cloned().collect();
            let report = entry.report.clone().filter(|_| !missing.is_empty())?;
            Some((*key, report, missing))
        };
        self.entries().filter_map(of).collect()
    }

    /// Writes down what relays said to the report that this event is. A report that no relay needs is given up, and so is
    /// one that was offered for a week.
    pub(crate) fn delivered(
        &mut self,
        key: &ActionKey,
        report: &nostr::event::Event,
        answers: Vec<(Url, String)>,
        relays: &[Url],
        now_s: u64,
    ) -> io::Result<()> {
        let is_it = |entry: &Entry| entry.report.as_ref().map(|event| event.id) == Some(report.id);
        let outcome = self.book.entries.get_mut(key);
        let beside = self.book.beside.iter_mut().map(|(_, entry)| entry);
        let Some(entry) = outcome.into_iter().chain(beside).find(|entry| is_it(entry)) else {
            return Ok(());
        };
        let is_old = report.created_at.as_secs().saturating_add(OFFERED_FOR_S) < now_s;
        if answers.is_empty() && !is_old {
            return Ok(());
        }
        entry.delivered.extend(answers);
        if is_old || relays.iter().all(|url| entry.delivered.contains_key(url)) {
            entry.report = None;
        }
        // A refusal is kept, so that it is told once.
        let is_refusal = |entry: &Entry| matches!(entry.outcome, Outcome::Refused { .. });
        let beside = &mut self.book.beside;
        beside.retain(|(_, entry)| entry.report.is_some() || is_refusal(entry));
        self.save()
    }

    fn forget_oldest(&mut self) {
        while self.book.entries.len() > KEPT {
            let oldest = self.book.entries.iter().min_by_key(|(_, e)| e.action_at);
            let Some(key) = oldest.map(|(key, _)| *key) else {
                return;
            };
            self.book.entries.remove(&key);
        }
        let too_many = self.book.beside.len().saturating_sub(KEPT);
        self.book.beside.drain(..too_many);
    }

    fn save(&self) -> io::Result<()> {
        durable::replace(&self.path, &serde_json::to_vec_pretty(&self.book)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_qube_protocol::{Action, Digest, Options};

    fn directive(version: &str, genesis: Option<&str>) -> Directive {
        Directive {
            network: "hqz".parse().expect("a network"),
            action: match genesis {
                Some(url) => Action::Reboot {
                    genesis_url: url.parse().expect("a URL"),
                    required_by: 1,
                },
                None => Action::Upgrade,
            },
            version: version.parse().expect("a version"),
            hash: Digest::of(b"program"),
            options: Options::default(),
        }
    }

    fn entry(outcome: Outcome, action_at: u64) -> Entry {
        let keys = nostr::key::Keys::generate();
        let report = nostr::event::EventBuilder::new(nostr::event::Kind::from(3333), "done");
        Entry {
            directive: directive("1.0.0", None),
            developer: keys.public_key().into(),
            outcome,
            action_at,
            decided_at: action_at,
            report: Some(crate::report::sign(report, &keys).expect("signed")),
            delivered: BTreeMap::new(),
        }
    }

    #[test]
    fn a2_what_ended_is_known_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = directive("1.0.0", None).key();
        let mut history = History::open(folder.path()).expect("a history");
        let done = entry(Outcome::Success, 5);
        history.record(key, done).expect("recorded");
        let history = History::open(folder.path()).expect("a history");
        let past = history.past()[&key];
        assert_eq!((past.outcome, past.at_s), (decision::Outcome::Done, 5));
        assert_eq!(
            history.version().map(ToString::to_string).as_deref(),
            Some("1.0.0")
        );
    }

    #[test]
    fn a2_what_was_done_stays_done_when_it_is_refused_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = directive("1.0.0", None).key();
        let mut history = History::open(folder.path()).expect("a history");
        let refused = |error: &str| Outcome::Refused {
            error: error.to_owned(),
            is_final: false,
        };
        for (outcome, at_s) in [
            (refused("too old"), 4),
            (Outcome::Success, 5),
            (refused("a downgrade"), 6),
        ] {
            history.record(key, entry(outcome, at_s)).expect("recorded");
        }
        let relays: Vec<Url> = vec!["wss://a.example".parse().expect("a URL")];
        assert_eq!(history.undelivered(&relays).len(), 3, "none is lost");
        for (key, report, missing) in history.undelivered(&relays) {
            let answers = vec![(missing[0].clone(), "accepted".to_owned())];
            let told = history.delivered(&key, &report, answers, &relays, 7);
            told.expect("written");
        }
        let history = History::open(folder.path()).expect("a history");
        assert!(history.undelivered(&relays).is_empty());
        let past = history.past()[&key];
        assert_eq!((past.outcome, past.at_s), (decision::Outcome::Done, 5));
        assert!(history.has_told(&key, "a downgrade"));
    }

    #[test]
    fn a2_what_the_go_client_did_is_done() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut history = History::open(folder.path()).expect("a history");
        let keys = ["upgrade:v1.2.3", "reboot:1.2.3:https://a.example/g.json"];
        history.import(keys.map(str::to_owned)).expect("imported");
        let history = History::open(folder.path()).expect("a history");
        assert!(history.was_imported(&directive("1.2.3", None)));
        assert!(!history.was_imported(&directive("1.2.4", None)));
        let genesis = "https://a.example/g.json";
        assert!(history.was_imported(&directive("v1.2.3", Some(genesis))));
        assert!(!history.was_imported(&directive("1.2.3", Some("https://b.example/"))));
    }

    #[test]
    fn a8_a_relay_that_is_no_longer_asked_delivers_for_no_other() {
        let [gone, asked] =
            ["wss://a.example", "wss://b.example"].map(|url| url.parse::<Url>().expect("a URL"));
        let mut entry = entry(Outcome::Success, 5);
        entry.delivered.insert(gone, "accepted".to_owned());
        let relays = [asked.clone()];
        assert_eq!(entry.missing(&relays).collect::<Vec<_>>(), [&asked]);
        entry.report = None;
        assert_eq!(entry.missing(&relays).count(), 0, "given up");
    }

    #[test]
    fn a6_a_report_is_kept_until_every_relay_answered() {
        let folder = tempfile::tempdir().expect("a folder");
        let relays: Vec<Url> = ["wss://a.example", "wss://b.example"]
            .map(|url| url.parse().expect("a URL"))
            .to_vec();
        let key = directive("1.0.0", None).key();
        let mut history = History::open(folder.path()).expect("a history");
        history
            .record(key, entry(Outcome::Success, 5))
            .expect("recorded");
        for (answered, left) in relays.iter().zip([1, 0]) {
            let (_, report, missing) = history.undelivered(&relays).remove(0);
            assert!(missing.contains(answered));
            let answers = vec![(answered.clone(), "accepted".to_owned())];
            let told = history.delivered(&key, &report, answers, &relays, 6);
            told.expect("written");
            history = History::open(folder.path()).expect("a history");
            assert_eq!(history.undelivered(&relays).len(), left);
        }
    }
}
