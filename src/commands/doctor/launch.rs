//! The operators' guide's list of what has to be there before the public is let in, an item a line.
//!
//! Invariant: an item is ok only where all of it was seen. What was not seen but may be so is for a person to confirm, and
//! says where to look.

use super::Patient;
use super::public_address::Seen;
use trellis_relay::clock::{Clock as _, SystemClock};
use trellis_relay::config::{Config, Timestamp};
use trellis_relay::extension::{Endpoint, Finding, Findings, Grade};
use url::Url;

/// What the parts are called in the document of the relay (NIP-11).
const PARTS: &str = "synchrono_city";

pub(super) async fn look(
    patient: &Patient,
    found: &Findings,
    seen: &Seen,
    endpoints: &[Endpoint],
) -> Findings {
    let config = &patient.loaded.config;
    let mut list = Findings::default();
    components(config, found, seen, &mut list);
    tls(found, seen, endpoints, &mut list);
    information(seen, &mut list);
    work(config, &mut list);
    as_found(
        "LiveKit records nothing",
        found,
        "livekit_token: recording",
        "look into LiveKit's own configuration",
        &mut list,
    );
    as_found(
        "types of media",
        found,
        "blossom_policy: types",
        "look into the Blossom server's own configuration",
        &mut list,
    );
    rates(config, &mut list);
    monitoring(config, &mut list);
    backups(found, &mut list);
    policy(patient, seen, &mut list).await;
    security_contact(patient, seen, &mut list).await;
    list.by_hand(
        "retention of logs",
        format!("the relay writes its log to standard error (log.filter = {:?}), and whoever keeps it decides for how long", config.log.filter),
        "requests 24 hours, errors 7 days at most: MaxRetentionSec of journald, the logging driver, Cloud Logging's bucket \
         (docs/logging.md)",
    );
    list
}

/// The relay, calls, LiveKit and media.
fn components(config: &Config, found: &Findings, seen: &Seen, list: &mut Findings) {
    const ITEM: &str = "all four components";
    let is_on = |name: &str| {
        config
            .extensions
            .get(name)
            .is_some_and(crate::commands::job::is_on)
    };
    let mut missing = Vec::new();
    let mut ill = Vec::new();
    if seen.information.is_none() {
        ill.push("the relay at its public address");
    }
    for (name, part) in [
        ("livekit_token", "calls (livekit_token) with LiveKit"),
        ("blossom_policy", "media (blossom_policy)"),
    ] {
        let of_it = |finding: &&Finding| finding.check.starts_with(&format!("{name}: "));
        match is_on(name) {
            false => missing.push(part),
            true if found
                .all
                .iter()
                .filter(of_it)
                .any(|it| it.grade == Grade::Fail) =>
            {
                ill.push(part)
            }
            true => {}
        }
    }
    if !ill.is_empty() {
        list.fail(
            ITEM,
            format!("not well: {}", ill.join(", ")),
            "mend what fails above",
        );
    } else if !missing.is_empty() {
        list.by_hand(
            ITEM,
            format!(
                "the relay is well; not switched on here: {}",
                missing.join(", ")
            ),
            "see that they run elsewhere, under the same operator, or switch them on",
        );
    } else {
        list.ok(ITEM, "relay, calls, LiveKit and media answer");
    }
}

fn tls(found: &Findings, seen: &Seen, endpoints: &[Endpoint], list: &mut Findings) {
    const ITEM: &str = "TLS on all endpoints";
    let certificates: Vec<&Finding> = found
        .all
        .iter()
        .filter(|finding| finding.check.starts_with("certificate of "))
        .collect();
    let bad: Vec<&str> = certificates
        .iter()
        .filter(|finding| {
            finding.grade == Grade::Fail
                || finding.advice.is_some() && finding.found.contains("without TLS")
        })
        .map(|finding| finding.check.as_str())
        .collect();
    let names: Vec<&str> = endpoints.iter().map(|it| it.name.as_str()).collect();
    if !bad.is_empty() {
        list.fail(ITEM, bad.join(", "), "mend what fails above");
    } else if certificates.is_empty() || seen.address.is_none() {
        list.fail(
            ITEM,
            "the relay has no public address that answers",
            "set network.relay_url, and start the relay behind its proxy",
        );
    } else if !seen.has_hsts {
        list.warn(ITEM, "the certificates are good, and browsers are not told to insist on them (Strict-Transport-Security)", "have the proxy set it (deploy/nginx, deploy/Caddyfile)");
    } else if names.is_empty() {
        list.ok(ITEM, "the relay's");
    } else {
        list.ok(
            ITEM,
            format!("the relay's, and those of {}", names.join(", ")),
        );
    }
}

