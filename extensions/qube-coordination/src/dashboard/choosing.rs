//! From the fleet's state to what the page shows of it: the page that was asked for, those in need of attention first.
//!
//! Invariant: how much is shown has a bound, however many networks, actions and nodes there are.

use super::view::{
    ActionView, Chosen, DeveloperView, FleetView, NetworkView, NodeView, PageOfNodes, ReportView,
    Show, Tally, VoteView,
};
use crate::titles::title;
use std::collections::{BTreeMap, BTreeSet};
use trellis_qube_protocol::{
    ActionKey, ActionState, ActionStatus, FleetState, NetworkState, NodeState, Options, Pubkey,
    StatusKind,
};

/// Nodes of a page about one network.
const NODES_OF_ONE: usize = 100;
/// Nodes of a page about all networks, which share them; each shows a few.
const NODES_OF_ALL: usize = 100;
const NODES_MIN: usize = 5;
const NODES_MAX: usize = 25;
/// Actions of a network that stand at its top.
const OPEN_MAX: usize = 4;
/// Past actions of a network, on its own page and on the one about all.
const HISTORY_OF_ONE: usize = 50;
const HISTORY_OF_ALL: usize = 60;
const OPTIONS_MAX: usize = 6;
/// Networks of the page about all.
const NETWORKS_MAX: usize = 64;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    pub(super) network: Option<String>,
    pub(super) search: String,
    pub(super) show: String,
    pub(super) page: usize,
}

/// The part of the view that the state decides; nothing where the network is not one of the fleet's.
pub(super) fn choose(view: &mut FleetView, state: &FleetState, asked: &Asked) -> Option<()> {
    match &asked.network {
        Some(id) => {
            let network = state.networks.iter().find(|it| it.id.as_str() == id)?;
            let show = Show::of(&asked.show);
            let shown = nodes(network, &asked.search, show);
            let page = page_of(shown.len(), asked.page, NODES_OF_ONE);
            let chosen = self::network(network, &shown, page, NODES_OF_ONE, HISTORY_OF_ONE);
            view.tally = chosen.tally;
            view.networks.push(chosen);
            view.chosen = Some(Chosen {
                network: id.clone(),
                search: asked.search.clone(),
                show,
            });
        }
        None => {
            let shown = state.networks.len().clamp(1, NETWORKS_MAX);
            let nodes_max = (NODES_OF_ALL / shown).clamp(NODES_MIN, NODES_MAX);
            let history_max = (HISTORY_OF_ALL / shown).clamp(2, 10);
            for network in state.networks.iter().take(NETWORKS_MAX) {
                let nodes = nodes(network, "", Show::All);
                let page = page_of(nodes.len(), 1, nodes_max);
                let one = self::network(network, &nodes, page, nodes_max, history_max);
                view.tally.add(one.tally);
                view.networks.push(one);
            }
        }
    }
    Some(())
}

fn page_of(total: usize, asked: usize, size: usize) -> PageOfNodes {
    let of = total.div_ceil(size).max(1);
    let number = asked.clamp(1, of);
    PageOfNodes {
        number,
        of,
        first: (number - 1) * size,
        total,
    }
}

/// What is wrong with a node, worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Failed,
    Overdue,
    Silent,
    Nothing,
}

fn trouble(node: &NodeState) -> Trouble {
    match (node.has_failed(), node.overdue_for.is_some(), node.silent) {
        (true, ..) => Trouble::Failed,
        (_, true, _) => Trouble::Overdue,
        (.., true) => Trouble::Silent,
        _ => Trouble::Nothing,
    }
}

/// The nodes that are meant, in need of attention first. The state has them by name, which stays within each trouble.
fn nodes<'a>(network: &'a NetworkState, search: &str, show: Show) -> Vec<&'a NodeState> {
    let is_meant = |node: &&NodeState| {
        node.node_id.as_str().starts_with(search)
            && match show {
                Show::All => true,
                Show::Attention => trouble(node) != Trouble::Nothing,
                Show::Overdue => node.overdue_for.is_some(),
                Show::Failed => node.has_failed(),
                Show::Silent => node.silent,
            }
    };
    let mut nodes: Vec<&NodeState> = network.nodes.iter().filter(is_meant).collect();
    nodes.sort_by_key(|node| trouble(node));
    nodes
}

