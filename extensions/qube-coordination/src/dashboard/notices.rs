//! The alerts on the page: those that hold, before everything else, and at its end those that are over.

use super::moment::Moment;
use super::text::text;
use super::view::{AlertView, FleetView};
use std::fmt::Write as _;

/// Open alerts that are shown; the rest is counted.
const OPEN_MAX: usize = 12;

/// What needs somebody now.
pub(super) fn open(out: &mut String, view: &FleetView) {
    out.push_str(
        "<section id=\"part-alerts\" data-part aria-live=\"polite\" aria-label=\"Alerts\">",
    );
    if !view.open_alerts.is_empty() {
        out.push_str("<ul class=\"alerts\">");
        for alert in view.open_alerts.iter().take(OPEN_MAX) {
            item(out, alert, view.now_s);
        }
        let more = view.open_alerts.len().saturating_sub(OPEN_MAX);
        if more > 0 {
            let _ = write!(out, "<li class=\"more\">and {more} more</li>");
        }
        out.push_str("</ul>");
    }
    out.push_str("</section>");
}

/// What was over lately.
pub(super) fn past(out: &mut String, view: &FleetView) {
    out.push_str("<section id=\"part-past\" data-part aria-label=\"Past alerts\">");
    if !view.past_alerts.is_empty() {
        let _ = write!(
            out,
            "<details class=\"card past\" id=\"past-alerts\"><summary><h2>Past alerts</h2> \
             <span class=\"chip\">{}</span></summary><ul class=\"alerts\">",
            view.past_alerts.len()
        );
        for alert in &view.past_alerts {
            item(out, alert, view.now_s);
        }
        out.push_str("</ul></details>");
    }
    out.push_str("</section>");
}

fn item(out: &mut String, alert: &AlertView, now_s: u64) {
    let tone = if alert.until_s.is_some() {
        "past"
    } else {
        "bad"
    };
    let _ = write!(
        out,
        "<li class=\"alert {tone}\"><span class=\"badge {tone}\">{}</span> <span class=\"what\">",
        alert.kind
    );
    if let Some(network) = &alert.network {
        let _ = write!(out, "<b><bdi>{}</bdi></b> ", text(network));
    }
    let moment = |at_s| Moment { at_s, now_s };
    let _ = write!(
        out,
        "<bdi>{}</bdi></span><span class=\"when\">{}",
        text(&alert.summary),
        moment(alert.since_s)
    );
    if let Some(until_s) = alert.until_s {
        let _ = write!(out, ", over {}", moment(until_s));
    }
    out.push_str("</span></li>");
}
