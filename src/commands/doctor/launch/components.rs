//! The relay, calls, LiveKit and media: whether each is there, reached with TLS, and told to clients.
//!
//! Invariant: a part is as good as the worst of what was found of it, and each address was asked.

use super::Before;
use crate::commands::doctor::database;
use crate::commands::doctor::patient::Patient;
use crate::commands::doctor::public_address::{INFORMATION, PARTS, Seen, WEBSOCKET};
use crate::commands::doctor::trust::Standing;
use crate::commands::job::is_on;
use trellis_relay::config::Config;
use trellis_relay::extension::{Finding, Findings, Grade};
use url::Url;

/// What was found of the relay itself.
const OF_RELAY: [&str; 3] = [database::CHECK, INFORMATION, WEBSOCKET];
/// What extensions find that has an item of its own.
const OWN_ITEMS: [&str; 2] = ["livekit_token: recording", "blossom_policy: types"];
/// Where it is not known whose document came.
pub(super) const NOT_COMPARED: &str = "run trellis doctor as the user that the relay runs as, to see that it is this relay that answers";

/// How one part is.
struct Part {
    name: &'static str,
    grade: Grade,
    /// What is not as it should be.
    why: Vec<String>,
}

impl Part {
    fn new(name: &'static str) -> Self {
        Part {
            name,
            grade: Grade::Ok,
            why: Vec::new(),
        }
    }

    fn add(&mut self, grade: Grade, why: String) {
        if grade == Grade::Ok {
            return;
        }
        self.grade = worse(self.grade, grade);
        self.why.push(why);
    }

    fn add_all<'a>(&mut self, found: impl Iterator<Item = &'a Finding>) {
        for finding in found {
            self.add(finding.grade, finding.check.clone());
        }
    }
}

fn worse(one: Grade, other: Grade) -> Grade {
    let rank = |grade: &Grade| match grade {
        Grade::Ok => 0,
        Grade::Warn => 1,
        Grade::ByHand => 2,
        Grade::Fail => 3,
    };
    std::cmp::max_by_key(one, other, rank)
}

pub(super) async fn look(patient: &Patient, seen: &Before<'_>, list: &mut Findings) {
    const ITEM: &str = "all four components";
    let config = &patient.loaded.config;
    let parts = [
        of_relay(seen),
        of_extension(patient, seen, "livekit_token", "calls and LiveKit").await,
        of_extension(patient, seen, "blossom_policy", "media").await,
    ];
    let grade = parts.iter().map(|part| part.grade).fold(Grade::Ok, worse);
    let told: Vec<String> = parts
        .iter()
        .filter(|part| part.grade != Grade::Ok)
        .map(|part| format!("{} ({})", part.name, part.why.join(", ")))
        .collect();
    let told = told.join("; ");
    match grade {
        Grade::Fail => list.fail(ITEM, format!("not well: {told}"), "mend what fails, here and above"),
        Grade::ByHand => list.by_hand(
            ITEM,
            format!("not seen: {told}"),
            match is_all_here(config) {
                true => "look at what is to be confirmed by hand above",
                false => "see that what is not switched on here runs elsewhere, under the same operator, or switch it on",
            },
        ),
        Grade::Warn => list.warn(ITEM, format!("with warnings: {told}"), "see above"),
        Grade::Ok => list.ok(ITEM, "relay, calls, LiveKit and media answer"),
    }
}

fn is_on_here(config: &Config, extension: &str) -> bool {
    config.extensions.get(extension).is_some_and(is_on)
}

fn is_all_here(config: &Config) -> bool {
    ["livekit_token", "blossom_policy"]
        .iter()
        .all(|it| is_on_here(config, it))
}

fn of_relay(seen: &Before<'_>) -> Part {
    let mut part = Part::new("the relay");
    if !seen.relay.is_running() {
        let grade = match seen.relay.is_stopped() {
            true => Grade::Fail,
            false => Grade::ByHand,
        };
        part.add(grade, "it is not seen to run".to_owned());
    }
    let all = seen.found.all.iter();
    part.add_all(all.filter(|finding| OF_RELAY.contains(&finding.check.as_str())));
    if seen.address.information.is_none() && part.grade != Grade::Fail {
        let why = "it does not answer at its public address";
        part.add(Grade::Fail, why.to_owned());
    }
    part
}

