//! Rules that one key's type cannot hold: bounds, and how keys fit together.
//!
//! Invariant: a configuration that passes can be served; whatever would only show once clients suffer is refused here.

mod addresses;
mod duties;
mod log_filter;

use super::merge::Tree;
use super::{Config, KeptPer, Kinds, NOTICE_AHEAD_S, Origin, Phase, Place, Problem, TimeSpan};
use std::collections::BTreeSet;

/// Room that an event needs in an outbox beside its own bytes: `["EVENT",` and the longest subscription id, escaped.
const ENVELOPE_BYTES: u64 = 1_024;

/// Everything that does not fit.
pub(crate) fn problems(config: &Config, tree: &Tree) -> Vec<Problem> {
    let mut rules = Rules {
        tree,
        problems: Vec::new(),
    };
    addresses::information(config, &mut rules);
    addresses::network(config, &mut rules);
    duties::problems(config, &mut rules);
    timeouts(config, &mut rules);
    limits(config, &mut rules);
    lists(config, &mut rules);
    rates(config, &mut rules);
    retention(config, &mut rules);
    duties::log_files(config, &mut rules);
    copies(config, &mut rules);
    unbuilt(config, &mut rules);
    rules.problems
}

/// What an operator should hear although it is no problem, at a second since 1970.
pub(crate) fn notes(config: &Config, now_s: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if config.limitation.min_prefix.is_some() {
        notes.push(
            "limitation.min_prefix has no effect: ids and keys are always compared whole"
                .to_owned(),
        );
    }
    if config.network.real_ip_header.is_some() && config.network.trusted_proxies.is_empty() {
        notes.push(
            "network.real_ip_header is never believed, because network.trusted_proxies is empty"
                .to_owned(),
        );
    }
    if config.operation.is_short_notice_at(now_s) {
        notes.push(format!(
            "operation.maintenance_from is less than {} hours ahead: users have little time to prepare",
            NOTICE_AHEAD_S / 3_600
        ));
    }
    if config.operation.phase_at(now_s) == Phase::After {
        notes.push(
            "operation.maintenance_until has passed, so neither the window nor operation.notice has any effect"
                .to_owned(),
        );
    }
    let lists_set = config.auth.pubkey_whitelist.is_some()
        || config.auth.req != Default::default()
        || config.auth.event != Default::default();
    if lists_set && !config.auth.enabled {
        notes.push("the lists in [auth] are not applied, because auth.enabled = false".to_owned());
    }
    notes.extend(duties::notes(config, now_s));
    notes
}

struct Rules<'t> {
    tree: &'t Tree,
    problems: Vec<Problem>,
}

impl Rules<'_> {
    /// Refuses the value of a key unless it fits.
    fn want(&mut self, fits: bool, key: &str, found: impl ToString, allowed: impl Into<String>) {
        if !fits {
            let origin: &Origin = self.tree.origin(key);
            let problem = Problem::new(origin, key, "does not fit").found(found.to_string());
            self.problems.push(problem.allowed(allowed));
        }
    }
}

fn timeouts(config: &Config, rules: &mut Rules<'_>) {
    let network = &config.network;
    for (key, span) in [
        ("network.handshake_timeout", network.handshake_timeout),
        ("network.body_timeout", network.body_timeout),
        ("network.ping_interval", network.ping_interval),
        ("network.write_timeout", network.write_timeout),
        ("data.db_query_timeout", config.data.db_query_timeout),
        ("data.retention_interval", config.data.retention_interval),
        ("negentropy.idle_timeout", config.negentropy.idle_timeout),
        ("negentropy.max_lifetime", config.negentropy.max_lifetime),
        ("outbound.connect_timeout", config.outbound.connect_timeout),
        ("outbound.timeout", config.outbound.timeout),
        ("own_events.max_time", config.own_events.max_time),
    ] {
        rules.want(!span.is_zero(), key, span, "a time longer than none");
    }
    let idle_fits = network.idle_timeout > network.ping_interval;
    rules.want(
        idle_fits,
        "network.idle_timeout",
        network.idle_timeout,
        format!("more than network.ping_interval, {}", network.ping_interval),
    );
    let own = &config.own_events;
    rules.want(
        own.min_time <= own.max_time,
        "own_events.min_time",
        own.min_time,
        format!("at most own_events.max_time, {}", own.max_time),
    );
    let write_fits = network.write_timeout <= TimeSpan::from_secs(60);
    rules.want(
        write_fits,
        "network.write_timeout",
        network.write_timeout,
        "at most 60s",
    );
}

