//! KeyPackages: what is taken in, what goes, and what a read takes.

use super::ground::{Ground, key};
use std::time::Duration;
use trellis_relay::event::Event;
use trellis_relay::testing::{Client, json, until};

const OWNER: u64 = 2;
const READER: u64 = 3;

async fn packages(client: &mut Client) -> Vec<Event> {
    let filter = json!({"kinds": [443], "authors": [key(OWNER)]});
    client.query(filter).await.unwrap()
}

#[tokio::test]
async fn m1_an_end_in_ten_years_is_one_in_thirty_days() {
    let ground = Ground::start("").await;
    let now_s = ground.author(OWNER).note("now").created_at();
    let draft = ground.author(OWNER).draft(30443).tag(["d", "a"]);
    let exp = (now_s + 3650 * 86_400).to_string();
    let package = draft.content("01").tag(["exp", &exp]).sign();
    ground.client(OWNER).await.store(&package).await;
    let filter = json!({"kinds": [30443], "authors": [key(OWNER)]});
    let mut reader = ground.relay.connect().await;
    let found = reader.query(filter.clone()).await;
    assert_eq!(found, Ok(vec![package]));
    let month = Duration::from_secs(30 * 86_400);
    ground.relay.clock().advance(month);
    let mut reader = ground.relay.connect().await;
    assert_eq!(reader.query(filter).await, Ok(vec![]));
}

#[tokio::test]
async fn m2_a_reference_is_used_once_by_an_owner() {
    let ground = Ground::start("").await;
    let package = |owner: u64, content: &str| {
        let draft = ground.author(owner).draft(443).content(content);
        draft.tag(["kpr", "reference 1"]).sign()
    };
    let mut owner = ground.client(OWNER).await;
    let first = package(OWNER, "01");
    owner.store(&first).await;
    let verdict = owner.publish(&package(OWNER, "02")).await;
    verdict.assert_refused("duplicate: another KeyPackage of this owner has the same kpr");
    ground
        .client(READER)
        .await
        .store(&package(READER, "01"))
        .await;
    // What its owner deleted frees the reference.
    owner.store(&ground.author(OWNER).deletion([&first])).await;
    until("it is out of stock", async || {
        let in_stock = ground.number("SELECT count(*) FROM packages").await;
        in_stock == Some(1)
    })
    .await;
    owner.store(&package(OWNER, "03")).await;
}

#[tokio::test]
async fn m3_of_more_than_fifteen_the_oldest_go() {
    let ground = Ground::start("rate_limits.max_keypackages_per_hour = 20").await;
    let mut owner = ground.client(OWNER).await;
    let all: Vec<Event> = (0..18)
        .map(|number| ground.package(OWNER, number))
        .collect();
    for package in &all {
        owner.store(package).await;
    }
    let newest: Vec<Event> = all.iter().rev().take(15).cloned().collect();
    until("the oldest are gone", async || {
        packages(&mut owner).await == newest
    })
    .await;
}

#[tokio::test]
async fn m3_packages_are_limited_by_author() {
    let ground = Ground::start("rate_limits.max_keypackages_per_hour = 2").await;
    let mut device = ground.client(READER).await;
    for number in 0..2 {
        device.store(&ground.package(OWNER, number)).await;
    }
    let verdict = device.publish(&ground.package(OWNER, 2)).await;
    assert!(
        verdict
            .reason()
            .starts_with("rate-limited: too many KeyPackages")
    );
    device.store(&ground.package(READER, 0)).await;
}

#[tokio::test]
async fn m4_packages_are_for_those_who_have_logged_in() {
    let ground = Ground::start("").await;
    let package = ground.package(OWNER, 1);
    ground.client(OWNER).await.store(&package).await;
    let mut reader = ground.relay.connect().await;
    let closed = reader.query(json!({"kinds": [443]})).await.unwrap_err();
    assert!(closed.starts_with("auth-required: "), "{closed}");
    reader.login(&ground.author(READER)).await;
    assert_eq!(packages(&mut reader).await, [package]);
}

#[tokio::test]
async fn m1_a_package_is_not_shown_after_its_end() {
    let ground = Ground::start("").await;
    let now_s = ground.author(OWNER).note("now").created_at();
    let draft = ground.author(OWNER).draft(443).content("01");
    let package = draft.tag(["exp", &(now_s + 60).to_string()]).sign();
    let mut owner = ground.client(OWNER).await;
    owner.store(&package).await;
    assert_eq!(packages(&mut owner).await, [package]);
    ground.relay.clock().advance(Duration::from_secs(60));
    assert_eq!(packages(&mut owner).await, []);
}

/// Packages that were taken are gone from the store, which the owner's own look shows.
async fn until_left(owner: &mut Client, left: &[Event]) {
    until("what was read is gone", async || {
        packages(owner).await == left
    })
    .await;
}

#[tokio::test]
async fn m5_a_read_takes_the_oldest_and_leaves_the_last() {
    let ground = Ground::start("keypackage_consume = 'on_read'").await;
    let mut owner = ground.client(OWNER).await;
    let all: Vec<Event> = (0..3).map(|number| ground.package(OWNER, number)).collect();
    for package in &all {
        owner.store(package).await;
    }
    let mut reader = ground.client(READER).await;
    assert_eq!(packages(&mut reader).await, [all[0].clone()]);
    ground.relay.clock().advance(Duration::from_secs(2));
    assert_eq!(packages(&mut reader).await, [all[1].clone()]);
    for _ in 0..3 {
        ground.relay.clock().advance(Duration::from_secs(2));
        assert_eq!(
            packages(&mut reader).await,
            [all[2].clone()],
            "the last stays"
        );
    }
    until_left(&mut owner, &all[2..]).await;
}