/// One that an extension stands for: by what it has found, and by asking where clients are sent.
async fn of_extension(
    patient: &Patient,
    seen: &Before<'_>,
    extension: &str,
    name: &'static str,
) -> Part {
    let mut part = Part::new(name);
    let is_on = is_on_here(&patient.loaded.config, extension);
    if !is_on {
        part.add(
            Grade::ByHand,
            format!("{extension} is not switched on here"),
        );
    }
    let prefix = format!("{extension}: ");
    let all = seen.found.all.iter();
    let mut own = all
        .filter(|it| it.check.starts_with(&prefix) && !OWN_ITEMS.contains(&it.check.as_str()))
        .peekable();
    if is_on && own.peek().is_none() {
        part.add(Grade::ByHand, format!("{extension} has found nothing"));
    }
    part.add_all(own);
    let names: &[&str] = match extension {
        "livekit_token" => &[
            "LiveKit",
            "calls",
            "sidecar_url in NIP-11",
            "livekit_url in NIP-11",
        ],
        _ => &["media", "blossom_url in NIP-11"],
    };
    let mut urls: Vec<&str> = seen
        .endpoints
        .iter()
        .filter(|endpoint| names.contains(&endpoint.name.as_str()))
        .map(|endpoint| endpoint.url.as_str())
        .collect();
    urls.sort_unstable();
    urls.dedup();
    if is_on && urls.is_empty() {
        let why = "clients are told no address of it";
        part.add(Grade::ByHand, why.to_owned());
    }
    for url in urls {
        if let Some(why) = silence(patient, url).await {
            part.add(Grade::Fail, format!("{url}: {why}"));
        }
    }
    part
}

/// Why nobody is at an address. What answers there is not known here; a proxy without anybody behind it says so by 502 or
/// such.
async fn silence(patient: &Patient, url: &str) -> Option<String> {
    let Ok(url) = Url::parse(url) else {
        return Some("it is no address".to_owned());
    };
    match patient.web.get(&url, "*/*").await {
        Ok(answer) if answer.status >= 500 => Some(format!("it answers {}", answer.status)),
        Ok(_) => None,
        Err(why) => Some(why),
    }
}

pub(super) fn tls(seen: &Before<'_>, list: &mut Findings) {
    const ITEM: &str = "TLS on all endpoints";
    let of = |wanted: &[Standing]| {
        let all = seen.certificates.iter();
        let names = all.filter(|it| wanted.contains(&it.standing));
        names
            .map(|it| it.check.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let bad = of(&[Standing::Bad, Standing::Plain]);
    let doubtful = of(&[Standing::Ending, Standing::Private]);
    let missing = missing_parts(seen.address);
    if !bad.is_empty() {
        list.fail(
            ITEM,
            bad,
            "have each be wss:// or https://, with a certificate that clients take",
        );
    } else if seen.address.address.is_none() || seen.certificates.is_empty() {
        list.fail(
            ITEM,
            "the relay has no public address that answers",
            "set network.relay_url, and start the relay behind its proxy",
        );
    } else if !seen.address.is_ours {
        list.by_hand(ITEM, "good, at a relay that may be another", NOT_COMPARED);
    } else if !missing.is_empty() {
        list.by_hand(
            ITEM,
            format!(
                "good as far as is known; not told in NIP-11: {}",
                missing.join(", ")
            ),
            "look at the certificates of those parts, or have NIP-11 name them",
        );
    } else if !doubtful.is_empty() {
        list.warn(ITEM, doubtful, "see the warnings above");
    } else if !seen.address.has_hsts {
        list.warn(
            ITEM,
            "the certificates are good, and browsers are not told to insist on them (Strict-Transport-Security)",
            "have the proxy set it (deploy/nginx, deploy/Caddyfile)",
        );
    } else {
        list.ok(ITEM, of(&[Standing::Good]));
    }
}

/// The parts of which clients are told no address.
fn missing_parts(address: &Seen) -> Vec<&'static str> {
    let parts = address.information.as_ref().map(|it| &it[PARTS]);
    let is_missing = |key: &&str| parts.is_none_or(|parts| !parts[*key].is_string());
    ["sidecar_url", "blossom_url", "livekit_url"]
        .into_iter()
        .filter(is_missing)
        .collect()
}

pub(super) fn information(address: &Seen, list: &mut Findings) {
    const ITEM: &str = "the parts in NIP-11";
    let Some(document) = &address.information else {
        return list.fail(
            ITEM,
            "this relay does not answer at its public address",
            "mend what fails above",
        );
    };
    let parts = &document[PARTS];
    let mut missing = missing_parts(address);
    if !parts["version"].is_string() {
        missing.insert(0, "version");
    }
    match (parts.is_object(), missing.is_empty()) {
        (true, true) if !address.is_ours => list.by_hand(
            ITEM,
            format!("{PARTS} names all of them, in the document of a relay that may be another"),
            NOT_COMPARED,
        ),
        (true, true) => list.ok(ITEM, format!("{PARTS} names all of them")),
        (true, false) => list.fail(
            ITEM,
            format!("{PARTS} lacks {}", missing.join(", ")),
            "set operator_url, blossom_url and livekit_client_url of [extensions.livekit_token]",
        ),
        (false, _) => list.fail(
            ITEM,
            format!("there is no {PARTS}"),
            "switch [extensions.livekit_token] on, or write it into [information.extra]",
        ),
    }
}
