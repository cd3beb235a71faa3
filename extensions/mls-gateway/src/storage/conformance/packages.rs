//! The stock of KeyPackages.

use super::Handles;
use super::samples::{NOW_S, hostile_texts, id, key, package};
use crate::storage::{Package, Page, PutPackage, Stock};
use std::collections::BTreeSet;

async fn put_many(at: &Handles, owner: u64, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let put = at.one.put_package(&package(number, owner)).await.unwrap();
        assert_eq!(put, PutPackage::Stored);
    }
}

pub(in crate::storage) async fn a_package_is_taken_into_stock_once(at: Handles) {
    let package = package(1, 1);
    let put = async |package: &Package| at.one.put_package(package).await.unwrap();
    assert_eq!(put(&package).await, PutPackage::Stored);
    assert_eq!(put(&package).await, PutPackage::Known);
    let again = at.other.packages(&key(1), NOW_S, 10).await.unwrap();
    assert_eq!(again, [package]);
    assert!(
        at.other
            .packages(&key(2), NOW_S, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

pub(in crate::storage) async fn a_reference_is_used_once_by_an_owner(at: Handles) {
    let with = |number: u64, owner: u64, reference: Option<&str>| Package {
        reference: reference.map(str::to_owned),
        ..package(number, owner)
    };
    let long = "r".repeat(10_000);
    for (put, wanted) in [
        (with(1, 1, Some("r")), PutPackage::Stored),
        (with(2, 1, Some("r")), PutPackage::ReferenceTaken),
        (with(2, 1, Some("R")), PutPackage::Stored),
        (with(3, 2, Some("r")), PutPackage::Stored),
        (with(4, 1, None), PutPackage::Stored),
        (with(5, 1, None), PutPackage::Stored),
        (with(6, 1, Some(&long)), PutPackage::Stored),
        (with(7, 1, Some(&long)), PutPackage::ReferenceTaken),
        (with(1, 1, Some("r")), PutPackage::Known),
    ] {
        assert_eq!(
            at.one.put_package(&put).await.unwrap(),
            wanted,
            "{:?}",
            put.id
        );
    }
    let tasks = (100..150).map(|number| {
        let handle = [&at.one, &at.other][number as usize % 2].clone();
        let package = with(number, 9, Some("raced"));
        tokio::spawn(async move { handle.put_package(&package).await.unwrap() })
    });
    let mut stored = 0;
    for task in tasks.collect::<Vec<_>>() {
        match task.await.unwrap() {
            PutPackage::Stored => stored += 1,
            other => assert_eq!(other, PutPackage::ReferenceTaken),
        }
    }
    assert_eq!(stored, 1);
}

pub(in crate::storage) async fn expired_packages_are_not_live(at: Handles) {
    put_many(&at, 1, 0..3).await;
    let expires_at_s = NOW_S + 5;
    let short = Package {
        expires_at_s,
        ..package(3, 1)
    };
    at.one.put_package(&short).await.unwrap();
    let live = async |now_s| at.other.packages(&key(1), now_s, 9).await.unwrap().len();
    assert_eq!(live(expires_at_s - 1).await, 4);
    assert_eq!(live(expires_at_s).await, 3);
    assert_eq!(live(NOW_S + 3600).await, 0);
    let reserved = at.one.reserve_packages(&key(1), 2, NOW_S + 3600).await;
    assert!(reserved.unwrap().is_empty());
}

pub(in crate::storage) async fn the_oldest_are_reserved_and_never_the_last(at: Handles) {
    put_many(&at, 1, 0..4).await;
    put_many(&at, 2, 10..11).await;
    let reserve = async |owner, max| {
        let handle = &at.other;
        handle
            .reserve_packages(&key(owner), max, NOW_S)
            .await
            .unwrap()
    };
    assert_eq!(reserve(1, 2).await, [id(0), id(1)]);
    let live = at.one.packages(&key(1), NOW_S, 9).await.unwrap();
    assert_eq!(
        live.iter().map(|it| it.id).collect::<Vec<_>>(),
        [id(2), id(3)]
    );
    assert_eq!(reserve(1, 2).await, [id(2)]);
    assert!(reserve(1, 2).await.is_empty(), "the last stays");
    assert!(reserve(2, 1).await.is_empty());
    assert!(reserve(3, 1).await.is_empty());
    assert!(reserve(1, 0).await.is_empty());
    let known = at.one.put_package(&package(0, 1)).await.unwrap();
    assert_eq!(known, PutPackage::Known, "a reserved one is still known");
    put_many(&at, 1, 4..5).await;
    assert_eq!(reserve(1, 2).await, [id(3)]);
}

pub(in crate::storage) async fn fifty_readers_get_fifty_packages(at: Handles) {
    put_many(&at, 1, 0..40).await;
    let tasks = (0..50).map(|n| {
        let handle = [&at.one, &at.other][n % 2].clone();
        tokio::spawn(async move { handle.reserve_packages(&key(1), 1, NOW_S).await.unwrap() })
    });
    let mut reserved = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        reserved.extend(task.await.unwrap());
    }
    let different: BTreeSet<_> = reserved.iter().collect();
    assert_eq!(different.len(), reserved.len(), "one was given twice");
    assert_eq!(reserved.len(), 39, "all but the last");
    let live = at.one.packages(&key(1), NOW_S, 9).await.unwrap();
    assert_eq!(live.len(), 1);
    assert!(!different.contains(&live[0].id));
}

pub(in crate::storage) async fn surplus_packages_are_the_oldest(at: Handles) {
    put_many(&at, 1, 0..6).await;
    let expired = Package {
        expires_at_s: NOW_S,
        ..package(9, 1)
    };
    at.one.put_package(&expired).await.unwrap();
    let surplus = async |keep| {
        at.other
            .surplus_packages(&key(1), keep, NOW_S)
            .await
            .unwrap()
    };
    assert_eq!(surplus(4).await, [id(0), id(1)]);
    assert!(surplus(6).await.is_empty());
    assert!(surplus(15).await.is_empty());
    assert_eq!(surplus(1).await.len(), 5);
    at.one.reserve_packages(&key(1), 1, NOW_S).await.unwrap();
    assert_eq!(surplus(4).await, [id(1)], "a reserved one is not live");
}

pub(in crate::storage) async fn removed_packages_are_gone(at: Handles) {
    put_many(&at, 1, 0..4).await;
    at.one.reserve_packages(&key(1), 1, NOW_S).await.unwrap();
    let removed = at.other.remove_packages(&[id(0), id(2), id(77)]).await;
    assert_eq!(removed.unwrap(), 2, "the reserved one too");
    assert_eq!(at.other.remove_packages(&[]).await.unwrap(), 0);
    let live = at.one.packages(&key(1), NOW_S, 9).await.unwrap();
    assert_eq!(
        live.iter().map(|it| it.id).collect::<Vec<_>>(),
        [id(1), id(3)]
    );
    let again = at.one.put_package(&package(0, 1)).await.unwrap();
    assert_eq!(again, PutPackage::Stored);
}

pub(in crate::storage) async fn m5_what_is_used_up_stays_so(at: Handles) {
    put_many(&at, 1, 0..3).await;
    at.one.reserve_packages(&key(1), 1, NOW_S).await.unwrap();
    let used = at.one.use_up_packages(&[id(0), id(1), id(77)]).await;
    assert_eq!(used.unwrap(), 2, "reserved or not");
    assert_eq!(at.other.use_up_packages(&[id(0)]).await.unwrap(), 0);
    assert_eq!(at.other.remove_packages(&[id(0), id(1)]).await.unwrap(), 0);
    let again = at.other.put_package(&package(0, 1)).await.unwrap();
    assert_eq!(again, PutPackage::UsedUp);
    let live = at.other.packages(&key(1), NOW_S + 1_000, 9).await.unwrap();
    assert_eq!(live.iter().map(|it| it.id).collect::<Vec<_>>(), [id(2)]);
}

pub(in crate::storage) async fn m5_old_reservations_are_void(at: Handles) {
    put_many(&at, 1, 0..3).await;
    let reserve = async |now_s| at.one.reserve_packages(&key(1), 1, now_s).await.unwrap();
    assert_eq!(reserve(NOW_S).await, [id(0)]);
    assert_eq!(reserve(NOW_S + 299).await, [id(1)]);
    let live = at.other.packages(&key(1), NOW_S + 300, 9).await.unwrap();
    assert_eq!(
        live.iter().map(|it| it.id).collect::<Vec<_>>(),
        [id(0), id(2)]
    );
    assert_eq!(
        reserve(NOW_S + 300).await,
        [id(0)],
        "whoever had it is gone"
    );
}

pub(in crate::storage) async fn stock_is_counted_in_pages(at: Handles) {
    for owner in 1..=5 {
        put_many(&at, owner, owner * 10..owner * 10 + owner).await;
    }
    at.one.reserve_packages(&key(5), 2, NOW_S).await.unwrap();
    let expired = Package {
        expires_at_s: NOW_S,
        ..package(99, 6)
    };
    at.one.put_package(&expired).await.unwrap();
    let stock = |owner, live| Stock {
        owner: key(owner),
        live,
    };
    let page = Page {
        after: None,
        max: 3,
    };
    let first = at.other.stock(NOW_S, page).await.unwrap();
    assert_eq!(first, [stock(1, 1), stock(2, 2), stock(3, 3)]);
    let last = key(3).to_hex();
    let page = Page {
        after: Some(&last),
        max: 9,
    };
    let rest = at.other.stock(NOW_S, page).await.unwrap();
    assert_eq!(rest, [stock(4, 4), stock(5, 3)], "who has none is left out");
}

pub(in crate::storage) async fn packages_of_any_words_are_kept(at: Handles) {
    let mut wanted = Vec::new();
    for (text, number) in hostile_texts().into_iter().zip(0..) {
        let package = Package {
            ciphersuite: Some(text.clone()),
            reference: Some(text),
            ..package(number, 1)
        };
        let put = at.one.put_package(&package).await.unwrap();
        assert_eq!(put, PutPackage::Stored, "{:?}", package.reference);
        wanted.push(package);
    }
    assert_eq!(
        at.other.packages(&key(1), NOW_S, 100).await.unwrap(),
        wanted
    );
}