#[tokio::test]
async fn m5_equal_filters_of_one_req_take_one_package() {
    let ground = Ground::start("keypackage_consume = 'on_read'").await;
    let mut owner = ground.client(OWNER).await;
    let all: Vec<Event> = (0..5).map(|number| ground.package(OWNER, number)).collect();
    for package in &all {
        owner.store(package).await;
    }
    let mut reader = ground.client(READER).await;
    let filter = json!({"kinds": [443], "authors": [key(OWNER)]});
    let filters: [_; 4] = std::array::from_fn(|_| filter.clone());
    let read = reader.subscribe("many", filters).await.unwrap();
    let ids: std::collections::BTreeSet<_> = read.iter().map(|it| *it.id()).collect();
    assert_eq!(ids, [*all[0].id()].into());
    let left: Vec<Event> = all[1..].iter().rev().cloned().collect();
    until_left(&mut owner, &left).await;
}

#[tokio::test]
async fn m5_what_was_read_does_not_come_back_into_stock() {
    let ground = Ground::start("keypackage_consume = 'on_read'").await;
    let mut owner = ground.client(OWNER).await;
    let all: Vec<Event> = (0..3).map(|number| ground.package(OWNER, number)).collect();
    for package in &all {
        owner.store(package).await;
    }
    let mut reader = ground.client(READER).await;
    assert_eq!(packages(&mut reader).await, [all[0].clone()]);
    until_left(&mut owner, &[all[2].clone(), all[1].clone()]).await;
    let verdict = reader.publish(&all[0]).await;
    verdict.assert_refused("duplicate: this KeyPackage is used up");
    assert_eq!(packages(&mut owner).await.len(), 2);
}

#[tokio::test]
async fn m5_who_reads_too_often_takes_no_more() {
    let table = "keypackage_consume = 'on_read'\nrate_limits.max_keypackage_reads_per_hour = 1";
    let ground = Ground::start(table).await;
    let mut owner = ground.client(OWNER).await;
    let all: Vec<Event> = (0..4).map(|number| ground.package(OWNER, number)).collect();
    for package in &all {
        owner.store(package).await;
    }
    let mut reader = ground.client(READER).await;
    assert_eq!(packages(&mut reader).await, [all[0].clone()]);
    // Nor does another key at the same address.
    let mut other = ground.client(READER + 1).await;
    for reader in [&mut reader, &mut other] {
        ground.relay.clock().advance(Duration::from_secs(2));
        assert_eq!(packages(reader).await, [all[3].clone()]);
    }
    let left: Vec<Event> = all[1..].iter().rev().cloned().collect();
    until_left(&mut owner, &left).await;
}

#[tokio::test]
async fn m5_only_a_req_for_an_owners_packages_takes_any() {
    let ground = Ground::start("keypackage_consume = 'on_read'").await;
    let mut owner = ground.client(OWNER).await;
    let all: Vec<Event> = (0..3).map(|number| ground.package(OWNER, number)).collect();
    let mut reader = ground.client(READER).await;
    let by_owner = json!({"kinds": [443], "authors": [key(OWNER)]});
    // Open before there is anything, so that only live events could come.
    assert_eq!(
        reader.subscribe("live", [by_owner.clone()]).await,
        Ok(vec![])
    );
    for package in &all {
        owner.store(package).await;
    }
    reader.assert_no_event("live").await;
    assert_eq!(reader.count(by_owner.clone()).await, Ok(3));
    let ids: Vec<String> = all.iter().map(|it| it.id().to_hex()).collect();
    for wildcard in [
        json!({"kinds": [443]}),
        json!({"authors": [key(OWNER)]}),
        json!({"ids": ids}),
        json!({"kinds": [443], "authors": [key(OWNER)], "since": 1}),
        json!({"kinds": [443], "authors": [key(OWNER)], "limit": 0}),
    ] {
        assert_eq!(
            reader.query(wildcard.clone()).await,
            Ok(vec![]),
            "{wildcard}"
        );
    }
    // One more key looks anew at what is open, and takes nothing.
    reader.login(&ground.author(77)).await;
    reader.assert_no_event("live").await;
    let own: Vec<Event> = all.iter().rev().cloned().collect();
    assert_eq!(
        packages(&mut owner).await,
        own,
        "nothing is gone, and owners see it"
    );
    assert_eq!(packages(&mut reader).await, [all[0].clone()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_no_package_goes_to_two_readers() {
    let table = "keypackage_consume = 'on_read'\nrate_limits.max_keypackages_per_hour = 20";
    let ground = Ground::start(table).await;
    let mut owner = ground.client(OWNER).await;
    for number in 0..11 {
        owner.store(&ground.package(OWNER, number)).await;
    }
    let readers = (0..10).map(async |number| {
        let mut reader = ground.client(100 + number).await;
        packages(&mut reader).await
    });
    let read = futures_util::future::join_all(readers).await;
    let ids: std::collections::BTreeSet<_> = read.iter().flatten().map(|it| *it.id()).collect();
    assert_eq!((read.iter().flatten().count(), ids.len()), (10, 10));
}
