//! What is counted, and what `/health` tells.
//!
//! Metrics are called `trellis_qube_agent_*`; labels are networks, actions and outcomes, which the operator and the
//! protocol bound.

use metrics::{Counter, Gauge, Key, KeyName, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trellis_qube_protocol::{ActionKind, NetworkId, NetworkState};
use url::Url;

const METADATA: Metadata<'static> = Metadata::new("qube_agent", Level::INFO, None);

const SIGNALS: &str = "trellis_qube_agent_signals_total";
const ACTIONS: &str = "trellis_qube_agent_actions_total";
const RUNNING: &str = "trellis_qube_agent_action_running";
const ENDED_AT: &str = "trellis_qube_agent_last_action_timestamp_seconds";
const VOTES: &str = "trellis_qube_agent_votes";
const QUORUM: &str = "trellis_qube_agent_quorum";
const CONFLICTS: &str = "trellis_qube_agent_conflicts";
const UNDELIVERED: &str = "trellis_qube_agent_undelivered_reports";
const STOPPED: &str = "trellis_qube_agent_network_stopped";
const RELAYS: &str = "trellis_qube_agent_relays";
const CONNECTED: &str = "trellis_qube_agent_relays_connected";

/// What is counted, with its help.
const COUNTERS: [(&str, &str); 2] = [
    (
        SIGNALS,
        "Signals heard, by network and result: vote, invalid",
    ),
    (
        ACTIONS,
        "Actions that ended, by network, action and outcome: success, failure, refused",
    ),
];
/// What is measured, with its help.
const GAUGES: [(&str, &str); 9] = [
    (RUNNING, "1 while an action is carried out, by network"),
    (ENDED_AT, "When the last action ended, by network"),
    (
        VOTES,
        "The most votes that stand for one action, by network",
    ),
    (QUORUM, "The votes that an action needs, by network"),
    (
        CONFLICTS,
        "Versions for which votes name different hashes, by network",
    ),
    (
        UNDELIVERED,
        "Reports that a relay has not taken yet, by network",
    ),
    (
        STOPPED,
        "1 while a network's files cannot be read or written, by network",
    ),
    (RELAYS, "Relays of the configuration"),
    (CONNECTED, "Relays that are connected"),
];

/// Counts; cheap to clone.
#[derive(Clone)]
pub(crate) struct Watch {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
    networks: Arc<Mutex<BTreeMap<NetworkId, Standing>>>,
    answers: Arc<Mutex<BTreeMap<Url, Answer>>>,
}

/// What a relay answers to the question for what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// All it has.
    Told,
    /// Nothing, for this reason.
    Refused(String),
}

/// How a network stands, for `/health`.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Standing {
    /// The newest action with a quorum, as `upgrade 1.2.3`.
    pub(crate) current: Option<String>,
    /// Whether an action is carried out now.
    pub(crate) running: bool,
    /// What the newest action with a quorum waits for on this node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits: Option<String>,
    /// How the last action of this process ended.
    pub(crate) last: Option<String>,
    /// Versions for which votes name different hashes.
    pub(crate) conflicts: usize,
    /// Why nothing is done for it: what is wrong with its files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stopped: Option<String>,
}

impl Watch {
    /// Nothing counted yet.
    pub(crate) fn new() -> Watch {
        let recorder = PrometheusBuilder::new().build_recorder();
        for (name, help) in COUNTERS {
            recorder.describe_counter(KeyName::from_const_str(name), None, help.into());
        }
        for (name, help) in GAUGES {
            recorder.describe_gauge(KeyName::from_const_str(name), None, help.into());
        }
        Watch {
            handle: recorder.handle(),
            recorder: Arc::new(recorder),
            networks: Arc::default(),
            answers: Arc::default(),
        }
    }

    /// The page that Prometheus reads.
    pub(crate) fn page(&self) -> String {
        self.handle.render()
    }

    /// How each network stands.
    pub(crate) fn standings(&self) -> BTreeMap<NetworkId, Standing> {
        self.lock().clone()
    }

    /// A signal was heard.
    pub(crate) fn signal(&self, network: &NetworkId, result: &'static str) {
        self.counter(SIGNALS, network, &[("result", result)])
            .increment(1);
    }

    /// A network was looked at.
    pub(crate) fn state(&self, network: &NetworkId, state: &NetworkState) {
        let votes = state.actions.iter().map(|action| action.votes.len()).max();
        self.gauge(VOTES, network).set(votes.unwrap_or(0) as f64);
        self.gauge(QUORUM, network).set(state.quorum as f64);
        self.gauge(CONFLICTS, network)
            .set(state.conflicts.len() as f64);
        let current = state.current_action().map(|action| {
            let directive = &action.directive;
            format!("{} {}", directive.action.kind(), directive.version)
        });
        let mut networks = self.lock();
        let standing = networks.entry(network.clone()).or_default();
        standing.current = current;
        standing.conflicts = state.conflicts.len();
    }

