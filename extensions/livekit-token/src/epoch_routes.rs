//! `GET /mls/state/{room_id}` and `POST /mls/commit`: how the members of a call agree on one order of their commits.
//!
//! Invariant: a commit is passed on as it came and never read; of all for an epoch one is accepted. State is for those who
//! belong: who is in the call, a member of its group, or one of the two.

use crate::LivekitToken;
use crate::announcing::try_to_announce;
use crate::calls::GroupState;
use crate::config::Settings;
use crate::epochs::Refusal;
use crate::failure::{Code, Failure};
use crate::rates;
use crate::signer::signer;
use crate::watch;
use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::web::{Bytes, Json, Path};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::time::Duration;
use trellis_relay::extension::prelude::*;
use trellis_relay::extension::{GroupMembership, RateLimiter};

/// A commit has at most so many bytes.
const COMMIT_BYTES_MAX: usize = 64 << 10;
/// The body of a request with one, in base64.
const BODY_BYTES_MAX: usize = COMMIT_BYTES_MAX / 3 * 4 + (4 << 10);
/// A hash of a tree is a text of at most so many bytes.
const TREE_HASH_BYTES_MAX: usize = 128;

/// What is known of the MLS group of a call.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LivekitMlsState")]
struct State {
    room_id: String,
    /// 0 before the first commit.
    epoch: u64,
    /// As the last commit said; null before the first.
    tree_hash: Option<String>,
    /// 64 hex digits: the one who may commit.
    epoch_leader_pubkey: String,
    /// Who is in the call, 64 hex digits each, the longest present first.
    active_members: Vec<String>,
}

/// A commit.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "LivekitMlsCommit")]
#[serde(deny_unknown_fields)]
struct Commit {
    room_id: String,
    /// The epoch that it ends.
    epoch: u64,
    /// Base64, at most 64 KiB when decoded; passed on as it is.
    commit: String,
    /// Of the tree after it: at most 128 characters.
    tree_hash: String,
}

/// What became of a commit.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LivekitMlsCommitted")]
struct Committed {
    /// `accepted`
    status: &'static str,
    /// The epoch that it began.
    epoch: u64,
}

/// How often one key may commit.
pub(crate) fn limiter(settings: &Settings, host: &Host) -> RateLimiter {
    let window = Duration::from_secs(settings.rate_window_s);
    host.rate_limiter(settings.commits_per_pubkey, window)
}

/// Declares the routes.
pub(crate) fn declare(api: &mut Api) {
    api.route(Method::GET, "/mls/state/{room_id}", state)
        .summary("The epoch of a call and who leads it")
        .takes(|inputs| {
            inputs.nip98();
            inputs.path::<String>();
        })
        .answers::<State>(200)
        .fails(403, "You do not belong to this call.")
        .fails(404, "There is no such call, or nobody is in it.");
    api.route(Method::POST, "/mls/commit", commit)
        .summary("Submit a commit, as the epoch's leader")
        .max_body_bytes(BODY_BYTES_MAX)
        .takes(|inputs| {
            inputs.nip98();
            inputs.body::<Commit>();
        })
        .answers::<Committed>(200)
        .fails(403, "Somebody else leads.")
        .fails(404, "There is no such call, or nobody is in it.")
        .fails(
            409,
            "Another epoch is in force; `details.epoch` says which.",
        )
        .fails(413, "The commit is too long.");
}

async fn state(
    me: Current<LivekitToken>,
    request: HttpRequest,
    room_id: Path<String>,
) -> Result<Json<State>, Failure> {
    let who = signer(&request, &[])?;
    let room_id = room_id.into_inner();
    let known = me.calls.group_state(&room_id).ok_or_else(no_call)?;
    if !belongs(&me, &known, &who)? {
        let text = "only those who belong to this call may see its state";
        return Err(Failure::new(Code::NotGroupMember, text));
    }
    Ok(Json(State {
        room_id,
        epoch: known.epoch,
        tree_hash: known.tree_hash,
        epoch_leader_pubkey: known.leader.to_hex(),
        active_members: known.people.iter().map(PublicKey::to_hex).collect(),
    }))
}