fn information(seen: &Seen, list: &mut Findings) {
    const ITEM: &str = "the parts in NIP-11";
    let Some(document) = &seen.information else {
        return list.fail(
            ITEM,
            "this relay does not answer at its public address",
            "mend what fails above",
        );
    };
    let parts = &document[PARTS];
    let wanted = ["version", "sidecar_url", "blossom_url", "livekit_url"];
    let missing: Vec<&str> = wanted
        .into_iter()
        .filter(|key| parts[*key].as_str().is_none())
        .collect();
    match (parts.is_object(), missing.is_empty()) {
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

fn work(config: &Config, list: &mut Findings) {
    const ITEM: &str = "proof of work";
    let asked: Vec<String> = config
        .pow
        .iter()
        .map(|(kind, bits)| format!("kind {kind}: {bits} bits"))
        .collect();
    match asked.is_empty() {
        true => list.fail(
            ITEM,
            "no kind needs any",
            "set [pow] for the kinds that have a target",
        ),
        false => list.ok(ITEM, asked.join(", ")),
    }
}

/// What an extension has found of itself.
fn as_found(item: &str, found: &Findings, check: &str, elsewhere: &str, list: &mut Findings) {
    match found.all.iter().find(|finding| finding.check == check) {
        Some(finding) => list.all.push(Finding {
            check: item.to_owned(),
            ..finding.clone()
        }),
        None => list.by_hand(
            item,
            "it is not this relay's, or does not answer",
            elsewhere,
        ),
    }
}

fn rates(config: &Config, list: &mut Findings) {
    const ITEM: &str = "rate limits";
    let limiter = &config.rate_limiter;
    let rules = limiter.event.len()
        + limiter.req.len()
        + limiter.count.len()
        + limiter.neg.len()
        + limiter.bytes.len()
        + limiter.connection.len();
    match (limiter.enabled, rules, limiter.event.len()) {
        (false, ..) => list.fail(ITEM, "rate_limiter.enabled is false", "set it to true"),
        (true, 0, _) => list.fail(
            ITEM,
            "there is no rule",
            "add [[rate_limiter.event]] and others (config/trellis.toml has examples)",
        ),
        (true, _, 0) => list.warn(
            ITEM,
            format!("{rules} rules, none of them for events"),
            "add [[rate_limiter.event]]",
        ),
        (true, ..) => list.ok(ITEM, format!("{rules} rules")),
    }
}

fn monitoring(config: &Config, list: &mut Findings) {
    const ITEM: &str = "monitoring and alerts";
    match config.metrics.enabled {
        false => list.fail(
            ITEM,
            "metrics.enabled is false, so nobody can be warned",
            "set it to true",
        ),
        true => list.by_hand(
            ITEM,
            "/metrics can be read; whether somebody is woken no program here can tell",
            "load config/alerts into Prometheus, and fire one alert (docs/deploying/monitoring.md)",
        ),
    }
}

fn backups(found: &Findings, list: &mut Findings) {
    const ITEM: &str = "backups tested";
    let failing = |finding: &&Finding| finding.check == "backup" && finding.grade == Grade::Fail;
    match found.all.iter().find(failing) {
        Some(finding) => list.fail(ITEM, finding.found.clone(), "mend what fails above"),
        None => list.by_hand(
            ITEM,
            "only who has restored one knows",
            "restore the newest into an empty directory and start a relay with it (docs/runbooks/restore.md)",
        ),
    }
}

/// The pages that the relay's document names answer.
async fn policy(patient: &Patient, seen: &Seen, list: &mut Findings) {
    const ITEM: &str = "public policy";
    let information = &patient.loaded.config.information;
    let own = [
        &information.terms_of_service,
        &information.privacy_policy,
        &information.posting_policy,
    ];
    let mut pages: Vec<String> = own.into_iter().flatten().cloned().collect();
    if let Some(document) = &seen.information {
        let told = ["terms_of_service", "privacy_policy", "posting_policy"];
        pages.extend(
            told.iter()
                .filter_map(|key| document[*key].as_str())
                .map(str::to_owned),
        );
    }
    pages.sort();
    pages.dedup();
    if pages.is_empty() {
        return list.fail(
            ITEM,
            "the relay's document names no page",
            "publish it, and set information.terms_of_service and information.privacy_policy",
        );
    }
    for page in &pages {
        if let Some(why) = missing(patient, page).await {
            return list.fail(
                ITEM,
                format!("{page}: {why}"),
                "publish it there, or name where it is",
            );
        }
    }
    list.ok(ITEM, format!("{} answer", pages.join(", ")));
}

/// Why a page cannot be read.
async fn missing(patient: &Patient, page: &str) -> Option<String> {
    let Ok(url) = Url::parse(page) else {
        return Some("it is no address".to_owned());
    };
    match patient.web.get_page(&url, "text/html, */*").await {
        Ok(answer) if answer.status == 200 => None,
        Ok(answer) => Some(format!("it answers {}", answer.status)),
        Err(why) => Some(why),
    }
}

/// RFC 9116, or at least somebody to write to.
async fn security_contact(patient: &Patient, seen: &Seen, list: &mut Findings) {
    const ITEM: &str = "security contact";
    let advice = "publish /.well-known/security.txt with Contact and Expires (RFC 9116)";
    if let Some(address) = &seen.address
        && let Ok(url) = address.join("/.well-known/security.txt")
        && let Ok(answer) = patient.web.get_page(&url, "text/plain").await
        && answer.status == 200
    {
        return security_text(&String::from_utf8_lossy(&answer.body), &url, list);
    }
    let document = seen.information.as_ref();
    let contact = document.and_then(|it| it["contact"].as_str());
    match contact.or(patient.loaded.config.information.contact.as_deref()) {
        Some(contact) => list.warn(
            ITEM,
            format!("only the contact in NIP-11, {contact}"),
            advice,
        ),
        None => list.fail(ITEM, "there is none", advice),
    }
}

fn security_text(text: &str, url: &Url, list: &mut Findings) {
    const ITEM: &str = "security contact";
    let field = |name: &str| {
        text.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field
                .trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let Some(contact) = field("contact") else {
        return list.fail(ITEM, format!("{url} has no Contact"), "add one (RFC 9116)");
    };
    let ends: Option<Timestamp> = field("expires").and_then(|value| value.parse().ok());
    match ends {
        Some(ends) if ends.unix_secs() < SystemClock.now_s() => {
            list.fail(
                ITEM,
                format!("{url} has expired on {ends}"),
                "look whether it is right, and set Expires anew",
            );
        }
        Some(ends) => list.ok(ITEM, format!("{contact}, until {ends}")),
        None => list.warn(
            ITEM,
            format!("{contact}, without Expires"),
            "add it (RFC 9116)",
        ),
    }
}
