//! What comes in: directives of a network's own developers, from a session that has authenticated as the author, and reports
//! that name such a developer.
//!
//! Invariant: a report needs no authentication, since the widely used client publishes it without; a directive always does.
//! What comes by sync or import is looked at by [`read_any`], in the transaction: it needs no session, and its deadline
//! may be over. How long an event may be is bounded in both, since logs keep it for good and peers hand it over.

use crate::QubeCoordination;
use crate::fields;
use crate::watch;
use trellis_qube_protocol::{
    Ack, IdentityRefusal, KIND_ACK, KIND_SIGNAL, MAX_AHEAD_S, MAX_EVENT_BYTES, MAX_REPORT_DELAY_S,
    NetworkId, Pubkey, Signal,
};
use trellis_relay::extension::prelude::*;

/// Characters of a network's name that is repeated to whoever sent it.
const SHOWN_CHARS: usize = 64;

/// Registers the hooks.
pub(crate) fn register(hooks: &mut Registrar<QubeCoordination>) {
    hooks.phase(Phase::Auth);
    hooks.admit(KIND_SIGNAL, |me, event, viewer| {
        Ok(told(KIND_SIGNAL, me.refusal_of_signal(event, viewer)))
    });
    hooks.admit(KIND_ACK, |me, event, _viewer| {
        Ok(told(KIND_ACK, me.refusal_of_ack(event)))
    });
}

fn told(kind: u16, refusal: Option<Refused>) -> Admit {
    let result = refusal.as_ref().map_or("accepted", |it| it.label);
    watch::judged(kind, result);
    refusal.map(|it| it.reason).into()
}

/// Why something does not come in, and under which label it is counted.
pub(crate) struct Refused {
    pub(crate) label: &'static str,
    pub(crate) reason: Reason,
}

impl Refused {
    fn invalid(text: impl Into<String>) -> Self {
        Refused {
            label: "invalid",
            reason: Reason::invalid(text.into()),
        }
    }

    pub(crate) fn restricted(text: impl Into<String>) -> Self {
        Refused {
            label: "restricted",
            reason: Reason::restricted(text.into()),
        }
    }

    pub(crate) fn too_many(text: impl Into<String>) -> Self {
        Refused {
            label: "too_many",
            reason: Reason::restricted(text.into()),
        }
    }

    fn unknown_network(me: &QubeCoordination, id: &NetworkId) -> Self {
        let known: Vec<&str> = me.networks.keys().map(NetworkId::as_str).take(8).collect();
        Refused {
            label: "unknown_network",
            reason: Reason::restricted(format!(
                "the network {:?} is not coordinated here; wanted one of: {}",
                shortened(id.as_str()),
                known.join(", ")
            )),
        }
    }
}

impl From<IdentityRefusal> for Refused {
    fn from(refusal: IdentityRefusal) -> Self {
        Refused {
            label: match refusal {
                IdentityRefusal::TooManyNodes | IdentityRefusal::TooManyOfKey => "too_many",
                _ => "restricted",
            },
            reason: Reason::restricted(refusal.to_string()),
        }
    }
}

impl QubeCoordination {
    fn refusal_of_signal(&self, event: &Event, viewer: &Viewer) -> Option<Refused> {
        if let Some(refused) = refusal_of_length(event) {
            return Some(refused);
        }
        let author = fields::author(event);
        let signal = fields::signal(event);
        let network = signal.as_ref().ok().map(Signal::network);
        if !self.may_direct(&author, network) {
            self.note_attempt(event, author);
        }
        // A client that is asked to authenticate tries again, and then learns what else is wrong.
        if !viewer.is_authenticated() && signal.is_ok() {
            return Some(Refused {
                label: "auth_required",
                reason: Reason::auth_required(
                    "a directive is taken from a session that has authenticated as its author",
                ),
            });
        }
        let signal = match signal {
            Ok(signal) => signal,
            Err(error) => return Some(Refused::invalid(error.to_string())),
        };
        if let Some(refused) = self.refusal_of_developer(&signal) {
            return Some(refused);
        }
        if !viewer.is(event.pubkey()) {
            return Some(Refused::restricted(
                "this session has authenticated as another key than the directive's author",
            ));
        }
        if let Err(error) = signal.check_deadline(self.host.clock().now_s()) {
            return Some(Refused::invalid(error.to_string()));
        }
        let wait = self
            .directives
            .try_take(&signal.developer.to_string())
            .err()?;
        Some(Refused {
            label: "rate_limited",
            reason: Reason::rate_limited(format!(
                "more than {} directives of this key in an hour, try again in {} s",
                self.settings.directives_per_hour,
                wait.as_secs() + 1
            )),
        })
    }