fn belongs(me: &LivekitToken, known: &GroupState, who: &PublicKey) -> Result<bool, Failure> {
    let facts = known.facts.as_ref();
    if known.people.contains(who) || facts.is_some_and(|it| it.peers().contains(who)) {
        return Ok(true);
    }
    let groups = me.host.service::<dyn GroupMembership>();
    let (Some(group), Some(groups)) = (facts.and_then(|it| it.group()), groups.get()) else {
        return Ok(false);
    };
    let roles = groups.roles(group, who).map_err(|error| {
        Failure::new(Code::LivekitUnavailable, error.to_string()).retry_after_s(1)
    })?;
    Ok(roles.is_some())
}

async fn commit(
    me: Current<LivekitToken>,
    request: HttpRequest,
    body: Bytes,
) -> Result<Json<Committed>, Failure> {
    let who = signer(&request, &body)?;
    rates::take(&me.commits, &who.to_hex())?;
    let me = me.into_inner();
    // Whoever hangs up leaves no commit half-way: accepted, and told to nobody.
    let committed = tokio::spawn(async move {
        let committed = submit(&me, who, &body).await;
        watch::commit(match &committed {
            Ok(_) => "accepted",
            Err(failure) if failure.code == Code::MlsEpochMismatch => "conflict",
            Err(_) => "refused",
        });
        committed
    });
    committed.await.unwrap_or_else(|_| Err(not_passed_on()))
}

async fn submit(
    me: &LivekitToken,
    who: PublicKey,
    body: &[u8],
) -> Result<Json<Committed>, Failure> {
    let commit: Commit = serde_json::from_slice(body).map_err(|_| {
        let text = "send {room_id, epoch, commit, tree_hash}, and nothing else";
        Failure::new(Code::InvalidRequest, text)
    })?;
    check_form(&commit)?;
    let room = commit.room_id;
    let accepted = me
        .calls
        .commit(&room, who, commit.epoch, &commit.tree_hash, commit.commit)
        .ok_or_else(no_call)?;
    let mut accepted = accepted.map_err(|refusal| match refusal {
        Refusal::NotLeader => Failure::new(
            Code::NotEpochLeader,
            "only the epoch's leader may commit; GET /mls/state says who that is",
        ),
        Refusal::OtherEpoch(epoch) => Failure::new(
            Code::MlsEpochMismatch,
            format!("epoch {epoch} is in force; commit on top of that"),
        )
        .with_details(json!({ "epoch": epoch })),
    })?;
    let epoch = accepted.epoch;
    if let Some(announcement) = accepted.announcement.take()
        && try_to_announce(me, announcement).await.is_err()
    {
        me.calls.take_back(&room, accepted);
        return Err(not_passed_on());
    }
    Ok(Json(Committed {
        status: "accepted",
        epoch,
    }))
}

/// The commit itself is not looked at, but for its length.
fn check_form(commit: &Commit) -> Result<(), Failure> {
    let invalid = |text: &str| Err(Failure::new(Code::InvalidRequest, text));
    let Ok(bytes) = STANDARD.decode(&commit.commit) else {
        return invalid("commit must be base64 with its padding");
    };
    if bytes.is_empty() {
        return invalid("commit is empty");
    }
    if bytes.len() > COMMIT_BYTES_MAX {
        let text = format!("a commit may have {COMMIT_BYTES_MAX} bytes");
        return Err(Failure::new(Code::TooLarge, text));
    }
    let is_plain = commit.tree_hash.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain || !(1..=TREE_HASH_BYTES_MAX).contains(&commit.tree_hash.len()) {
        return invalid("tree_hash must be 1 to 128 characters of hex or base64");
    }
    Ok(())
}

fn not_passed_on() -> Failure {
    let text = "the commit cannot be passed on now, and does not count; try again later";
    Failure::new(Code::LivekitUnavailable, text)
}

fn no_call() -> Failure {
    let text = "there is no such call, or nobody is in it";
    Failure::new(Code::RoomNotFound, text)
}
