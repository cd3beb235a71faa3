//! The methods of the core by name: what each takes, and which function carries it out.
//!
//! Invariant: a name is here once, so that `supportedmethods`, the check of parameters and the refusal of extensions that
//! want the same name agree.

use super::params::Params;
use super::{decisions, lists, settings};
use crate::relay::Relay;
use serde_json::{Value, json};
use std::sync::Arc;

/// A method of the core.
#[derive(Clone, Copy, Debug)]
pub(super) struct Method {
    /// Its name.
    pub(super) name: &'static str,
    /// Its parameters, for people.
    pub(super) takes: &'static str,
    /// How many of them must be there.
    pub(super) least: usize,
    /// How many there may be.
    pub(super) most: usize,
    /// Whether it changes anything.
    pub(super) changes: bool,
}

/// All of them.
pub(super) const METHODS: &[Method] = &[
    reads("supportedmethods"),
    changes("banpubkey", "[pubkey, reason]", 1, 2),
    changes("unbanpubkey", "[pubkey, reason]", 1, 2),
    reads("listbannedpubkeys"),
    changes("allowpubkey", "[pubkey, reason]", 1, 2),
    changes("unallowpubkey", "[pubkey, reason]", 1, 2),
    reads("listallowedpubkeys"),
    reads("listeventsneedingmoderation"),
    changes("allowevent", "[event id, reason]", 1, 2),
    changes("banevent", "[event id, reason]", 1, 2),
    reads("listbannedevents"),
    changes("changerelayname", "[name]", 1, 1),
    changes("changerelaydescription", "[description]", 1, 1),
    changes("changerelayicon", "[URL]", 1, 1),
    changes("allowkind", "[kind, reason]", 1, 2),
    changes("disallowkind", "[kind, reason]", 1, 2),
    changes(
        "allowonlykinds",
        "[kind, ..., reason] or [\"all\", reason]",
        0,
        usize::MAX,
    ),
    reads("listallowedkinds"),
    reads("listdisallowedkinds"),
    changes("blockip", "[address or network, reason]", 1, 2),
    changes("unblockip", "[address or network, reason]", 1, 2),
    reads("listblockedips"),
    changes("changerelaymode", "[mode]", 1, 1),
    changes("changerelaynotice", "[notice]", 1, 1),
    changes("changemaintenance", "[from, until]", 2, 2),
    Method {
        takes: "[before, max]",
        most: 2,
        ..reads("listdecisions")
    },
    reads("stats"),
];

/// The names of all methods of the core; no extension can have one of them.
pub fn method_names() -> Vec<&'static str> {
    METHODS.iter().map(|method| method.name).collect()
}

const fn changes(name: &'static str, takes: &'static str, least: usize, most: usize) -> Method {
    Method {
        name,
        takes,
        least,
        most,
        changes: true,
    }
}

const fn reads(name: &'static str) -> Method {
    Method {
        name,
        takes: "[]",
        least: 0,
        most: 0,
        changes: false,
    }
}

/// Calls a method of the core; `None` where it has none of this name. An `Err` is for the operator.
pub(super) async fn call(
    relay: &Arc<Relay>,
    name: &str,
    values: &[Value],
) -> Option<Result<Value, String>> {
    let method = METHODS.iter().find(|method| method.name == name)?;
    let answer = match Params::check(method, values) {
        Ok(params) => carry_out(relay, method.name, &params).await,
        Err(problem) => Err(problem),
    };
    if method.changes {
        match &answer {
            Ok(_) => tracing::info!(method = method.name, "the operator decided"),
            Err(problem) => tracing::info!(method = method.name, problem, "a call has no effect"),
        }
    }
    Some(answer)
}

async fn carry_out(relay: &Arc<Relay>, name: &str, params: &Params<'_>) -> Result<Value, String> {
    match name {
        "supportedmethods" => {
            let hooks = relay.hooks.load();
            let mut all = method_names();
            all.extend(hooks.rpc_methods());
            Ok(json!(all))
        }
        "banpubkey" => decisions::ban_pubkey(relay, params).await,
        "unbanpubkey" => decisions::unban_pubkey(relay, params).await,
        "allowpubkey" => decisions::allow_pubkey(relay, params).await,
        "unallowpubkey" => decisions::unallow_pubkey(relay, params).await,
        "banevent" => decisions::ban_event(relay, params).await,
        "allowevent" => decisions::allow_event(relay, params).await,
        "allowkind" => decisions::allow_kind(relay, params).await,
        "disallowkind" => decisions::disallow_kind(relay, params).await,
        "allowonlykinds" => decisions::allow_only_kinds(relay, params).await,
        "blockip" => decisions::block_address(relay, params).await,
        "unblockip" => decisions::unblock_address(relay, params).await,
        "listbannedpubkeys" => lists::banned_pubkeys(relay).await,
        "listallowedpubkeys" => lists::allowed_pubkeys(relay).await,
        "listbannedevents" => lists::banned_events(relay).await,
        "listblockedips" => lists::blocked_addresses(relay).await,
        "listallowedkinds" => Ok(lists::kinds(&relay.moderation().taken_kinds())),
        "listdisallowedkinds" => Ok(lists::kinds(&relay.moderation().disallowed_kinds)),
        "listeventsneedingmoderation" => lists::reported_events(relay).await,
        "changerelayname" => settings::change_name(relay, params).await,
        "changerelaydescription" => settings::change_description(relay, params).await,
        "changerelayicon" => settings::change_icon(relay, params).await,
        "changerelaymode" => settings::change_mode(relay, params).await,
        "changerelaynotice" => settings::change_notice(relay, params).await,
        "changemaintenance" => settings::change_maintenance(relay, params).await,
        "listdecisions" => lists::decisions(relay, params).await,
        "stats" => lists::stats(relay).await,
        _ => Err("this method is not carried out".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c10_every_method_has_one_name() {
        for (at, method) in METHODS.iter().enumerate() {
            let is_twice = METHODS[..at].iter().any(|other| other.name == method.name);
            assert!(!is_twice, "{}", method.name);
        }
    }
}
