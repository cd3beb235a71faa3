//! The relay information document (NIP-11): what is configured, what is enforced, what is switched on.

use super::policy;
use crate::access;
use crate::config::{ACCEPTABLE_USE, Config, DATA_PRACTICES, KeptPer};
use crate::extension::Hooks;
use crate::moderation::Moderation;
use crate::nips::nip98::address;
use crate::own_host::{http_url, local_address, named_host};
use crate::relay::Relay;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

pub(super) fn page(request: &HttpRequest, relay: &Relay) -> HttpResponse {
    let config = relay.config();
    let relay_url = config.network.relay_url.as_deref();
    let host = named_host(request.head());
    let own_url = address::known_as(relay_url, host, Some(local_address(request))).map(http_url);
    let document = document(
        &config,
        &relay.moderation(),
        &relay.hooks.load(),
        &relay.public_key(),
        relay.clock.now_s(),
        own_url.as_deref(),
    );
    HttpResponse::Ok()
        .content_type("application/nostr+json")
        .insert_header(("cache-control", "no-cache"))
        .json(document)
}

/// The document as of `now_s`, seconds since 1970. `own_url` is where the asker finds the relay's pages, if that is known.
/// Extensions add to it last.
pub fn document(
    config: &Config,
    moderation: &Moderation,
    hooks: &Hooks,
    public_key: &str,
    now_s: u64,
    own_url: Option<&str>,
) -> Value {
    let mut document = Map::new();
    for (key, value) in &config.information.extra {
        if let Ok(value) = serde_json::to_value(value) {
            document.insert(key.clone(), value);
        }
    }
    let information = &config.information;
    let mut say = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            document.insert(key.to_owned(), value);
        }
    };
    let text = |text: &Option<String>| text.clone().map(Value::String);
    say("name", Some(information.name.clone().into()));
    say("description", Some(information.description.clone().into()));
    say(
        "pubkey",
        information
            .pubkey
            .as_ref()
            .map(|pubkey| pubkey.key().to_hex().into()),
    );
    say("contact", text(&information.contact));
    say("icon", text(&information.icon));
    say("banner", text(&information.banner));
    // What the operator has elsewhere beats what stands on the relay's own page.
    for (key, url, place) in [
        ("terms_of_service", &information.terms_of_service, None),
        (
            "privacy_policy",
            &information.privacy_policy,
            Some(DATA_PRACTICES),
        ),
        (
            "posting_policy",
            &information.posting_policy,
            Some(ACCEPTABLE_USE),
        ),
    ] {
        say(
            key,
            text(url).or_else(|| own_policy(config, own_url?, place)),
        );
    }
    say("self", Some(public_key.into()));
    let software = information.software.as_deref().unwrap_or(SOFTWARE);
    say("software", Some(software.into()));
    say("version", Some(env!("CARGO_PKG_VERSION").into()));
    say("supported_nips", Some(json!(supported_nips(config))));
    say("limitation", Some(limitation(config, moderation, now_s)));
    say("retention", retention(config));
    hooks.nip11(&mut document);
    Value::Object(document)
}

/// The address in Cargo.toml; the program's name where it has none.
const SOFTWARE: &str = if REPOSITORY.is_empty() {
    "trellis"
} else {
    REPOSITORY
};
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// The address of the published policy, or of a section that it has.
fn own_policy(config: &Config, own_url: &str, section: Option<&str>) -> Option<Value> {
    let sections = config.policy.sections();
    let Some(id) = section else {
        return (!sections.is_empty()).then(|| format!("{own_url}{}", policy::PATH).into());
    };
    let is_there = sections.iter().any(|section| section.id == id);
    is_there.then(|| format!("{own_url}{}#{id}", policy::PATH).into())
}

/// NIPs that need no code of a relay (2, 10, 17, 44, 51, 59, 65, 78) are always listed.
pub(super) fn supported_nips(config: &Config) -> Vec<u16> {
    let mut nips = vec![1, 2, 9, 10, 11, 17, 40, 42, 44, 51, 59, 62, 65, 70, 78];
    if !config.pow.is_empty() {
        nips.push(13);
    }
    if config.count.enabled {
        nips.push(45);
    }
    if config.negentropy_frame_bytes().is_some() {
        nips.push(77);
    }
    if config.information.pubkey.is_some() {
        nips.push(86);
    }
    nips.sort_unstable();
    nips
}

/// The rules for everybody's events, as NIP-11 once wrote them: kinds and ranges that include their end, seconds, and a
/// count, which is of each author's events where `per` says so. Rules for the events of some people are their affair.
fn retention(config: &Config) -> Option<Value> {
    let rules = config.retention.iter();
    let stated: Vec<Value> = rules
        .filter(|rule| rule.authors.is_none())
        .map(|rule| {
            let mut stated = Map::new();
            if let Some(kinds) = &rule.kinds {
                let kinds = kinds
                    .ranges()
                    .iter()
                    .map(|(first, last)| match first == last {
                        true => json!(first),
                        false => json!([first, last]),
                    });
                stated.insert("kinds".to_owned(), kinds.collect());
            }
            if let Some(age) = rule.max_age {
                stated.insert("time".to_owned(), age.as_secs().into());
            }
            if let Some(count) = rule.max_count {
                stated.insert("count".to_owned(), count.into());
            }
            if rule.per == KeptPer::Author {
                stated.insert("per".to_owned(), "author".into());
            }
            Value::Object(stated)
        })
        .collect();
    (!stated.is_empty()).then_some(stated.into())
}

/// Every limit that is enforced, under NIP-11's name where it has one.
fn limitation(config: &Config, moderation: &Moderation, now_s: u64) -> Value {
    let limits = &config.limitation;
    let mut stated = json!({
        "max_message_length": limits.max_message_length.bytes(),
        "max_subscriptions": limits.max_subscriptions,
        "max_subscription_bytes": limits.max_subscription_bytes.bytes(),
        "max_filters": limits.max_filters,
        "max_filter_values": limits.max_filter_values,
        "max_limit": limits.max_limit,
        "default_limit": limits.effective_limit(None),
        "max_subid_length": limits.max_subid_length,
        "max_event_tags": limits.max_event_tags,
        "max_tag_bytes": limits.max_tag_bytes.bytes(),
        "created_at_upper_limit": limits.max_event_time_newer_than_now.as_secs(),
        // What every event needs; `pow_difficulty_by_kind` says more where a kind needs more.
        "min_pow_difficulty": 0,
        "auth_required": access::reading_needs_auth(&config.auth),
        "payment_required": false,
        "restricted_writes": access::restricts_writes(config, moderation, now_s),
    });
    if config.negentropy_frame_bytes().is_some() {
        stated["max_negentropy_items"] = config.negentropy.max_items.into();
        stated["max_negentropy_sessions"] = config.negentropy.max_sessions.into();
    }
    if let Some(max) = limits.max_content_length {
        stated["max_content_length"] = max.into();
    }
    if let Some(oldest) = limits.max_event_time_older_than_now {
        stated["created_at_lower_limit"] = oldest.as_secs().into();
    }
    if !config.pow.is_empty() {
        let bits: Map<String, Value> = config
            .pow
            .iter()
            .map(|(kind, bits)| (kind.to_string(), bits.into()))
            .collect();
        stated["pow_difficulty_by_kind"] = Value::Object(bits);
    }
    stated
}
