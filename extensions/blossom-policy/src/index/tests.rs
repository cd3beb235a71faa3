//! Claims, lists, bans, reports and decisions, on a real file.

#![allow(clippy::unwrap_used)]

use super::failure::run;
use super::*;
use crate::blob::BlobHash;
use crate::ground::{NOW_MS, hash_of, key};
use std::collections::BTreeSet;
use tempfile::TempDir;
use trellis_relay::event::EventId;

/// What is decided, without the book.
impl Index {
    pub(crate) async fn ban(&self, banned: &Banned, reason: &str, now_ms: u64) -> Result<bool> {
        run("ban", bans::ban(&self.writer, banned, reason, now_ms)).await
    }

    async fn unban(&self, banned: &Banned) -> Result<bool> {
        run("unban", bans::unban(&self.writer, banned)).await
    }

    pub(crate) async fn quarantine(&self, sha256: &BlobHash, reason: &str) -> Result<bool> {
        let changed = blobs::quarantine(&self.writer, sha256, reason);
        run("quarantine", changed).await
    }

    pub(crate) async fn unquarantine(&self, sha256: &BlobHash) -> Result<bool> {
        run("unquarantine", blobs::unquarantine(&self.writer, sha256)).await
    }
}

async fn open() -> (TempDir, Index) {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(&folder.path().join("index.sqlite")).await;
    (folder, index.unwrap())
}

fn new(name: &str, size_bytes: u64) -> NewBlob {
    NewBlob {
        sha256: hash_of(name.as_bytes()),
        size_bytes,
        mime_type: "image/png".to_owned(),
        is_encrypted: false,
        md5: Some([1; 16]),
        sha1: None,
    }
}

#[tokio::test]
async fn b10_a_blob_stays_until_its_last_owner_gives_it_up() {
    let (_folder, index) = open().await;
    let (blob, alice, bob) = (new("a", 10), key(1), key(2));
    let first = index.claim(&blob, &alice, NOW_MS).await.unwrap();
    let Claimed::New(stored) = first else {
        panic!("{first:?}");
    };
    assert_eq!(
        index.blob(&blob.sha256).await.unwrap(),
        Some(stored.clone())
    );
    for (owner, is_new) in [(&alice, false), (&bob, true)] {
        let known = index.claim(&blob, owner, NOW_MS + 5).await.unwrap();
        let Claimed::Known { blob, is_new_owner } = known else {
            panic!("{known:?}");
        };
        assert_eq!(is_new_owner, is_new);
        assert_eq!((blob.uploaded_ms, blob.kept_from_ms), (NOW_MS, NOW_MS + 5));
    }
    assert!(index.is_owner(&blob.sha256, &bob).await.unwrap());

    let released = index.release(&blob.sha256, &alice).await.unwrap();
    assert!(matches!(released, Released::StillOwned(_)), "{released:?}");
    let again = index.release(&blob.sha256, &alice).await.unwrap();
    assert_eq!(again, Released::NotOwner);
    assert_eq!(index.changes().await.unwrap(), []);

    let last = index.release(&blob.sha256, &bob).await.unwrap();
    assert!(matches!(last, Released::Removed(_)), "{last:?}");
    assert_eq!(index.blob(&blob.sha256).await.unwrap(), None);
    assert_eq!(index.changes().await.unwrap(), [blob.sha256]);
    index.end_change(&blob.sha256).await.unwrap();
    assert_eq!(index.changes().await.unwrap(), []);
    let gone = index.release(&blob.sha256, &bob).await.unwrap();
    assert_eq!(gone, Released::NotOwner);
}

