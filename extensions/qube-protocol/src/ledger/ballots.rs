//! The votes of one network's developers, and how they stood from moment to moment.
//!
//! A developer's vote at a moment is their newest signal by then; of several of one second, the one of the lowest id. What
//! follows is computed from the whole set, so the order of arrival is nowhere.

use crate::agreement::{Reach, agreement, reach};
use crate::{ActionKey, Digest, EventId, Network, Options, Pubkey, Signal};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Newest last.
type Moment = (u64, Reverse<EventId>);

/// What a developer signed: a vote here, or one elsewhere that takes the place of theirs here.
#[derive(Clone, Debug)]
enum Ballot {
    Here(Arc<Signal>, ActionKey),
    Elsewhere,
}

/// All ballots of one network.
#[derive(Debug, Default)]
pub(super) struct Ballots {
    by_developer: BTreeMap<Pubkey, BTreeMap<Moment, Ballot>>,
}

impl Ballots {
    /// A vote on this network. False when it is known.
    pub(super) fn insert(&mut self, signal: Arc<Signal>) -> bool {
        let theirs = self.by_developer.entry(signal.developer).or_default();
        let key = signal.key();
        theirs
            .insert(moment(&signal), Ballot::Here(signal, key))
            .is_none()
    }

    /// A vote on another network that has the same address. False when it is known.
    pub(super) fn insert_elsewhere(&mut self, signal: &Signal) -> bool {
        let theirs = self.by_developer.entry(signal.developer).or_default();
        theirs.insert(moment(signal), Ballot::Elsewhere).is_none()
    }

    /// The developer's vote here at that moment.
    pub(super) fn valid_at(&self, developer: &Pubkey, at_s: u64) -> Option<&Arc<Signal>> {
        let until = (at_s, Reverse(EventId::from_bytes([0; 32])));
        let (_, ballot) = self
            .by_developer
            .get(developer)?
            .range(..=until)
            .next_back()?;
        match ballot {
            Ballot::Here(signal, _) => Some(signal),
            Ballot::Elsewhere => None,
        }
    }

    /// Every signal for this network.
    pub(super) fn signals(&self) -> impl Iterator<Item = &Arc<Signal>> {
        let ballots = self.by_developer.values().flat_map(BTreeMap::values);
        ballots.filter_map(|ballot| match ballot {
            Ballot::Here(signal, _) => Some(signal),
            Ballot::Elsewhere => None,
        })
    }

    /// How the votes stand at `now_s`, and what led there.
    pub(super) fn count(&self, network: &Network, now_s: u64) -> Count {
        let mut ballots: BTreeMap<u64, BTreeMap<Pubkey, &Ballot>> = BTreeMap::new();
        let mut until_s = None;
        for (developer, theirs) in &self.by_developer {
            for ((at_s, _), ballot) in theirs {
                if *at_s > now_s {
                    until_s = Some(until_s.map_or(*at_s, |until: u64| until.min(*at_s)));
                    break;
                }
                // The last of one second has the lowest id, and is the vote.
                ballots.entry(*at_s).or_default().insert(*developer, ballot);
            }
        }
        let mut count = Count {
            from_s: 0,
            until_s,
            standing: BTreeMap::new(),
            actions: BTreeMap::new(),
            current: None,
        };
        for (at_s, cast) in ballots {
            count.cast(at_s, cast, network);
        }
        count
    }
}

/// How votes stand at one moment.
#[derive(Debug)]
pub(super) struct Count {
    /// The last moment something was cast. Unix seconds.
    from_s: u64,
    /// When the next is, of what is dated ahead.
    pub(super) until_s: Option<u64>,
    /// Each developer's vote.
    standing: BTreeMap<Pubkey, (Arc<Signal>, ActionKey)>,
    /// Whatever anybody ever voted for.
    pub(super) actions: BTreeMap<ActionKey, Votes>,
    /// The action that reached its quorum last.
    pub(super) current: Option<ActionKey>,
}

/// What became of the votes for one action.
#[derive(Debug)]
pub(super) struct Votes {
    /// The first vote.
    pub(super) first: Arc<Signal>,
    /// When the last vote was cast. Unix seconds.
    pub(super) last_s: u64,
    /// Everybody who ever voted for it.
    pub(super) ever: BTreeSet<Pubkey>,
    /// When it reached its quorum: anew if another action had one in between. Unix seconds.
    pub(super) quorum_at: Option<u64>,
    /// Whether it had reached one before that.
    pub(super) again: bool,
    /// Whether the votes agree now.
    stands: bool,
    /// Whether they ceased to agree before it was due, and have not agreed in time since.
    pub(super) called_off: bool,
    /// What they agree or agreed on last.
    pub(super) genesis_hash: Option<Digest>,
    /// How far they let or last let the fleet go.
    pub(super) reach: Option<Reach>,
}