fn network(
    network: &NetworkState,
    nodes: &[&NodeState],
    page: PageOfNodes,
    nodes_max: usize,
    history_max: usize,
) -> NetworkView {
    let titles: BTreeMap<&ActionKey, String> = network
        .actions
        .iter()
        .map(|action| (&action.key, title(&action.directive)))
        .collect();
    let (open, over) = split(network);
    let history = over.iter().take(history_max);
    let shown = nodes.iter().skip(page.first).take(nodes_max);
    NetworkView {
        id: network.id.to_string(),
        quorum: network.quorum,
        developers: developers(network),
        open: open.iter().map(|it| action(network, it)).collect(),
        history: history.map(|it| action(network, it)).collect(),
        history_total: over.len(),
        tally: tally(network),
        nodes: shown.map(|it| node(it, &titles)).collect(),
        page,
    }
}

/// What is under way or proposed, with the current action first; and what is over.
fn split(network: &NetworkState) -> (Vec<&ActionState>, Vec<&ActionState>) {
    let is_current = |action: &ActionState| network.current == Some(action.key);
    let is_open = |action: &ActionState| {
        matches!(
            action.status,
            ActionStatus::Proposed | ActionStatus::Quorum | ActionStatus::PartiallyFailed
        )
    };
    let actions = || network.actions.iter();
    let current = actions().filter(|it| is_current(it));
    let others = actions().filter(|it| !is_current(it) && is_open(it));
    let open: Vec<&ActionState> = current.chain(others).take(OPEN_MAX).collect();
    let is_at_top = |action: &ActionState| open.iter().any(|it| it.key == action.key);
    let over = actions().filter(|it| !is_at_top(it)).collect();
    (open, over)
}

fn tally(network: &NetworkState) -> Tally {
    let count = |is_so: fn(&NodeState) -> bool| network.nodes.iter().filter(|it| is_so(it)).count();
    Tally {
        networks: 1,
        nodes: network.nodes.len(),
        fine: count(|node| trouble(node) == Trouble::Nothing),
        overdue: count(|node| node.overdue_for.is_some()),
        failed: count(NodeState::has_failed),
        silent: count(|node| node.silent),
    }
}

fn developers(network: &NetworkState) -> Vec<DeveloperView> {
    let mut votes = BTreeMap::new();
    for action in &network.actions {
        for vote in &action.votes {
            let title = title(&action.directive);
            let at_s = vote.created_at;
            votes.insert(vote.developer, VoteView { title, at_s });
        }
    }
    let developer = |key: &Pubkey| DeveloperView {
        pubkey: key.to_string(),
        vote: votes.remove(key),
    };
    network.developers.iter().map(developer).collect()
}

fn action(network: &NetworkState, action: &ActionState) -> ActionView {
    let has_voted = |key: &Pubkey| action.votes.iter().any(|vote| vote.developer == *key);
    let directive = &action.directive;
    let options: BTreeSet<String> = action
        .votes
        .iter()
        .flat_map(|vote| words_of(&vote.options))
        .collect();
    ActionView {
        key: action.key.to_string(),
        title: title(directive),
        status: action.status,
        called_off: action.called_off,
        hash: directive.hash.to_string(),
        genesis_url: directive.action.genesis_url().map(ToString::to_string),
        required_by_s: directive.action.required_by(),
        first_at_s: action.first_at,
        quorum_at_s: action.quorum_at,
        votes: network.developers.iter().map(has_voted).collect(),
        options: options.into_iter().take(OPTIONS_MAX).collect(),
        success: action.acks.success,
        failure: action.acks.failure,
        overdue: action.overdue.len(),
        expected: action.expected,
    }
}

fn words_of(options: &Options) -> Vec<String> {
    let rollout = options.rollout.as_ref();
    let rollout = rollout.map(|it| format!("{} % of the nodes", it.percent));
    let min_version = options.min_version.as_ref();
    let min_version = min_version.map(|it| format!("from v{it} on"));
    let conditions = options.conditions.iter().map(ToString::to_string);
    let words = rollout.into_iter().chain(min_version).chain(conditions);
    words.collect()
}

fn node(node: &NodeState, titles: &BTreeMap<&ActionKey, String>) -> NodeView {
    let title = |key: &ActionKey| titles.get(key).cloned().unwrap_or_else(|| key.short());
    NodeView {
        id: node.node_id.to_string(),
        pubkey: node.pubkey.map(|key| key.to_string()),
        version: node.version.as_ref().map(ToString::to_string),
        report: node.last_ack.as_ref().map(|ack| ReportView {
            at_s: ack.action_at,
            about: title(&ack.action),
            error: (ack.status == StatusKind::Failure).then(|| {
                ack.error
                    .clone()
                    .unwrap_or_else(|| "no reason is told".to_owned())
            }),
        }),
        overdue_for: node.overdue_for.as_ref().map(title),
        is_silent: node.silent,
    }
}