    /// What is awaited, or nothing.
    pub(crate) fn waits(&self, network: &NetworkId, words: Option<&str>) {
        let mut networks = self.lock();
        networks.entry(network.clone()).or_default().waits = words.map(str::to_owned);
    }

    /// A relay has told what it has; or why it does not; or is gone.
    pub(crate) fn answers(&self, relay: Url, answer: Option<Answer>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Some(answer) => answers.insert(relay, answer),
            None => answers.remove(&relay),
        };
    }

    /// What each relay answers that has answered anything.
    pub(crate) fn all_answers(&self) -> BTreeMap<Url, Answer> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.clone()
    }

    /// An action begins; it runs until what is returned is dropped.
    pub(crate) fn running(&self, network: &NetworkId) -> Running {
        self.set_running(network, true);
        Running {
            watch: self.clone(),
            network: network.clone(),
        }
    }

    fn set_running(&self, network: &NetworkId, is_running: bool) {
        self.gauge(RUNNING, network)
            .set(f64::from(u8::from(is_running)));
        let mut networks = self.lock();
        networks.entry(network.clone()).or_default().running = is_running;
    }

    /// An action ended.
    pub(crate) fn action(
        &self,
        network: &NetworkId,
        kind: ActionKind,
        outcome: &'static str,
        now_s: u64,
    ) {
        let labels = [("action", kind.as_str()), ("outcome", outcome)];
        self.counter(ACTIONS, network, &labels).increment(1);
        self.gauge(ENDED_AT, network).set(now_s as f64);
        let mut networks = self.lock();
        let standing = networks.entry(network.clone()).or_default();
        standing.last = Some(format!("{kind}: {outcome}"));
    }

    /// A network's files cannot be read or written, why; or they can.
    pub(crate) fn stopped(&self, network: &NetworkId, why: Option<&str>) {
        let is_stopped = f64::from(u8::from(why.is_some()));
        self.gauge(STOPPED, network).set(is_stopped);
        let mut networks = self.lock();
        networks.entry(network.clone()).or_default().stopped = why.map(str::to_owned);
    }

    /// Reports wait.
    pub(crate) fn undelivered(&self, network: &NetworkId, count: usize) {
        self.gauge(UNDELIVERED, network).set(count as f64);
    }

    /// So many relays are connected.
    pub(crate) fn relays(&self, all: usize, connected: usize) {
        for (name, count) in [(RELAYS, all), (CONNECTED, connected)] {
            let gauge = self
                .recorder
                .register_gauge(&Key::from_name(name), &METADATA);
            gauge.set(count as f64);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NetworkId, Standing>> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gauge(&self, name: &'static str, network: &NetworkId) -> Gauge {
        let key = key(name, network, &[]);
        self.recorder.register_gauge(&key, &METADATA)
    }

    fn counter(
        &self,
        name: &'static str,
        network: &NetworkId,
        labels: &[(&'static str, &'static str)],
    ) -> Counter {
        let key = key(name, network, labels);
        self.recorder.register_counter(&key, &METADATA)
    }
}

fn key(name: &'static str, network: &NetworkId, labels: &[(&'static str, &'static str)]) -> Key {
    let network = Label::new("network", network.to_string());
    let others = labels.iter().map(|(name, value)| Label::new(*name, *value));
    Key::from_parts(
        name,
        std::iter::once(network).chain(others).collect::<Vec<_>>(),
    )
}

/// An action is carried out for as long as this lives.
pub(crate) struct Running {
    watch: Watch,
    network: NetworkId,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.watch.set_running(&self.network, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a8_the_page_has_what_was_counted_and_the_docs_have_every_metric() {
        let watch = Watch::new();
        let network: NetworkId = "hqz".parse().expect("a network");
        watch.action(&network, ActionKind::Upgrade, "success", 7);
        let running = watch.running(&network);
        assert!(watch.standings()[&network].running);
        drop(running);
        let page = watch.page();
        let counted = r#"trellis_qube_agent_actions_total{network="hqz",action="upgrade",outcome="success"} 1"#;
        assert!(page.contains(counted), "{page}");
        assert!(page.contains(r#"trellis_qube_agent_action_running{network="hqz"} 0"#));
        let docs = include_str!("../../../docs/extensions/qube-agent.md");
        for (name, _) in COUNTERS.iter().chain(&GAUGES) {
            assert!(
                docs.contains(&format!("`{name}`")),
                "{name} is not explained"
            );
        }
    }
}