impl Count {
    /// Whether this is how votes stand at that moment too.
    pub(super) fn holds_at(&self, now_s: u64) -> bool {
        self.from_s <= now_s && self.until_s.is_none_or(|until_s| now_s < until_s)
    }

    /// The votes that stand for an action, by developer.
    pub(super) fn votes(&self, key: &ActionKey) -> impl Iterator<Item = &Arc<Signal>> {
        let key = *key;
        let of_key = move |(_, voted): &&(Arc<Signal>, ActionKey)| *voted == key;
        self.standing
            .values()
            .filter(of_key)
            .map(|(signal, _)| signal)
    }

    /// All votes that stand, by developer.
    pub(super) fn standing(&self) -> impl Iterator<Item = &Arc<Signal>> {
        self.standing.values().map(|(signal, _)| signal)
    }

    /// All that is cast in one second takes effect together.
    fn cast(&mut self, at_s: u64, cast: BTreeMap<Pubkey, &Ballot>, network: &Network) {
        self.from_s = at_s;
        let mut touched = BTreeSet::new();
        for (developer, ballot) in cast {
            let before = match ballot {
                Ballot::Elsewhere => self.standing.remove(&developer),
                Ballot::Here(signal, key) => {
                    touched.insert(*key);
                    self.note(signal, *key);
                    self.standing.insert(developer, (Arc::clone(signal), *key))
                }
            };
            touched.extend(before.map(|(_, key)| key));
        }
        for key in touched {
            self.judge(at_s, key, network);
        }
    }

    fn note(&mut self, signal: &Arc<Signal>, key: ActionKey) {
        let votes = self.actions.entry(key).or_insert_with(|| Votes {
            first: Arc::clone(signal),
            last_s: signal.created_at,
            ever: BTreeSet::new(),
            quorum_at: None,
            again: false,
            stands: false,
            called_off: false,
            genesis_hash: None,
            reach: None,
        });
        // Of votes cast in one second, the first is the one of the lowest id.
        if (signal.created_at, signal.id) < (votes.first.created_at, votes.first.id) {
            votes.first = Arc::clone(signal);
        }
        votes.last_s = signal.created_at;
        votes.ever.insert(signal.developer);
    }

    /// Whether the votes for an action agree, now that some changed.
    fn judge(&mut self, at_s: u64, key: ActionKey, network: &Network) {
        let quorum = network.quorum;
        let signals: Vec<Arc<Signal>> = self.votes(&key).map(Arc::clone).collect();
        let options: Vec<&Options> = signals.iter().map(|vote| &vote.directive.options).collect();
        let is_current = self.current == Some(key);
        let Some(votes) = self.actions.get_mut(&key) else {
            return;
        };
        let Some(agreed) = agreement(&options, quorum) else {
            votes.called_off |= votes.stands && is_current && votes.is_before_due(at_s, network);
            votes.stands = false;
            return;
        };
        let required_by = votes.first.directive.action.required_by();
        let late = required_by.is_some_and(|required_by| at_s > required_by);
        let is_new = !is_current || votes.called_off;
        if !votes.stands && !late && is_new {
            votes.again |= votes.quorum_at.is_some() && !is_current;
            votes.quorum_at = Some(at_s);
            votes.called_off = false;
            self.current = Some(key);
        }
        votes.stands = true;
        votes.genesis_hash = agreed.genesis_hash;
        votes.reach = Some(reach(&options, quorum));
    }
}

impl Votes {
    /// Whether a node that does what was agreed on need not have done it by then: a reboot until its deadline, an upgrade until
    /// reports on it are due. Unix seconds.
    fn is_before_due(&self, at_s: u64, network: &Network) -> bool {
        if let Some(required_by) = self.first.directive.action.required_by() {
            return at_s < required_by;
        }
        let (Some(quorum_at), Some(reach)) = (self.quorum_at, self.reach) else {
            return false;
        };
        let begins_s = quorum_at.max(reach.not_before_s);
        reach.depends_on_nodes || at_s <= begins_s.saturating_add(network.ack_within_s)
    }
}

fn moment(signal: &Signal) -> Moment {
    (signal.created_at, Reverse(signal.id))
}
