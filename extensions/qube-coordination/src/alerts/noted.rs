//! What no event tells: attempts that were refused, and servers that do not answer. In memory, noted by whoever sees it.
//!
//! Invariant: one entry a network and one a server, all of them the operator's own, however many strangers try.

use super::alert::{Alert, Kind};
use std::collections::BTreeMap;
use trellis_qube_protocol::Pubkey;

/// Attempts are one alert until nobody has tried for so long.
pub(crate) const QUIET_S: u64 = 3_600;

/// What was noted.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// By network; those for networks that are not known together.
    attempts: BTreeMap<Option<String>, Attempts>,
    /// Why, by kind and name.
    outages: BTreeMap<(Kind, String), String>,
}

#[derive(Debug)]
struct Attempts {
    count: u64,
    last_s: u64,
    /// Who tried last.
    last: String,
}

impl Noted {
    /// Somebody signed a directive who may not, on this network where it is one of the fleet's.
    pub(super) fn attempt(&mut self, network: Option<&str>, author: &Pubkey, now_s: u64) {
        let attempts = self.attempts.entry(network.map(str::to_owned));
        let attempts = attempts.or_insert(Attempts {
            count: 0,
            last_s: now_s,
            last: String::new(),
        });
        attempts.count += 1;
        attempts.last_s = now_s;
        let author: String = author.to_string().chars().take(16).collect();
        attempts.last = format!("a directive by {author}, who directs nothing there, was refused");
    }

    /// Whether a server answers, and why not.
    pub(super) fn outage(&mut self, kind: Kind, name: &str, why: Option<&str>) {
        let key = (kind, name.to_owned());
        match why {
            Some(why) => self.outages.insert(key, why.to_owned()),
            None => self.outages.remove(&key),
        };
    }

    /// Takes up what was open when the relay stopped, so that it neither ends nor begins again by that alone. Of servers
    /// only those that are still asked.
    pub(super) fn resume(&mut self, open: &Alert, is_asked: impl Fn(&str) -> bool, now_s: u64) {
        match open.kind {
            Kind::Unauthorised => {
                let attempts = self.attempts.entry(open.network.clone());
                attempts.or_insert(Attempts {
                    count: 0,
                    last_s: now_s,
                    last: open.summary.clone(),
                });
            }
            Kind::PeerDown | Kind::DatabaseDown if is_asked(&open.subject) => {
                let why = "it did not answer before the relay was started".to_owned();
                let key = (open.kind, open.subject.clone());
                self.outages.entry(key).or_insert(why);
            }
            _ => {}
        }
    }

    /// What holds now.
    pub(super) fn alerts(&mut self, now_s: u64) -> Vec<Alert> {
        self.attempts
            .retain(|_, attempts| attempts.last_s + QUIET_S > now_s);
        let attempts = self.attempts.iter().map(|(network, attempts)| Alert {
            kind: Kind::Unauthorised,
            network: network.clone(),
            subject: String::new(),
            summary: match attempts.count {
                0 | 1 => attempts.last.clone(),
                count => format!("{}; {count} attempts so far", attempts.last),
            },
        });
        let outages = self.outages.iter().map(|((kind, name), why)| Alert {
            kind: *kind,
            network: None,
            subject: name.clone(),
            summary: match kind {
                Kind::DatabaseDown => format!("the mirror's database: {why}"),
                _ => format!("{name}: {why}"),
            },
        });
        attempts.chain(outages).collect()
    }
}