    /// What is wrong with who directs what.
    fn refusal_of_developer(&self, signal: &Signal) -> Option<Refused> {
        match self.networks.get(signal.network()) {
            None => Some(Refused::unknown_network(self, signal.network())),
            Some(network) if !network.developers.contains(&signal.developer) => {
                Some(Refused::restricted(format!(
                    "this key is none of the developers who direct the network {:?}",
                    shortened(signal.network().as_str())
                )))
            }
            Some(_) => None,
        }
    }

    fn may_direct(&self, author: &Pubkey, network: Option<&NetworkId>) -> bool {
        match network.and_then(|id| self.networks.get(id)) {
            Some(network) => network.developers.contains(author),
            // What network is meant cannot be told: whoever directs any of them has made a mistake and no attempt.
            None => self
                .networks
                .values()
                .any(|it| it.developers.contains(author)),
        }
    }

    fn note_attempt(&self, event: &Event, author: Pubkey) {
        let network = event.first_tag_value("network");
        let network = network.map(|name| shortened(&name));
        if self.attempts.note(author, fields::id(event), network) {
            watch::attempted();
        }
    }

    fn refusal_of_ack(&self, event: &Event) -> Option<Refused> {
        if let Some(refused) = refusal_of_length(event) {
            return Some(refused);
        }
        let ack = match fields::ack(event) {
            Ok(ack) => ack,
            Err(error) => return Some(Refused::invalid(error.to_string())),
        };
        if let Some(refused) = self.refusal_of_report(&ack) {
            return Some(refused);
        }
        let now_s = self.host.clock().now_s();
        if let Err(error) = ack.check_time(now_s) {
            return Some(Refused::invalid(error.to_string()));
        }
        // Else whoever comes late could claim to have been a node's first key.
        if ack.created_at.saturating_add(MAX_REPORT_DELAY_S) < now_s {
            return Some(Refused::invalid(
                "`created_at` is more than a week ago: sign a report when it is made",
            ));
        }
        let refusal = self.holdings.may_report(&ack).err()?;
        Some(refusal.into())
    }

    fn refusal_of_report(&self, ack: &Ack) -> Option<Refused> {
        match self.networks.get(&ack.report.network) {
            None => Some(Refused::unknown_network(self, &ack.report.network)),
            Some(network) if !network.developers.contains(&ack.report.developer) => {
                Some(Refused::restricted(format!(
                    "`a` names nobody who directs the network {:?}",
                    shortened(ack.report.network.as_str())
                )))
            }
            Some(_) => None,
        }
    }
}

/// What an event of either kind says.
pub(crate) enum Said {
    /// A directive.
    Signal(Signal),
    /// A report.
    Ack(Ack),
}

/// What an event says, where it is right wherever it comes from: its length and form, its network, who directs that, and a time
/// that is not ahead: what is dated ahead would keep its address from all that its author signs until then.
pub(crate) fn read_any(me: &QubeCoordination, event: &Event, now_s: u64) -> Result<Said, Refused> {
    if event.created_at() > now_s.saturating_add(MAX_AHEAD_S) {
        return Err(Refused::invalid(format!(
            "`created_at` is more than {MAX_AHEAD_S} s ahead of this relay's clock"
        )));
    }
    if let Some(refused) = refusal_of_length(event) {
        return Err(refused);
    }
    let (said, refusal) = match event.kind() {
        KIND_SIGNAL => {
            let signal = fields::signal(event);
            let signal = signal.map_err(|error| Refused::invalid(error.to_string()))?;
            let refusal = me.refusal_of_developer(&signal);
            (Said::Signal(signal), refusal)
        }
        _ => {
            let ack = fields::ack(event);
            let ack = ack.map_err(|error| Refused::invalid(error.to_string()))?;
            let refusal = me.refusal_of_report(&ack);
            (Said::Ack(ack), refusal)
        }
    };
    refusal.map_or(Ok(said), Err)
}

/// Why an event is too long. Counted as it is written: what tags hold that nobody reads counts as well.
fn refusal_of_length(event: &Event) -> Option<Refused> {
    let bytes = event.json().len();
    (bytes > MAX_EVENT_BYTES).then(|| {
        Refused::invalid(format!(
            "an event of this kind has at most {MAX_EVENT_BYTES} bytes, and this one has {bytes}"
        ))
    })
}

fn shortened(name: &str) -> String {
    name.chars().take(SHOWN_CHARS).collect()
}
