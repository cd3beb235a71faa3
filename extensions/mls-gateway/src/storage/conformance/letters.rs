//! The mailboxes.

use super::Handles;
use super::samples::{NOW_S, hostile_texts, key, key_package_letter, welcome_letter};
use crate::storage::{BoxLoad, Letter, LetterBox, Page};
use std::collections::BTreeSet;

/// A letter of this id, for the key of this number.
type Sample = fn(&str, u64) -> Letter;

const BOXES: [(LetterBox, Sample); 2] = [
    (LetterBox::KeyPackages, key_package_letter),
    (LetterBox::Welcomes, welcome_letter),
];

fn ids(letters: &[Letter]) -> Vec<&str> {
    letters.iter().map(|it| it.id.as_str()).collect()
}

pub(in crate::storage) async fn a_letter_is_picked_up_again_until_it_is_acknowledged(at: Handles) {
    for (letter_box, sample) in BOXES {
        let letter = sample("a", 1);
        assert!(at.one.deposit(letter_box, &letter).await.unwrap());
        assert_eq!(
            at.other.letter(letter_box, "a").await.unwrap(),
            Some(letter.clone())
        );
        let pick_up = async |now_s| {
            at.other
                .pick_up(letter_box, &key(1), 9, now_s)
                .await
                .unwrap()
        };
        let picked_up = Letter {
            picked_up_at_s: Some(NOW_S + 3),
            ..letter
        };
        assert_eq!(pick_up(NOW_S + 3).await.pop().as_ref(), Some(&picked_up));
        let again = pick_up(NOW_S + 9).await;
        assert_eq!(again.len(), 1);
        assert_eq!(again[0], picked_up, "the first time counts");
        assert_eq!(
            at.one.letter(letter_box, "a").await.unwrap(),
            Some(picked_up)
        );
        assert!(
            at.one
                .acknowledge(letter_box, "a", NOW_S + 10)
                .await
                .unwrap()
        );
        assert!(pick_up(NOW_S + 11).await.is_empty());
        assert!(!at.one.acknowledge(letter_box, "b", NOW_S).await.unwrap());
        assert_eq!(at.one.letter(letter_box, "b").await.unwrap(), None);
    }
}

pub(in crate::storage) async fn a_letter_is_deposited_once(at: Handles) {
    for (letter_box, sample) in BOXES {
        let letter = sample("a", 1);
        let other = Letter {
            content_b64: "b3RoZXI=".to_owned(),
            ..sample("a", 2)
        };
        assert!(at.one.deposit(letter_box, &letter).await.unwrap());
        assert!(!at.other.deposit(letter_box, &letter).await.unwrap());
        assert!(!at.other.deposit(letter_box, &other).await.unwrap());
        assert_eq!(
            at.one.letter(letter_box, "a").await.unwrap(),
            Some(letter.clone())
        );
        at.one.acknowledge(letter_box, "a", NOW_S).await.unwrap();
        assert!(!at.one.deposit(letter_box, &letter).await.unwrap());
        let picked_up = at.one.pick_up(letter_box, &key(1), 9, NOW_S).await.unwrap();
        assert!(picked_up.is_empty(), "what was acknowledged stays so");
    }
}

pub(in crate::storage) async fn an_acknowledged_letter_is_remembered_without_its_content(
    at: Handles,
) {
    for (letter_box, sample) in BOXES {
        let letter = sample("a", 1);
        at.one.deposit(letter_box, &letter).await.unwrap();
        assert!(
            at.one
                .acknowledge(letter_box, "a", NOW_S + 1)
                .await
                .unwrap()
        );
        assert!(
            at.other
                .acknowledge(letter_box, "a", NOW_S + 2)
                .await
                .unwrap()
        );
        let wanted = Letter {
            content_b64: String::new(),
            ratchet_tree_b64: None,
            tags_json: None,
            acknowledged_at_s: Some(NOW_S + 1),
            ..letter
        };
        assert_eq!(
            at.other.letter(letter_box, "a").await.unwrap(),
            Some(wanted)
        );
    }
}

pub(in crate::storage) async fn an_expired_letter_is_not_picked_up(at: Handles) {
    for (letter_box, sample) in BOXES {
        let letter = sample("a", 1);
        at.one.deposit(letter_box, &letter).await.unwrap();
        let count = async |now_s| {
            let picked_up = at.other.pick_up(letter_box, &key(1), 9, now_s).await;
            picked_up.unwrap().len()
        };
        assert_eq!(count(letter.expires_at_s).await, 0);
        assert_eq!(count(letter.expires_at_s - 1).await, 1);
    }
}

