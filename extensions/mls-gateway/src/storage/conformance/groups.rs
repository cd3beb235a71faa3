//! The registry of groups.

use super::Handles;
use super::samples::{NOW_S, hostile_texts, key, roster, seen};
use crate::roster::Role;
use crate::storage::{Group, Page};
use std::collections::BTreeSet;

pub(in crate::storage) async fn a_group_is_known_from_its_first_message_on(at: Handles) {
    assert_eq!(at.one.group("g").await.unwrap(), None);
    at.one
        .note_messages(&[seen("g", Some(3), NOW_S - 5)], NOW_S)
        .await
        .unwrap();
    let group = at.other.group("g").await.unwrap();
    let wanted = Group {
        group_id: "g".to_owned(),
        last_epoch: Some(3),
        last_event_s: Some(NOW_S - 5),
        created_at_s: NOW_S,
        updated_at_s: NOW_S,
        ..Group::default()
    };
    assert_eq!(group, Some(wanted));
}

pub(in crate::storage) async fn epoch_and_time_of_a_group_only_rise(at: Handles) {
    let messages = [
        seen("g", None, NOW_S),
        seen("g", Some(7), NOW_S - 10),
        seen("g", Some(2), NOW_S + 4),
        seen("g", None, NOW_S + 1),
    ];
    at.one.note_messages(&messages, NOW_S).await.unwrap();
    at.other
        .note_messages(&[seen("g", Some(6), NOW_S - 99)], NOW_S + 50)
        .await
        .unwrap();
    let group = at.one.group("g").await.unwrap().unwrap();
    assert_eq!(group.last_epoch, Some(7));
    assert_eq!(group.last_event_s, Some(NOW_S + 4));
    assert_eq!(
        (group.created_at_s, group.updated_at_s),
        (NOW_S, NOW_S + 50)
    );
    let highest = seen("g", Some(u64::MAX), NOW_S);
    at.one.note_messages(&[highest], NOW_S).await.unwrap();
    let group = at.other.group("g").await.unwrap().unwrap();
    assert!(group.last_epoch >= Some(i64::MAX as u64), "it is the end");
    at.one.note_messages(&[], NOW_S).await.unwrap();
}

pub(in crate::storage) async fn words_about_a_group_are_set_one_by_one(at: Handles) {
    let one = &at.one;
    one.describe_group("g", Some("Team"), None, NOW_S)
        .await
        .unwrap();
    one.describe_group("g", None, Some("https://a/b.png"), NOW_S + 1)
        .await
        .unwrap();
    let group = at.other.group("g").await.unwrap().unwrap();
    assert_eq!(group.display_name.as_deref(), Some("Team"));
    assert_eq!(group.avatar_url.as_deref(), Some("https://a/b.png"));
    assert_eq!((group.created_at_s, group.updated_at_s), (NOW_S, NOW_S + 1));
    one.describe_group("g", Some("T\0'\"é"), None, NOW_S + 2)
        .await
        .unwrap();
    let group = at.other.group("g").await.unwrap().unwrap();
    assert_eq!(group.display_name.as_deref(), Some("T\0'\"é"));
}

pub(in crate::storage) async fn groups_are_listed_in_pages(at: Handles) {
    let mut wanted: Vec<String> = (0..23).map(|n| format!("group {n}")).collect();
    wanted.extend(["Z", "a", "É", "ä", "-"].map(str::to_owned));
    for group_id in &wanted {
        at.one
            .note_messages(&[seen(group_id, None, NOW_S)], NOW_S)
            .await
            .unwrap();
    }
    wanted.sort();
    let mut listed = Vec::new();
    loop {
        let after = listed.last().cloned();
        let page = Page {
            after: after.as_deref(),
            max: 5,
        };
        let groups = at.other.groups(None, page).await.unwrap();
        assert!(groups.len() <= 5);
        if groups.is_empty() {
            break;
        }
        listed.extend(groups.into_iter().map(|group| group.group_id));
    }
    assert_eq!(listed, wanted, "by their bytes");
}

