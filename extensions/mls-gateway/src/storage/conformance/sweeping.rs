//! Removing what has expired.

use super::Handles;
use super::samples::{NOW_S, archived, key, key_package_letter, package, welcome_letter};
use crate::storage::{ArchiveQuery, Archived, Letter, LetterBox, Package, Pruned, PutPackage};

/// One of each that is there until `until_s`, and archived then.
async fn put_one_of_each(at: &Handles, number: u64, until_s: u64) {
    let name = number.to_string();
    let letter = |letter: Letter| Letter {
        expires_at_s: until_s,
        ..letter
    };
    let package = Package {
        expires_at_s: until_s,
        ..package(number, 1)
    };
    let event = Archived {
        archived_at_s: until_s,
        ..archived(number, Some("g"), None)
    };
    let one = &at.one;
    let letters = [
        (LetterBox::KeyPackages, key_package_letter(&name, 1)),
        (LetterBox::Welcomes, welcome_letter(&name, 1)),
    ];
    for (letter_box, sample) in letters {
        assert!(one.deposit(letter_box, &letter(sample)).await.unwrap());
    }
    assert_eq!(one.put_package(&package).await.unwrap(), PutPackage::Stored);
    assert_eq!(one.archive(&[event]).await.unwrap(), 1);
}

fn each(count: u64) -> Pruned {
    Pruned {
        key_package_letters: count,
        welcome_letters: count,
        acknowledged_letters: 0,
        packages: count,
        archived: count,
    }
}

pub(in crate::storage) async fn what_has_expired_is_removed(at: Handles) {
    for (number, until_s) in [(1, NOW_S - 1), (2, NOW_S), (3, NOW_S + 1)] {
        put_one_of_each(&at, number, until_s).await;
    }
    at.one
        .acknowledge(LetterBox::Welcomes, "1", NOW_S - 5)
        .await
        .unwrap();
    at.one
        .reserve_packages(&key(1), 1, NOW_S - 5)
        .await
        .unwrap();
    let pruned = at.other.prune(NOW_S, NOW_S + 1, 100).await.unwrap();
    let wanted = Pruned {
        welcome_letters: 1,
        acknowledged_letters: 1,
        ..each(2)
    };
    assert_eq!(pruned, wanted, "acknowledged and reserved or not");
    let again = at.other.prune(NOW_S, NOW_S + 1, 100).await.unwrap();
    assert_eq!(again, Pruned::default());
    for letter_box in [LetterBox::KeyPackages, LetterBox::Welcomes] {
        assert_eq!(at.one.letter(letter_box, "2").await.unwrap(), None);
        assert!(at.one.letter(letter_box, "3").await.unwrap().is_some());
    }
    assert_eq!(at.one.packages(&key(1), 0, 9).await.unwrap().len(), 1);
    let query = ArchiveQuery {
        max: 9,
        ..ArchiveQuery::default()
    };
    assert_eq!(at.one.archived(&query).await.unwrap().len(), 1);
    put_one_of_each(&at, 1, NOW_S + 9).await;
}

pub(in crate::storage) async fn a_sweep_takes_no_more_than_it_may(at: Handles) {
    for number in 0..5 {
        put_one_of_each(&at, number, NOW_S - 1).await;
    }
    let mut left = 5;
    for count in [2, 2, 1, 0] {
        let pruned = at.other.prune(NOW_S, NOW_S, 2).await.unwrap();
        assert_eq!(pruned, each(count));
        left -= count;
    }
    assert_eq!(left, 0);
}

pub(in crate::storage) async fn the_database_answers(at: Handles) {
    at.one.ping().await.unwrap();
    at.other.ping().await.unwrap();
}