#[tokio::test]
async fn b10_what_an_operator_removes_is_taken_from_all() {
    let (_folder, index) = open().await;
    let blob = new("a", 10);
    for number in 0..3 {
        index.claim(&blob, &key(number), NOW_MS).await.unwrap();
    }
    let kept = index.remove(&blob.sha256, |_, owners| owners.len() != 3);
    assert!(kept.await.unwrap().is_none());
    let removed = index.remove(&blob.sha256, |found, _| found.sha256 == blob.sha256);
    let (_, owners) = removed.await.unwrap().unwrap();
    assert_eq!(owners.into_iter().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(index.usage(&key(1)).await.unwrap(), Usage::default());
    let again = index.remove(&blob.sha256, |_, _| true).await;
    assert!(again.unwrap().is_none());
}

#[tokio::test]
async fn b11_a_list_is_newest_first_and_goes_on_where_it_ended() {
    let (_folder, index) = open().await;
    let (alice, bob) = (key(1), key(2));
    let mut claimed = Vec::new();
    for number in 0..25 {
        let blob = new(&format!("{number}"), 1);
        // Some at the same time.
        let at_ms = NOW_MS + number / 3;
        index.claim(&blob, &alice, at_ms).await.unwrap();
        claimed.push((at_ms, blob.sha256));
    }
    index.claim(&new("other", 1), &bob, NOW_MS).await.unwrap();
    claimed.sort_unstable_by(|a, b| b.cmp(a));
    let mut pages = Vec::new();
    let mut page = ListPage {
        max: 7,
        ..ListPage::default()
    };
    loop {
        let listed = index.list(&alice, &page).await.unwrap();
        let Some(last) = listed.last() else { break };
        page.after = Some(last.place());
        pages.extend(listed.iter().map(|it| (it.claimed_ms, it.blob.sha256)));
    }
    assert_eq!(pages, claimed);

    let some = ListPage {
        since_ms: Some(NOW_MS + 2),
        until_ms: Some(NOW_MS + 3),
        max: 100,
        after: None,
    };
    let listed = index.list(&alice, &some).await.unwrap();
    let between = claimed
        .iter()
        .filter(|(at_ms, _)| (2..=3).contains(&(at_ms - NOW_MS)));
    assert_eq!(listed.len(), between.count());
    index.quarantine(&claimed[0].1, "why").await.unwrap();
    let all = ListPage {
        max: 100,
        ..ListPage::default()
    };
    let listed = index.list(&alice, &all).await.unwrap();
    assert_eq!(listed.len(), claimed.len() - 1);
}

#[tokio::test]
async fn b7_a_quarantined_blob_cannot_be_claimed() {
    let (_folder, index) = open().await;
    let blob = new("a", 10);
    index.claim(&blob, &key(1), NOW_MS).await.unwrap();
    assert!(index.quarantine(&blob.sha256, "a list").await.unwrap());
    assert!(!index.quarantine(&blob.sha256, "again").await.unwrap());
    let claimed = index.claim(&blob, &key(2), NOW_MS).await.unwrap();
    assert_eq!(claimed, Claimed::Hidden);
    let found = index.blob(&blob.sha256).await.unwrap().unwrap();
    assert_eq!(found.quarantined_for.as_deref(), Some("a list"));
    assert_eq!(index.totals().await.unwrap().quarantined, 1);
    assert!(index.unquarantine(&blob.sha256).await.unwrap());
    assert!(!index.unquarantine(&blob.sha256).await.unwrap());
    let claimed = index.claim_known(&blob.sha256, &key(2), NOW_MS).await;
    assert!(matches!(claimed.unwrap(), Some(Claimed::Known { .. })));
}

#[tokio::test]
async fn b9_what_a_key_uses_is_told_by_kind() {
    let (_folder, index) = open().await;
    index.claim(&new("a", 10), &key(1), NOW_MS).await.unwrap();
    index.claim(&new("b", 20), &key(1), NOW_MS).await.unwrap();
    let secret = NewBlob {
        is_encrypted: true,
        ..new("c", 400)
    };
    index.claim(&secret, &key(1), NOW_MS).await.unwrap();
    index.claim(&secret, &key(2), NOW_MS).await.unwrap();
    let usage = index.usage(&key(1)).await.unwrap();
    let wanted = Usage {
        blobs: 3,
        plain_bytes: 30,
        encrypted_bytes: 400,
    };
    assert_eq!(usage, wanted);
    let totals = index.totals().await.unwrap();
    assert_eq!((totals.blobs, totals.bytes), (3, 430));
}

#[tokio::test]
async fn b12_what_was_not_claimed_for_long_expires() {
    let (_folder, index) = open().await;
    let (old, renewed) = (new("old", 1), new("renewed", 1));
    index.claim(&old, &key(1), NOW_MS).await.unwrap();
    index.claim(&renewed, &key(1), NOW_MS).await.unwrap();
    index.claim(&renewed, &key(2), NOW_MS + 10).await.unwrap();
    let expired = index.expired(NOW_MS + 5, 10).await.unwrap();
    assert_eq!(
        expired.iter().map(|it| it.sha256).collect::<Vec<_>>(),
        [old.sha256]
    );
}

#[tokio::test]
async fn b14_bans_are_listed_and_taken_back() {
    let (_folder, index) = open().await;
    let hashes: Vec<BlobHash> = (0..5_u8).map(|it| hash_of(&[it])).collect();
    for hash in &hashes {
        index
            .ban(&Banned::Hash(*hash), "bad", NOW_MS)
            .await
            .unwrap();
    }
    index
        .ban(&Banned::Pubkey(key(1)), "worse", NOW_MS)
        .await
        .unwrap();
    let reason = index.ban_of(&Banned::Pubkey(key(1))).await.unwrap();
    assert_eq!(reason.as_deref(), Some("worse"));
    let mut found = Vec::new();
    while let page @ [.., _] = &*index
        .bans(found.last().map(|it: &Ban| it.banned), 2)
        .await
        .unwrap()
    {
        found.extend_from_slice(page);
    }
    assert_eq!(found.len(), 6);
    let another = Banned::Hash(hash_of(b"another"));
    assert_eq!(index.ban_of(&another).await.unwrap(), None);
    assert!(index.unban(&Banned::Hash(hashes[0])).await.unwrap());
    assert!(!index.unban(&Banned::Hash(hashes[0])).await.unwrap());
    assert_eq!(index.ban_of(&Banned::Hash(hashes[0])).await.unwrap(), None);
}

#[tokio::test]
async fn b12_reports_wait_until_somebody_has_looked() {
    let (_folder, index) = open().await;
    let report = |event: u8, name: &str| NewReport {
        event_id: EventId::from_byte_array([event; 32]),
        sha256: hash_of(name.as_bytes()),
        reporter: key(9),
        kind: "spam".to_owned(),
        content: "look".to_owned(),
        received_ms: NOW_MS,
    };
    let add = async |event: u8, name: &str| index.add_report(&report(event, name), 3).await;
    assert_eq!(add(1, "a").await.unwrap(), Added::New);
    assert_eq!(add(1, "a").await.unwrap(), Added::Waiting, "the same");
    assert_eq!(add(1, "b").await.unwrap(), Added::New);
    assert_eq!(add(2, "a").await.unwrap(), Added::New);
    assert_eq!(add(1, "a").await.unwrap(), Added::Waiting, "the same");
    assert_eq!(add(3, "c").await.unwrap(), Added::TooMany);
    let waiting = index.reports(true, 0, 10).await.unwrap();
    assert_eq!(waiting[0].report, report(1, "a"));
    assert_eq!(waiting.len(), 3);
    let resolved = index.resolve_reports_of(&hash_of(b"a"), "removed").await;
    assert_eq!(resolved.unwrap(), 2);
    let number = waiting[1].number;
    assert!(index.resolve_report(number, "dismissed").await.unwrap());
    assert!(!index.resolve_report(number, "dismissed").await.unwrap());
    assert_eq!(index.reports_waiting().await.unwrap(), 0);
    assert_eq!(index.reports(false, 0, 10).await.unwrap().len(), 3);
    assert_eq!(add(1, "a").await.unwrap(), Added::Done);

    assert_eq!(add(4, "d").await.unwrap(), Added::New);
    assert_eq!(index.forget_reports(NOW_MS).await.unwrap(), 0);
    assert_eq!(index.forget_reports(NOW_MS + 1).await.unwrap(), 3);
    let left = index.reports(false, 0, 10).await.unwrap();
    assert_eq!(left[0].report, report(4, "d"), "what waits stays");
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn b14_a_ban_and_a_quarantine_are_taken_back_each_by_itself() {
    let (_folder, index) = open().await;
    let blob = new("a", 10);
    let banned = Banned::Hash(blob.sha256);
    index.claim(&blob, &key(1), NOW_MS).await.unwrap();
    index.ban(&banned, "by an operator", NOW_MS).await.unwrap();
    let found = async || index.blob(&blob.sha256).await.unwrap().unwrap();
    assert_eq!(found().await.banned_for.as_deref(), Some("by an operator"));
    assert!(found().await.is_hidden());
    assert_eq!(index.totals().await.unwrap().quarantined, 1);
    let all = ListPage {
        max: 10,
        ..ListPage::default()
    };
    assert_eq!(index.list(&key(1), &all).await.unwrap(), []);

    assert!(index.quarantine(&blob.sha256, "a list").await.unwrap());
    assert_eq!(index.totals().await.unwrap().quarantined, 1);
    assert!(index.unban(&banned).await.unwrap());
    assert_eq!(found().await.quarantined_for.as_deref(), Some("a list"));
    assert!(found().await.is_hidden());
    assert!(index.unquarantine(&blob.sha256).await.unwrap());
    assert!(!found().await.is_hidden());
    assert_eq!(index.list(&key(1), &all).await.unwrap().len(), 1);
}

#[tokio::test]
async fn b12_what_is_quarantined_does_not_expire() {
    let (_folder, index) = open().await;
    let blob = new("a", 1);
    index.claim(&blob, &key(1), NOW_MS).await.unwrap();
    index.quarantine(&blob.sha256, "why").await.unwrap();
    assert_eq!(index.expired(NOW_MS + 1, 10).await.unwrap(), []);
    index.unquarantine(&blob.sha256).await.unwrap();
    assert_eq!(index.expired(NOW_MS + 1, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn b14_what_cannot_be_written_down_is_not_done_and_what_changes_nothing_is_not_written_down()
{
    let (folder, index) = open().await;
    let file = folder.path().join("index.sqlite");
    let blob = new("a", 1);
    index.claim(&blob, &key(1), NOW_MS).await.unwrap();
    let decision = |reason: &str| NewDecision {
        decided_ms: NOW_MS,
        decided_by: key(1).to_hex(),
        action: "any".to_owned(),
        subject: blob.sha256.to_string(),
        reason: reason.to_owned(),
    };
    let banned = Banned::Hash(blob.sha256);
    breaking::take_book_away(&file).await;
    for change in [Change::Quarantine(&blob.sha256), Change::Ban(&banned)] {
        assert!(index.decide(change, &decision("why")).await.is_err());
        let found = index.blob(&blob.sha256).await.unwrap().unwrap();
        assert!(!found.is_hidden(), "{change:?}");
    }
    breaking::give_book_back(&file).await;
    for (change, reason, is_change) in [
        (Change::Quarantine(&blob.sha256), "why", true),
        (Change::Quarantine(&blob.sha256), "again", false),
        (Change::Ban(&banned), "why", true),
        (Change::Ban(&banned), "why", false),
        (Change::Ban(&banned), "better", true),
        (Change::Unban(&banned), "fine", true),
        (Change::Unban(&banned), "fine", false),
        (Change::Unquarantine(&blob.sha256), "fine", true),
        (Change::Unquarantine(&blob.sha256), "fine", false),
    ] {
        let decided = index.decide(change, &decision(reason)).await.unwrap();
        assert_eq!(decided, is_change, "{change:?} {reason}");
    }
    assert_eq!(index.decisions(None, 100).await.unwrap().len(), 5);
}

#[tokio::test]
async fn b14_decisions_are_written_down_for_good() {
    let (folder, index) = open().await;
    for number in 0..5 {
        let decision = NewDecision {
            decided_ms: NOW_MS + number,
            decided_by: key(1).to_hex(),
            action: "ban".to_owned(),
            subject: hash_of(b"a").to_string(),
            reason: format!("reason {number}"),
        };
        index.add_decision(&decision).await.unwrap();
    }
    drop(index);
    let index = Index::open(&folder.path().join("index.sqlite"))
        .await
        .unwrap();
    let newest = index.decisions(None, 2).await.unwrap();
    assert_eq!(newest[0].decision.reason, "reason 4");
    let older = index.decisions(Some(newest[1].number), 10).await.unwrap();
    assert_eq!(older.len(), 3);
}

#[tokio::test]
async fn b10_a_file_that_is_no_index_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("index.sqlite");
    std::fs::write(&file, crate::ground::noise(1, 10_000)).unwrap();
    let error = Index::open(&file).await.unwrap_err();
    assert!(matches!(error, IndexError::Open(_)), "{error}");
}