pub(in crate::storage) async fn groups_of_one_member_are_listed(at: Handles) {
    for (group_id, member) in [("a", 2), ("b", 3), ("c", 2), ("d", 2)] {
        let roster = roster(&[(1, Role::Owner), (member, Role::Member)], 0);
        at.one
            .put_roster(group_id, &roster, None, NOW_S)
            .await
            .unwrap();
    }
    at.one
        .note_messages(&[seen("unmanaged", None, NOW_S)], NOW_S)
        .await
        .unwrap();
    let ids = async |member: u64, after: Option<&str>, max: usize| {
        let page = Page { after, max };
        let groups = at.other.groups(Some(&key(member)), page).await.unwrap();
        assert!(groups.iter().all(|it| it.member_count == 2));
        assert!(groups.iter().all(|it| it.owner == Some(key(1))));
        groups.into_iter().map(|it| it.group_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(2, None, 2).await, ["a", "c"]);
    assert_eq!(ids(2, Some("c"), 2).await, ["d"]);
    assert_eq!(ids(3, None, 9).await, ["b"]);
    assert_eq!(ids(1, None, 9).await, ["a", "b", "c", "d"]);
    assert!(ids(4, None, 9).await.is_empty());
}

pub(in crate::storage) async fn imported_groups_are_as_they_were(at: Handles) {
    let mut group = Group {
        group_id: "g".to_owned(),
        display_name: Some("Old".to_owned()),
        avatar_url: None,
        owner: Some(key(5)),
        member_count: 0,
        last_epoch: Some(12),
        last_event_s: Some(NOW_S - 100),
        relays: vec!["wss://a.example".to_owned(), "wss://b.example/,".to_owned()],
        created_at_s: NOW_S - 1000,
        updated_at_s: NOW_S - 90,
    };
    at.one.import_group(&group).await.unwrap();
    at.one.import_group(&group).await.unwrap();
    assert_eq!(at.other.group("g").await.unwrap().as_ref(), Some(&group));
    let later = Group {
        display_name: None,
        last_epoch: Some(3),
        last_event_s: None,
        relays: Vec::new(),
        ..group.clone()
    };
    at.other.import_group(&later).await.unwrap();
    group.display_name = None;
    group.relays = Vec::new();
    assert_eq!(at.one.group("g").await.unwrap(), Some(group));
}

pub(in crate::storage) async fn an_import_leaves_the_roster_its_owner(at: Handles) {
    let roster = roster(&[(1, Role::Owner), (2, Role::Member)], 1);
    at.one.put_roster("g", &roster, None, NOW_S).await.unwrap();
    let group = Group {
        group_id: "g".to_owned(),
        owner: Some(key(9)),
        member_count: 77,
        ..Group::default()
    };
    at.other.import_group(&group).await.unwrap();
    let group = at.one.group("g").await.unwrap().unwrap();
    assert_eq!(group.owner, Some(key(1)));
    assert_eq!(group.member_count, 2);
}

pub(in crate::storage) async fn hostile_group_ids_are_kept_apart(at: Handles) {
    let texts = hostile_texts();
    let messages: Vec<_> = texts
        .iter()
        .zip(0..)
        .map(|(text, epoch)| seen(text, Some(epoch), NOW_S))
        .collect();
    at.one.note_messages(&messages, NOW_S).await.unwrap();
    for (text, seq) in texts.iter().zip(1..) {
        let roster = roster(&[(seq, Role::Owner)], seq);
        at.one.put_roster(text, &roster, None, NOW_S).await.unwrap();
    }
    for (text, seq) in texts.iter().zip(1..) {
        let group = at.other.group(text).await.unwrap().unwrap();
        assert_eq!(&group.group_id, text);
        assert_eq!(group.last_epoch, Some(seq - 1), "{text:?}");
        assert_eq!(group.owner, Some(key(seq)), "{text:?}");
        let groups = at.other.groups_of(&key(seq)).await.unwrap();
        assert_eq!(groups, std::slice::from_ref(text));
    }
    let rosters = at.other.rosters(&texts).await.unwrap();
    let named: BTreeSet<String> = rosters.into_iter().map(|(id, _)| id).collect();
    assert_eq!(named, texts.iter().cloned().collect());
    let mut listed = BTreeSet::new();
    let mut after: Option<String> = None;
    loop {
        let page = Page {
            after: after.as_deref(),
            max: 4,
        };
        let groups = at.other.groups(None, page).await.unwrap();
        let Some(last) = groups.last() else { break };
        after = Some(last.group_id.clone());
        for group in groups {
            assert!(listed.insert(group.group_id), "listed twice");
        }
    }
    assert_eq!(listed, texts.into_iter().collect());
}

pub(in crate::storage) async fn messages_are_noted_by_many_at_once(at: Handles) {
    let tasks = (0..16_u64).map(|n| {
        let handle = [&at.one, &at.other][n as usize % 2].clone();
        tokio::spawn(async move {
            // Each in an order of its own.
            let mut messages: Vec<_> = (0..10_u64)
                .map(|group| seen(&format!("g{group}"), Some(n), NOW_S + n))
                .collect();
            messages.rotate_left(n as usize % 10);
            handle.note_messages(&messages, NOW_S).await.unwrap();
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    for group in 0..10 {
        let group = at.one.group(&format!("g{group}")).await.unwrap().unwrap();
        assert_eq!(group.last_epoch, Some(15));
        assert_eq!(group.last_event_s, Some(NOW_S + 15));
    }
}
