//! One network: who decides, what is under way with its quorum and its reports, then nodes and history.

use super::moment::Moment;
use super::text::{Count, Query, short, text};
use super::view::{ActionView, FleetView, NetworkView, badge};
use super::{history, nodes};
use std::fmt::{self, Write as _};
use trellis_qube_protocol::ActionStatus;

/// The card of a network.
pub(super) fn network(out: &mut String, view: &FleetView, network: &NetworkView) {
    let id = short(&network.id, 64);
    let _ = write!(
        out,
        "<article class=\"net\" aria-labelledby=\"net-{id}\"><div class=\"card\" id=\"part-open-{id}\" data-part>\
         <header class=\"netname\"><h2 id=\"net-{id}\">",
    );
    let _ = match view.chosen {
        None => write!(
            out,
            "<a href=\"{}?network={}\">{id}</a>",
            text(&view.places.page),
            Query(&network.id)
        ),
        Some(_) => write!(out, "{id}"),
    };
    let _ = write!(
        out,
        "</h2><span class=\"chip\">{} of {} decide</span><span class=\"chip\">{} {}</span></header>",
        network.quorum,
        network.developers.len(),
        Count(network.tally.nodes),
        if network.tally.nodes == 1 {
            "node"
        } else {
            "nodes"
        },
    );
    if network.open.is_empty() {
        out.push_str("<p class=\"empty\">Nothing is proposed or under way.</p>");
    }
    for action in &network.open {
        self::action(out, view, network, action);
    }
    developers(out, view, network);
    out.push_str("</div>");
    nodes::nodes(out, view, network);
    history::history(out, view, network);
    out.push_str("</article>");
}

fn action(out: &mut String, view: &FleetView, network: &NetworkView, action: &ActionView) {
    let (tone, state) = badge(action.status, action.called_off);
    let moment = |at_s| Moment {
        at_s,
        now_s: view.now_s,
    };
    let _ = write!(
        out,
        "<section class=\"action\"><div class=\"what\"><h3><bdi>{}</bdi></h3> <span class=\"badge {tone}\">{state}</span></div>\
         <p class=\"facts\"><a href=\"{}/actions/{}\">action {}</a> · hash <code>{}</code>",
        text(&action.title),
        text(&view.places.api),
        Query(&action.key),
        short(&action.key, 8),
        short(&action.hash, 12),
    );
    let _ = match action.quorum_at_s {
        Some(at_s) => write!(out, " · agreed {}", moment(at_s)),
        None => write!(out, " · proposed {}", moment(action.first_at_s)),
    };
    if let Some(at_s) = action.required_by_s {
        let _ = write!(out, " · due {}", moment(at_s));
    }
    for option in &action.options {
        let _ = write!(out, " · {}", text(option));
    }
    if let Some(url) = &action.genesis_url {
        // As text: what a link of a page leads to is not for others to choose.
        let _ = write!(out, "<br>genesis <code class=\"url\">{}</code>", text(url));
    }
    out.push_str("</p><div class=\"meters\">");
    quorum(out, network, action);
    if action.status != ActionStatus::Proposed {
        reports(out, action);
    }
    out.push_str("</div></section>");
}

fn quorum(out: &mut String, network: &NetworkView, action: &ActionView) {
    let votes = action.votes.iter().filter(|vote| **vote).count();
    let tone = if votes >= network.quorum {
        "good"
    } else {
        "busy"
    };
    let _ = write!(
        out,
        "<div class=\"meter\"><div class=\"label\"><span>Quorum</span><span><b>{votes}</b> of {} needed</span></div>",
        network.quorum
    );
    bar(
        out,
        network.quorum.max(votes),
        &[(tone, votes)],
        format_args!("{votes} votes, {} needed", network.quorum),
    );
    out.push_str("</div>");
}

fn reports(out: &mut String, action: &ActionView) {
    let (success, failure) = (action.success, action.failure);
    let total = action.expected.max(success + failure);
    let waiting = total - success - failure;
    let overdue = action.overdue.min(waiting);
    let _ = write!(
        out,
        "<div class=\"meter\"><div class=\"label\"><span>Reports</span><span><b>{}</b> of {} done",
        Count(success),
        Count(total)
    );
    for (tone, number, word) in [("bad", failure, "failed"), ("warn", overdue, "overdue")] {
        if number > 0 {
            let _ = write!(out, ", <em class=\"{tone}\">{} {word}</em>", Count(number));
        }
    }
    out.push_str("</span></div>");
    bar(
        out,
        total,
        &[("good", success), ("bad", failure), ("warn", overdue)],
        format_args!("{success} done, {failure} failed, {overdue} overdue, of {total}"),
    );
    out.push_str("</div>");
}

/// A bar of parts of a whole. Attributes of a drawing, since the policy of the page allows no styles in elements.
fn bar(out: &mut String, whole: usize, parts: &[(&str, usize)], label: fmt::Arguments<'_>) {
    let _ = write!(
        out,
        "<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{label}\">"
    );
    let mut from = 0;
    for (tone, number) in parts.iter().filter(|(_, number)| *number > 0) {
        // One node of thousands is to be seen.
        let width = (number * 1_000 / whole.max(1)).max(8);
        let _ = write!(
            out,
            "<rect class=\"{tone}\" x=\"{from}\" width=\"{width}\" height=\"10\"/>"
        );
        from += width;
    }
    out.push_str("</svg>");
}

fn developers(out: &mut String, view: &FleetView, network: &NetworkView) {
    out.push_str("<ul class=\"devs\" aria-label=\"Developers and their votes\">");
    for developer in &network.developers {
        let key = text(&developer.pubkey);
        let _ = match &developer.vote {
            Some(vote) => write!(
                out,
                "<li class=\"voted\" title=\"{key}\"><code>{}</code> <bdi>{}</bdi> {}</li>",
                short(&developer.pubkey, 8),
                text(&vote.title),
                Moment {
                    at_s: vote.at_s,
                    now_s: view.now_s
                }
            ),
            None => write!(
                out,
                "<li title=\"{key}\"><code>{}</code> <span class=\"faint\">no vote</span></li>",
                short(&developer.pubkey, 8)
            ),
        };
    }
    out.push_str("</ul>");
}
