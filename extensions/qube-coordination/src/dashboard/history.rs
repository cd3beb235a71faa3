//! What a network has done before: its actions that are over, newest first.

use super::moment::Moment;
use super::text::{Count, Query, short, text};
use super::view::{ActionView, FleetView, NetworkView, badge};
use std::fmt::Write as _;

/// The table, open where the page is about this network alone.
pub(super) fn history(out: &mut String, view: &FleetView, network: &NetworkView) {
    let id = short(&network.id, 64);
    let _ = write!(out, "<div id=\"part-history-{id}\" data-part>");
    if !network.history.is_empty() {
        let open = if view.chosen.is_some() { " open" } else { "" };
        let _ = write!(
            out,
            "<details class=\"card\" id=\"history-{id}\"{open}><summary><h3>History</h3> \
             <span class=\"chip\">{}</span></summary><table class=\"history\"><thead><tr><th scope=\"col\">Action</th>\
             <th scope=\"col\">State</th><th scope=\"col\">Votes</th><th scope=\"col\">Nodes</th>\
             <th scope=\"col\">Since</th></tr></thead><tbody>",
            Count(network.history_total)
        );
        for action in &network.history {
            row(out, view, network, action);
        }
        out.push_str("</tbody></table>");
        if network.history.len() < network.history_total {
            let _ = write!(
                out,
                "<nav class=\"pages\"><a href=\"{}/networks/{}/history\">All of it</a></nav>",
                text(&view.places.api),
                Query(&network.id)
            );
        }
        out.push_str("</details>");
    }
    out.push_str("</div>");
}

fn row(out: &mut String, view: &FleetView, network: &NetworkView, action: &ActionView) {
    let (tone, state) = badge(action.status, action.called_off);
    let votes = action.votes.iter().filter(|vote| **vote).count();
    let since = Moment {
        at_s: action.quorum_at_s.unwrap_or(action.first_at_s),
        now_s: view.now_s,
    };
    let _ = write!(
        out,
        "<tr><th scope=\"row\"><a href=\"{}/actions/{}\"><bdi>{}</bdi></a> <code class=\"faint\">{}</code></th>\
         <td data-label=\"State\"><span class=\"badge {tone}\">{state}</span></td>\
         <td data-label=\"Votes\">{votes} of {}</td><td data-label=\"Nodes\">{} done",
        text(&view.places.api),
        Query(&action.key),
        text(&action.title),
        short(&action.hash, 8),
        network.quorum,
        Count(action.success),
    );
    if action.failure > 0 {
        let _ = write!(
            out,
            ", <em class=\"bad\">{} failed</em>",
            Count(action.failure)
        );
    }
    let _ = write!(out, "</td><td data-label=\"Since\">{since}</td></tr>");
}