pub(in crate::storage) async fn letters_come_oldest_first_and_for_their_recipient(at: Handles) {
    for (letter_box, sample) in BOXES {
        for (name, recipient, age_s) in [("d", 1, 5), ("c", 1, 9), ("b", 2, 7), ("a", 1, 5)] {
            let letter = Letter {
                created_at_s: NOW_S - age_s,
                ..sample(name, recipient)
            };
            at.one.deposit(letter_box, &letter).await.unwrap();
        }
        let pick_up = async |recipient, max| {
            let picked_up = at
                .other
                .pick_up(letter_box, &key(recipient), max, NOW_S)
                .await;
            picked_up.unwrap()
        };
        assert_eq!(ids(&pick_up(1, 2).await), ["c", "a"]);
        assert_eq!(ids(&pick_up(1, 9).await), ["c", "a", "d"]);
        assert_eq!(ids(&pick_up(2, 9).await), ["b"]);
        assert!(pick_up(3, 9).await.is_empty());
        at.one.acknowledge(letter_box, "c", NOW_S).await.unwrap();
        assert_eq!(ids(&pick_up(1, 2).await), ["a", "d"]);
    }
}

pub(in crate::storage) async fn the_boxes_are_apart(at: Handles) {
    let (package, welcome) = (key_package_letter("a", 1), welcome_letter("a", 1));
    assert!(
        at.one
            .deposit(LetterBox::KeyPackages, &package)
            .await
            .unwrap()
    );
    assert_eq!(at.one.letter(LetterBox::Welcomes, "a").await.unwrap(), None);
    assert!(at.one.deposit(LetterBox::Welcomes, &welcome).await.unwrap());
    assert!(
        at.one
            .acknowledge(LetterBox::KeyPackages, "a", NOW_S)
            .await
            .unwrap()
    );
    let found = at.other.letter(LetterBox::Welcomes, "a").await.unwrap();
    assert_eq!(found, Some(welcome));
}

pub(in crate::storage) async fn letters_are_listed_in_pages(at: Handles) {
    for (letter_box, sample) in BOXES {
        let mut wanted = BTreeSet::new();
        for text in hostile_texts() {
            let letter = Letter {
                group_id: sample("", 1).group_id.map(|_| text.clone()),
                ..sample(&text, 1)
            };
            assert!(at.one.deposit(letter_box, &letter).await.unwrap());
            let found = at.other.letter(letter_box, &text).await.unwrap();
            assert_eq!(found, Some(letter));
            wanted.insert(text);
        }
        at.one
            .acknowledge(letter_box, "upper", NOW_S)
            .await
            .unwrap();
        wanted.remove("upper");
        let mut listed = BTreeSet::new();
        let mut after: Option<String> = None;
        loop {
            let page = Page {
                after: after.as_deref(),
                max: 5,
            };
            let letters = at.other.letters(letter_box, page).await.unwrap();
            let Some(last) = letters.last() else { break };
            after = Some(last.id.clone());
            for letter in letters {
                assert!(listed.insert(letter.id), "listed twice");
            }
        }
        assert_eq!(listed, wanted);
    }
}

pub(in crate::storage) async fn of_fifty_deposits_of_one_letter_one_counts(at: Handles) {
    let tasks = (0..50).map(|n| {
        let handle = [&at.one, &at.other][n % 2].clone();
        tokio::spawn(async move {
            let letter = welcome_letter("a", 1);
            handle.deposit(LetterBox::Welcomes, &letter).await.unwrap()
        })
    });
    let mut new = 0;
    for task in tasks.collect::<Vec<_>>() {
        new += usize::from(task.await.unwrap());
    }
    assert_eq!(new, 1);
}

pub(in crate::storage) async fn the_load_of_a_box_is_counted(at: Handles) {
    for (letter_box, sample) in BOXES {
        let load = async || {
            let (recipient, sender) = (key(1), key(7));
            let load = at.other.box_load(letter_box, &recipient, &sender, NOW_S);
            load.await.unwrap()
        };
        assert_eq!(load().await, BoxLoad::default());
        let size = |letter: &Letter| {
            let rest = [&letter.ratchet_tree_b64, &letter.tags_json];
            let rest = rest.into_iter().flatten().map(String::len).sum::<usize>();
            (letter.content_b64.len() + rest) as u64
        };
        let mut wanted = BoxLoad::default();
        for (name, sender) in [("a", 7), ("b", 8), ("c", 7)] {
            let letter = Letter {
                sender: key(sender),
                content_b64: name.repeat(1000 * sender as usize),
                ..sample(name, 1)
            };
            at.one.deposit(letter_box, &letter).await.unwrap();
            wanted.letters += 1;
            wanted.bytes += size(&letter);
            if sender == 7 {
                wanted.letters_of_sender += 1;
                wanted.bytes_of_sender += size(&letter);
            }
        }
        let expired = Letter {
            expires_at_s: NOW_S,
            ..sample("expired", 1)
        };
        for letter in [expired, sample("acknowledged", 1), sample("for another", 2)] {
            at.one.deposit(letter_box, &letter).await.unwrap();
        }
        let acknowledged = at.one.acknowledge(letter_box, "acknowledged", NOW_S);
        assert!(acknowledged.await.unwrap());
        at.one.pick_up(letter_box, &key(1), 1, NOW_S).await.unwrap();
        assert_eq!(load().await, wanted);
    }
}
