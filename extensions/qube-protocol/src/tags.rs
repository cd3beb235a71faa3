//! Writing both kinds: tags as the widely used clients write them, and a line for people.

use crate::{ADDRESS, Action, ActionKind, Condition, Directive, KIND_SIGNAL, Report, Status};

/// The tags of a directive. Developers' votes for one action come out the same.
pub fn signal_tags(directive: &Directive) -> Vec<Vec<String>> {
    let mut tags = vec![
        tag(["d", ADDRESS]),
        tag(["version", &directive.version.tagged()]),
        tag(["hash", &directive.hash.to_string()]),
        tag(["network", directive.network.as_str()]),
        tag(["action", directive.action.kind().as_str()]),
    ];
    if let Action::Reboot {
        genesis_url,
        required_by,
    } = &directive.action
    {
        tags.push(tag(["genesis_url", genesis_url.as_str()]));
        tags.push(tag(["required_by", &required_by.to_string()]));
    }
    let options = &directive.options;
    if let Some(hash) = &options.genesis_hash {
        tags.push(tag(["genesis_hash", &hash.to_string()]));
    }
    if let Some(rollout) = &options.rollout {
        let (percent, success) = (rollout.percent, rollout.min_success_percent);
        tags.push(tag(["rollout", &percent.to_string(), &success.to_string()]));
    }
    if let Some(version) = &options.min_version {
        tags.push(tag(["min_version", &version.tagged()]));
    }
    tags.extend(options.conditions.iter().map(condition_tag));
    tags
}

/// The content of a directive: one line for people.
pub fn signal_content(directive: &Directive) -> String {
    let (network, version) = (&directive.network, directive.version.tagged());
    match &directive.action {
        Action::Upgrade => format!("[hypersignal] Upgrade of network {network} to {version}."),
        Action::Reboot { required_by, .. } => format!(
            "[hypersignal] Reboot of network {network} with {version} at {required_by} (Unix seconds)."
        ),
    }
}

/// The tags of a report.
pub fn ack_tags(report: &Report) -> Vec<Vec<String>> {
    let developer = report.developer.to_string();
    let mut tags = vec![
        tag(["a", &format!("{KIND_SIGNAL}:{developer}:{ADDRESS}")]),
        tag(["p", &developer]),
        tag(["version", &report.version.tagged()]),
        tag(["network", report.network.as_str()]),
        tag(["action", report.action.as_str()]),
        tag(["status", report.status.kind().as_str()]),
        tag(["node_id", report.node_id.as_str()]),
        tag(["action_at", &report.action_at.to_string()]),
    ];
    if let Status::Failure { error } = &report.status {
        tags.push(tag(["error", error]));
    }
    tags
}

/// The content of a report: one line for people.
pub fn ack_content(report: &Report) -> String {
    let done = match report.action {
        ActionKind::Upgrade => "upgrade to",
        ActionKind::Reboot => "reboot with",
    };
    let result = match report.status {
        Status::Success => "has succeeded",
        Status::Failure { .. } => "has failed",
    };
    let (version, node) = (report.version.tagged(), &report.node_id);
    format!("[qube-agent] The {done} {version} {result} on node {node}.")
}

fn condition_tag(condition: &Condition) -> Vec<String> {
    match condition {
        Condition::After(key) => tag(["condition", "after", &key.to_string()]),
        Condition::Height(height) => tag(["condition", "height", &height.to_string()]),
        Condition::Between { from, until } => tag([
            "condition",
            "between",
            &from.to_string(),
            &until.to_string(),
        ]),
    }
}

fn tag<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}