fn limits(config: &Config, rules: &mut Rules<'_>) {
    let (limits, data) = (&config.limitation, &config.data);
    let message_bytes = limits.max_message_length.bytes();
    rules.want(
        message_bytes >= 1_024,
        "limitation.max_message_length",
        limits.max_message_length,
        "at least 1KiB",
    );
    rules.want(
        config.network.outbox_bytes.bytes() >= message_bytes.saturating_add(ENVELOPE_BYTES),
        "network.outbox_bytes",
        config.network.outbox_bytes,
        format!(
            "at least limitation.max_message_length and 1KiB, {}",
            message_bytes.saturating_add(ENVELOPE_BYTES)
        ),
    );
    rules.want(
        data.in_flight_bytes.bytes() >= message_bytes,
        "data.in_flight_bytes",
        data.in_flight_bytes,
        format!(
            "at least limitation.max_message_length, {}",
            limits.max_message_length
        ),
    );
    rules.want(
        config.outbound.max_body_bytes.bytes() > 0,
        "outbound.max_body_bytes",
        config.outbound.max_body_bytes,
        "at least one byte",
    );
    for file in &config.outbound.trusted_certificates {
        rules.want(
            file.is_file(),
            "outbound.trusted_certificates",
            format!("{file:?}"),
            "files in PEM that can be read",
        );
    }
    rules.want(
        data.map_size.bytes() >= 1 << 20,
        "data.map_size",
        data.map_size,
        "at least 1MiB",
    );
    rules.want(
        !data.path.as_os_str().is_empty(),
        "data.path",
        r#""""#,
        "a directory",
    );
    if let Some(limit) = limits.default_limit {
        let fits = limit <= limits.max_limit;
        rules.want(
            fits,
            "limitation.default_limit",
            limit,
            format!("at most limitation.max_limit, {}", limits.max_limit),
        );
    }
    let negentropy = &config.negentropy;
    rules.want(
        negentropy.max_items <= negentropy.max_items_in_all,
        "negentropy.max_items",
        negentropy.max_items,
        format!(
            "at most negentropy.max_items_in_all, {}",
            negentropy.max_items_in_all
        ),
    );
    rules.want(
        negentropy.max_items <= negentropy.max_items_per_ip,
        "negentropy.max_items",
        negentropy.max_items,
        format!(
            "at most negentropy.max_items_per_ip, {}",
            negentropy.max_items_per_ip
        ),
    );
    let operation = &config.operation;
    if let (Some(from), Some(until)) = (operation.maintenance_from, operation.maintenance_until) {
        rules.want(
            from < until,
            "operation.maintenance_until",
            until,
            format!("after maintenance_from, {from}"),
        );
    }
    rules.want(
        log_filter::is_good(&config.log.filter),
        "log.filter",
        quoted(&config.log.filter),
        log_filter::ALLOWED,
    );
}

fn copies(config: &Config, rules: &mut Rules<'_>) {
    let backup = &config.backup;
    let is_place = !backup.is_on() || Place::parse(&backup.url).is_some();
    rules.want(
        is_place,
        "backup.url",
        quoted(&backup.url),
        super::backup::ALLOWED,
    );
    rules.want(
        cfg!(feature = "backup") || !backup.is_on(),
        "backup.url",
        quoted(&backup.url),
        "\"\": this program was built without the feature `backup`",
    );
    rules.want(
        backup.interval >= TimeSpan::from_millis(100),
        "backup.interval",
        backup.interval,
        "at least 100ms",
    );
    rules.want(
        backup.snapshot_interval > backup.interval,
        "backup.snapshot_interval",
        backup.snapshot_interval,
        format!("more than backup.interval, {}", backup.interval),
    );
    rules.want(
        backup.retention >= backup.snapshot_interval,
        "backup.retention",
        backup.retention,
        format!(
            "at least backup.snapshot_interval, {}",
            backup.snapshot_interval
        ),
    );
}

/// What promises something that nothing keeps yet.
fn unbuilt(config: &Config, rules: &mut Rules<'_>) {
    rules.want(
        !config.search.enabled,
        "search.enabled",
        true,
        "false: search is not built yet",
    );
}

