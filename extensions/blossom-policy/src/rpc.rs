//! The management API (NIP-86): what `/admin` offers, for the operator's tools.
//!
//! Invariant: each method is one of `administration`'s actions or one look into the books, with the same bounds.

use crate::BlossomPolicy;
use crate::administration::{self, Action, Subject};
use crate::index::Banned;
use crate::rescan;
use serde_json::{Value, json};
use std::sync::Arc;
use trellis_relay::extension::prelude::*;

/// Rows that one call lists.
const ROWS_MAX: usize = 1_000;
/// Who has decided, in the book: the management API is for the operator alone.
const OPERATOR: &str = "operator";

/// Registers the methods.
pub(crate) fn register(hooks: &mut Registrar<BlossomPolicy>) {
    for (method, action) in [
        ("banblob", Action::Ban),
        ("unbanblob", Action::Unban),
        ("quarantineblob", Action::Quarantine),
        ("unquarantineblob", Action::Unquarantine),
        ("removeblob", Action::Remove),
    ] {
        hooks.rpc(
            method,
            move |me: Arc<BlossomPolicy>, params: Vec<Value>| async move {
                let [Value::String(sha256), Value::String(reason)] = &params[..] else {
                    return Err(format!("{method} takes 2 parameters, [sha256, reason]"));
                };
                order(&me, action, Subject::read(Some(sha256), None), reason).await
            },
        );
    }
    for (method, action) in [
        ("banblobuploader", Action::Ban),
        ("unbanblobuploader", Action::Unban),
    ] {
        hooks.rpc(
            method,
            move |me: Arc<BlossomPolicy>, params: Vec<Value>| async move {
                let [Value::String(pubkey), Value::String(reason)] = &params[..] else {
                    return Err(format!("{method} takes 2 parameters, [pubkey, reason]"));
                };
                order(&me, action, Subject::read(None, Some(pubkey)), reason).await
            },
        );
    }
    hooks.rpc("rescanblobs", async |me: Arc<BlossomPolicy>, params| {
        without_parameters("rescanblobs", &params)?;
        let scanned = rescan::scan(&me).await;
        let scanned = scanned.map_err(|refusal| refusal.in_full())?;
        serde_json::to_value(scanned).map_err(|error| error.to_string())
    });
    hooks.rpc("listblobbans", async |me: Arc<BlossomPolicy>, params| {
        without_parameters("listblobbans", &params)?;
        let bans = me.holdings.index().bans(None, ROWS_MAX).await;
        let bans = bans.map_err(|error| format!("the bans cannot be read: {error}"))?;
        let told = bans.into_iter().map(|ban| match ban.banned {
            Banned::Hash(hash) => json!({ "sha256": hash, "reason": ban.reason }),
            Banned::Pubkey(pubkey) => json!({ "pubkey": pubkey.to_hex(), "reason": ban.reason }),
        });
        Ok(told.collect())
    });
    hooks.rpc("listblobreports", async |me: Arc<BlossomPolicy>, params| {
        without_parameters("listblobreports", &params)?;
        let reports = me.holdings.index().reports(true, 0, ROWS_MAX).await;
        let reports = reports.map_err(|error| format!("the reports cannot be read: {error}"))?;
        let told = reports.into_iter().map(|row| {
            json!({
                "number": row.number,
                "sha256": row.report.sha256,
                "reporter": row.report.reporter.to_hex(),
                "kind": row.report.kind,
                "content": row.report.content,
            })
        });
        Ok(told.collect())
    });
    hooks.rpc(
        "listblobdecisions",
        async |me: Arc<BlossomPolicy>, params| {
            without_parameters("listblobdecisions", &params)?;
            let decisions = me.holdings.index().decisions(None, ROWS_MAX).await;
            let decisions =
                decisions.map_err(|error| format!("the decisions cannot be read: {error}"))?;
            let told = decisions.into_iter().map(|row| {
                json!({
                    "decided": row.decision.decided_ms / 1_000,
                    "by": row.decision.decided_by,
                    "action": row.decision.action,
                    "subject": row.decision.subject,
                    "reason": row.decision.reason,
                })
            });
            Ok(told.collect())
        },
    );
    hooks.rpc("blossomtotals", async |me: Arc<BlossomPolicy>, params| {
        without_parameters("blossomtotals", &params)?;
        let totals = me.holdings.index().totals().await;
        let totals = totals.map_err(|error| format!("the totals cannot be read: {error}"))?;
        Ok(json!({
            "blobs": totals.blobs,
            "bytes": totals.bytes,
            "quarantined": totals.quarantined,
        }))
    });
}

async fn order(
    me: &BlossomPolicy,
    action: Action,
    subject: Result<Subject, crate::refusal::Refusal>,
    reason: &str,
) -> Result<Value, String> {
    let done = match subject {
        Ok(subject) => administration::carry_out(me, OPERATOR, action, subject, reason).await,
        Err(refusal) => Err(refusal),
    };
    done.map(Value::Bool).map_err(|refusal| refusal.in_full())
}

fn without_parameters(method: &str, params: &[Value]) -> Result<(), String> {
    match params.is_empty() {
        true => Ok(()),
        false => Err(format!("{method} takes no parameters")),
    }
}
