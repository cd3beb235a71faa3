//! The nodes of a network: what each runs and last reported, those in need of attention first, a page at a time.

use super::moment::Moment;
use super::text::{Count, Query, short, text};
use super::view::{Chosen, FleetView, NetworkView, NodeView, Show};
use std::fmt::Write as _;

/// The table, with a search where the page is about this network alone.
pub(super) fn nodes(out: &mut String, view: &FleetView, network: &NetworkView) {
    let id = short(&network.id, 64);
    out.push_str("<div class=\"card\"><header class=\"netname\"><h3>Nodes</h3>");
    if let Some(chosen) = &view.chosen {
        search(out, view, chosen);
    }
    let _ = write!(out, "</header><div id=\"part-nodes-{id}\" data-part>");
    match network.nodes.is_empty() {
        true if network.tally.nodes == 0 => {
            out.push_str("<p class=\"empty\">No node has reported yet.</p>");
        }
        true => out.push_str("<p class=\"empty\">No node is like this.</p>"),
        false => {
            out.push_str(
                "<table class=\"nodes\"><thead><tr><th scope=\"col\">Node</th><th scope=\"col\">State</th>\
                 <th scope=\"col\">Runs</th><th scope=\"col\">Last report</th></tr></thead><tbody>",
            );
            for node in &network.nodes {
                row(out, node, view.now_s);
            }
            out.push_str("</tbody></table>");
            pages(out, view, network);
        }
    }
    out.push_str("</div></div>");
}

fn search(out: &mut String, view: &FleetView, chosen: &Chosen) {
    let _ = write!(
        out,
        "<form class=\"search\" method=\"get\" action=\"{}\"><input type=\"hidden\" name=\"network\" value=\"{}\">\
         <input type=\"search\" name=\"q\" value=\"{}\" maxlength=\"128\" placeholder=\"Node begins with\" \
         aria-label=\"Node begins with\"><select name=\"show\" aria-label=\"Which nodes\">",
        text(&view.places.page),
        text(&chosen.network),
        text(&chosen.search),
    );
    for (show, name, words) in Show::ALL {
        let selected = if show == chosen.show { " selected" } else { "" };
        let _ = write!(out, "<option value=\"{name}\"{selected}>{words}</option>");
    }
    out.push_str("</select><button>Show</button></form>");
}

fn row(out: &mut String, node: &NodeView, now_s: u64) {
    let _ = write!(
        out,
        "<tr><th scope=\"row\"><bdi class=\"id\">{}</bdi>",
        short(&node.id, 64)
    );
    if let Some(pubkey) = &node.pubkey {
        let _ = write!(
            out,
            " <code class=\"faint\" title=\"{}\">{}</code>",
            text(pubkey),
            short(pubkey, 8)
        );
    }
    out.push_str("</th><td data-label=\"State\">");
    let failed = node.report.as_ref().is_some_and(|it| it.error.is_some());
    let mut badge = |is_so: bool, tone: &str, word: &str| {
        if is_so {
            let _ = write!(out, "<span class=\"badge {tone}\">{word}</span> ");
        }
        is_so
    };
    let is_failed = badge(failed, "bad", "Failed");
    let is_overdue = badge(node.overdue_for.is_some(), "warn", "Overdue");
    let is_silent = badge(node.is_silent, "warn", "Silent");
    badge(!(is_failed || is_overdue || is_silent), "good", "OK");
    if let Some(title) = &node.overdue_for {
        let _ = write!(out, "<span class=\"faint\">for {}</span>", text(title));
    }
    let _ = match &node.version {
        Some(version) => write!(
            out,
            "</td><td data-label=\"Runs\"><bdi>{}</bdi>",
            short(version, 40)
        ),
        None => out.write_str("</td><td data-label=\"Runs\"><span class=\"faint\">unknown</span>"),
    };
    out.push_str("</td><td data-label=\"Last report\">");
    match &node.report {
        Some(report) => {
            let at_s = report.at_s;
            let _ = write!(
                out,
                "<bdi>{}</bdi> <span class=\"when\">{}</span>",
                text(&report.about),
                Moment { at_s, now_s }
            );
            if let Some(error) = &report.error {
                let _ = write!(
                    out,
                    "<span class=\"error\"><bdi>{}</bdi></span>",
                    text(error)
                );
            }
        }
        None => out.push_str("<span class=\"faint\">none</span>"),
    }
    out.push_str("</td></tr>");
}

fn pages(out: &mut String, view: &FleetView, network: &NetworkView) {
    let page = network.page;
    let place = text(&view.places.page);
    let id = Query(&network.id);
    let last = page.first + network.nodes.len();
    out.push_str("<nav class=\"pages\" aria-label=\"Pages\">");
    let Some(chosen) = &view.chosen else {
        if last < page.total {
            let _ = write!(
                out,
                "<a href=\"{place}?network={id}\">All {} nodes</a>",
                Count(page.total)
            );
        }
        out.push_str("</nav>");
        return;
    };
    let _ = write!(
        out,
        "<span>{} to {} of {}</span>",
        Count(page.first + 1),
        Count(last),
        Count(page.total)
    );
    let mut link = |number: usize, words: &str, rel: &str| {
        if (1..=page.of).contains(&number) {
            let _ = write!(
                out,
                "<a rel=\"{rel}\" href=\"{place}?network={id}&amp;q={}&amp;show={}&amp;page={number}\">{words}</a>",
                Query(&chosen.search),
                chosen.show.name(),
            );
        }
    };
    link(page.number.saturating_sub(1), "Previous", "prev");
    link(page.number + 1, "Next", "next");
    out.push_str("</nav>");
}