/// An empty allow list would shut everyone out, which nobody writes on purpose.
fn lists(config: &Config, rules: &mut Rules<'_>) {
    let (req, event) = (&config.auth.req, &config.auth.event);
    let empty = [
        (
            "auth.pubkey_whitelist",
            config
                .auth
                .pubkey_whitelist
                .as_ref()
                .is_some_and(Vec::is_empty),
        ),
        (
            "auth.req.ip_whitelist",
            req.ip_whitelist.as_ref().is_some_and(Vec::is_empty),
        ),
        (
            "auth.req.pubkey_whitelist",
            req.pubkey_whitelist.as_ref().is_some_and(Vec::is_empty),
        ),
        (
            "auth.event.ip_whitelist",
            event.ip_whitelist.as_ref().is_some_and(Vec::is_empty),
        ),
        (
            "auth.event.pubkey_whitelist",
            event.pubkey_whitelist.as_ref().is_some_and(Vec::is_empty),
        ),
        (
            "auth.event.event_pubkey_whitelist",
            event
                .event_pubkey_whitelist
                .as_ref()
                .is_some_and(Vec::is_empty),
        ),
    ];
    for (key, empty) in empty {
        rules.want(
            !empty,
            key,
            "[], which lets nobody in",
            "at least one entry, or leave the key out to let everybody in",
        );
    }
}

fn rates(config: &Config, rules: &mut Rules<'_>) {
    let limiter = &config.rate_limiter;
    let mut names = BTreeSet::new();
    let mut check = |key: &str, name: &str, period: TimeSpan, kinds: Option<&Kinds>| {
        let key = |part: &str| format!("rate_limiter.{key}.{part}");
        rules.want(!name.is_empty(), &key("name"), r#""""#, "a name");
        rules.want(
            names.insert(name.to_owned()),
            &key("name"),
            quoted(name),
            "a name that no other rule has",
        );
        rules.want(
            !period.is_zero(),
            &key("period"),
            period,
            "a time longer than none",
        );
        rules.want(
            !kinds.is_some_and(Kinds::is_empty),
            &key("kinds"),
            "[]",
            "at least one kind, or leave the key out for every kind",
        );
    };
    for (list, of_messages) in [
        ("event", &limiter.event),
        ("req", &limiter.req),
        ("count", &limiter.count),
        ("neg", &limiter.neg),
    ] {
        for (i, rule) in of_messages.iter().enumerate() {
            let key = format!("{list}[{i}]");
            check(&key, &rule.name, rule.period, rule.kinds.as_ref());
        }
    }
    for (i, rule) in limiter.bytes.iter().enumerate() {
        check(&format!("bytes[{i}]"), &rule.name, rule.period, None);
    }
    for (i, rule) in limiter.connection.iter().enumerate() {
        check(&format!("connection[{i}]"), &rule.name, rule.period, None);
    }
    for (i, rule) in limiter.bytes.iter().enumerate() {
        let key = format!("rate_limiter.bytes[{i}].limit");
        rules.want(
            rule.limit.bytes() > 0,
            &key,
            rule.limit,
            "at least one byte",
        );
    }
}

/// A rule that removes nothing, or everything, was meant otherwise.
fn retention(config: &Config, rules: &mut Rules<'_>) {
    for (i, rule) in config.retention.iter().enumerate() {
        let key = |key: &str| format!("retention[{i}].{key}");
        rules.want(
            rule.max_age.is_some() || rule.max_count.is_some(),
            &key("max_age"),
            "neither max_age nor max_count",
            "one of them, or both",
        );
        rules.want(
            rule.max_age.is_none_or(|age| !age.is_zero()),
            &key("max_age"),
            "0s, which would keep nothing",
            "a time longer than none",
        );
        rules.want(
            rule.per == KeptPer::Relay || rule.max_count.is_some(),
            &key("per"),
            r#""author""#,
            "max_count beside it, for which it says how to count",
        );
        let no_kinds = rule.kinds.as_ref().is_some_and(|kinds| kinds.is_empty());
        rules.want(
            !no_kinds,
            &key("kinds"),
            "[]",
            "at least one kind, or leave the key out for every kind",
        );
        let no_authors = rule.authors.as_ref().is_some_and(Vec::is_empty);
        rules.want(
            !no_authors,
            &key("authors"),
            "[]",
            "at least one author, or leave the key out for every author",
        );
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}
