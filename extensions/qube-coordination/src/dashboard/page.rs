//! The page in one piece: style and script within it, and the policy under which nothing else can run or be loaded.
//!
//! Invariant: everything is there without the script, which only brings the parts up to date. Parts are the elements with
//! `data-part`; a page that is asked for anew has the same ones, or others stand in their place.

use super::moment::Moment;
use super::text::{Count, Query, short, text};
use super::view::FleetView;
use super::{network, notices};
use std::fmt::Write as _;

/// What stands in the page, and what its policy has the hashes of.
pub(super) const STYLE: &str = include_str!("page.css");
/// As [`STYLE`].
pub(super) const SCRIPT: &str = include_str!("page.js");

/// The page for this view.
pub(super) fn page(view: &FleetView) -> String {
    let mut out = String::with_capacity(64 << 10);
    head(&mut out, view);
    tiles(&mut out, view);
    notices::open(&mut out, view);
    for one in &view.networks {
        network::network(&mut out, view, one);
    }
    notices::past(&mut out, view);
    foot(&mut out, view);
    out
}

fn head(out: &mut String, view: &FleetView) {
    let title = match &view.chosen {
        Some(chosen) => chosen.network.as_str(),
        None => "Fleet",
    };
    let relay = short(&view.relay, 16);
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"robots\" content=\"noindex\">\
         <noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>\
         <title>{title} · relay {relay}</title><style>{STYLE}</style></head><body>\
         <a class=\"skip\" href=\"#parts\">Skip to content</a>\
         <header class=\"top\"><div><h1>",
        title = short(title, 64),
    );
    let page = text(&view.places.page);
    let _ = match &view.chosen {
        Some(chosen) => write!(
            out,
            "<a href=\"{page}\">Fleet</a> <span class=\"slash\">/</span> <bdi>{}</bdi>",
            short(&chosen.network, 64)
        ),
        None => out.write_str("Fleet"),
    };
    let now = Moment {
        at_s: view.now_s,
        now_s: view.now_s,
    };
    let _ = write!(
        out,
        "</h1><p class=\"sub\">relay <code>{relay}</code></p></div>\
         <p class=\"live\" id=\"live\" role=\"status\" data-live=\"{api}/live\">\
         <span class=\"dot\"></span><span class=\"how\">As of {now}</span></p></header>\
         <main id=\"parts\" data-revision=\"{revision}\" data-now=\"{now_s}\">",
        now_s = view.now_s,
        api = text(&view.places.api),
        revision = text(&view.revision),
    );
}

fn tiles(out: &mut String, view: &FleetView) {
    let tally = &view.tally;
    out.push_str("<section class=\"tiles\" id=\"part-tiles\" data-part aria-label=\"Summary\">");
    let mut tile = |name: &str, number: usize, tone: &str| {
        let tone = if number == 0 { "none" } else { tone };
        let number = Count(number);
        let _ = write!(
            out,
            "<div class=\"tile {tone}\"><b>{number}</b><span>{name}</span></div>"
        );
    };
    match view.chosen {
        None => tile("Networks", tally.networks, "calm"),
        Some(_) => tile("Alerts", view.open_alerts.len(), "bad"),
    }
    tile("Nodes", tally.nodes, "calm");
    tile("OK", tally.fine, "good");
    tile("Overdue", tally.overdue, "warn");
    tile("Failed", tally.failed, "bad");
    tile("Silent", tally.silent, "warn");
    out.push_str("</section>");
}

fn foot(out: &mut String, view: &FleetView) {
    let api = text(&view.places.api);
    let _ = write!(
        out,
        "</main><footer><p>The same as data: <a href=\"{api}/networks\">networks</a>"
    );
    if let Some(chosen) = &view.chosen {
        let network = Query(&chosen.network);
        for what in ["fleet", "quorum", "acks", "history", "report"] {
            let _ = write!(
                out,
                ", <a href=\"{api}/networks/{network}/{what}\">{what}</a>"
            );
        }
    }
    let _ = write!(
        out,
        ", <a href=\"{api}/audit\">audit log</a>. Times are in UTC.</p></footer><script>{SCRIPT}</script></body></html>"
    );
}
