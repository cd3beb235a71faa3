//! What users are promised: the policy, the security contact, and that logs forget.

use super::{Rules, quoted};
use crate::config::log::{ERRORS_MAX, REQUESTS_MAX};
use crate::config::{Config, TimeSpan};

pub(super) fn problems(config: &Config, rules: &mut Rules<'_>) {
    for key in config.policy.empty() {
        let allowed = "what there is to say, or leave the key out";
        rules.want(false, &format!("policy.{key}"), r#""""#, allowed);
    }
    let security = &config.security_contact;
    for (key, address, schemes) in [
        ("policy", &security.policy, &["https://"][..]),
        (
            "encryption",
            &security.encryption,
            &["https://", "dns:", "openpgp4fpr:"],
        ),
        ("acknowledgments", &security.acknowledgments, &["https://"]),
    ] {
        if let Some(address) = address {
            want_address(rules, key, address, schemes);
        }
    }
    for address in &security.contact {
        want_address(rules, "contact", address, &["mailto:", "https://", "tel:"]);
    }
    for language in &security.preferred_languages {
        let is_tag = |c: char| c.is_ascii_alphanumeric() || c == '-';
        rules.want(
            !language.is_empty() && language.chars().all(is_tag),
            "security_contact.preferred_languages",
            quoted(language),
            r#"languages such as "en" and "pt-BR""#,
        );
    }
    rules.want(
        security.expires.is_some() || !security.is_published(),
        "security_contact.expires",
        "no time",
        "a time beside security_contact.contact, less than a year ahead, as RFC 9116 has it",
    );
    let has_more = *security != Default::default();
    rules.want(
        security.is_published() || !has_more,
        "security_contact.contact",
        "nobody",
        "an address beside the other keys, or leave the table out",
    );
}

/// Files with the log go in time, whatever an operator would like.
pub(super) fn log_files(config: &Config, rules: &mut Rules<'_>) {
    let log = &config.log;
    for (key, retention, most) in [
        ("log.request_retention", log.request_retention, REQUESTS_MAX),
        ("log.error_retention", log.error_retention, ERRORS_MAX),
    ] {
        rules.want(
            retention >= TimeSpan::from_secs(1) && retention <= most,
            key,
            retention,
            format!("1s to {most}"),
        );
    }
    rules.want(
        log.max_bytes.bytes() >= 1 << 20,
        "log.max_bytes",
        log.max_bytes,
        "at least 1MiB",
    );
    let directory = log.directory.as_ref();
    rules.want(
        directory.is_none_or(|directory| !directory.as_os_str().is_empty()),
        "log.directory",
        r#""""#,
        "a directory, or leave the key out for no files",
    );
}

/// A line of the file: whatever could end it is refused.
fn want_address(rules: &mut Rules<'_>, key: &str, address: &str, schemes: &[&str]) {
    let rest = schemes
        .iter()
        .find_map(|scheme| address.strip_prefix(scheme));
    let is_line = !address.contains(|c: char| c.is_whitespace() || c.is_control());
    rules.want(
        rest.is_some_and(|rest| !rest.is_empty()) && is_line,
        &format!("security_contact.{key}"),
        quoted(address),
        format!("an address that begins with {}", schemes.join(" or ")),
    );
}

pub(super) fn notes(config: &Config, now_s: u64) -> Vec<String> {
    let mut notes = Vec::new();
    let missing = config.policy.missing();
    if !missing.is_empty() {
        notes.push(format!(
            "the policy at /policy has no section for {}",
            missing
                .iter()
                .map(|key| format!("policy.{key}"))
                .collect::<Vec<_>>()
                .join(", ")
        ));
    }
    let is_pointed_to =
        config.network.relay_url.is_some() || config.information.terms_of_service.is_some();
    if config.policy.is_published() && !is_pointed_to {
        notes.push(
            "network.relay_url is not set, so the information document names /policy to clients on this machine only"
                .to_owned(),
        );
    }
    notes.extend(config.security_contact.note_at(now_s));
    notes
}
