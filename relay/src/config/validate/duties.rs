//! What users are promised: the policy and the security contact.

use super::{Rules, quoted};
use crate::config::Config;

pub(super) fn problems(config: &Config, rules: &mut Rules<'_>) {
    for key in config.policy.empty() {
        let allowed = "what there is to say, or leave the key out";
        rules.want(false, &format!("policy.{key}"), r#""""#, allowed);
    }
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
    notes
}
