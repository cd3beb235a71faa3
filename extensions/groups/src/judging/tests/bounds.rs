//! How much a group takes and remembers, and for whom its invites are.

use super::{RELAY, answer, person, take};
use crate::config::Config;
use crate::rebuilding::{Pages, counts_differ};
use crate::rules::Rules;
use crate::state::{COUNTS, FOUNDED, State, request_key};
use trellis_relay::event::Event;
use trellis_relay::testing::START_S;

/// A group with its admin, by rules of this table.
fn founded(table: &str) -> (Rules, Pages) {
    let config: Config = toml::from_str(table).unwrap();
    let rules = config.settle(person(RELAY).pubkey()).unwrap();
    let mut pages = Pages::new();
    let create = person(1).draft(9007).tag(["h", "one"]).sign();
    take(&mut pages, &create, &rules).unwrap();
    (rules, pages)
}

#[test]
fn g1_roles_are_words_of_bounded_length_and_number() {
    let (rules, mut pages) = founded("max_users_with_roles = 1000");
    let put = || person(1).draft(9000).tag(["h", "one"]);
    let user = person(2).pubkey().to_hex();
    for role in ["a\u{7}b", &"x".repeat(65)] {
        let event = put().tag(["p", &user, role]).sign();
        assert_eq!(
            take(&mut pages, &event, &rules),
            Err("invalid: a role has at most 64 bytes and no control characters".to_owned())
        );
    }
    let roles: Vec<String> = (0..16).map(|number| format!("{number:064}")).collect();
    let with_roles = |users: std::ops::Range<u64>| {
        let users = users.map(|number| person(number).pubkey().to_hex());
        let event = users.fold(put(), |draft, user| {
            let mut items = [""; 18];
            items[0] = "p";
            items[1] = &user;
            for (item, role) in items[2..].iter_mut().zip(&roles) {
                *item = role;
            }
            draft.tag(items)
        });
        event.sign()
    };
    let before = pages.clone();
    assert_eq!(
        take(&mut pages, &with_roles(10..310), &rules),
        Err("restricted: the roles of this group's users take more room than there is".to_owned())
    );
    assert_eq!(pages, before);
    take(&mut pages, &with_roles(10..60), &rules).unwrap();
}

/// What an admin does to these users.
fn about(kind: u16, group: &str, users: std::ops::Range<u64>) -> Event {
    let draft = person(1).draft(kind).tag(["h", group]);
    let users = users.map(|user| person(user).pubkey().to_hex());
    users
        .fold(draft, |draft, user| draft.tag(["p", &user]))
        .sign()
}

fn create(by: u64, id: &str) -> Event {
    person(by).draft(9007).tag(["h", id]).sign()
}

fn join(by: u64, id: &str) -> Event {
    person(by).draft(9021).tag(["h", id]).sign()
}

#[test]
fn g1_all_groups_together_have_so_many_users() {
    let (rules, mut pages) = founded("max_users = 100");
    let full =
        Err("restricted: the groups of this relay have as many users as it takes".to_owned());
    take(&mut pages, &create(1, "two"), &rules).unwrap();
    take(&mut pages, &about(9000, "one", 2..60), &rules).unwrap();
    // An admin fills three quarters of the room and no more, with whom they add and whom they remove.
    for kind in [9000, 9001] {
        assert_eq!(take(&mut pages, &about(kind, "two", 2..18), &rules), full);
    }
    take(&mut pages, &about(9001, "two", 2..17), &rules).unwrap();
    assert_eq!(take(&mut pages, &about(9000, "two", 17..18), &rules), full);
    // The rest is for who comes by themselves, and for the operator's people.
    let asks = join(80, "two");
    take(&mut pages, &asks, &rules).unwrap();
    take(&mut pages, &answer(&asks).unwrap(), &rules).unwrap();
    let by_relay = person(RELAY).draft(9000).tag(["h", "two"]);
    let by_relay = by_relay.tag(["p", &person(81).pubkey().to_hex()]).sign();
    take(&mut pages, &by_relay, &rules).unwrap();
    for number in 0..23 {
        let id = format!("group{number}");
        take(&mut pages, &create(100 + number, &id), &rules).unwrap();
    }
    assert_eq!(take(&mut pages, &create(1, "three"), &rules), full);
    assert_eq!(take(&mut pages, &join(82, "two"), &rules), full);
    // Who is counted already needs no room, and a group that goes gives back what it had.
    take(&mut pages, &about(9000, "two", 2..17), &rules).unwrap();
    let end = person(1).draft(9008).tag(["h", "one"]).sign();
    take(&mut pages, &end, &rules).unwrap();
    take(&mut pages, &join(82, "two"), &rules).unwrap();
}

#[test]
fn g1_the_groups_of_one_founder_have_a_share_of_the_room() {
    let admin = person(9).pubkey().to_hex();
    let (rules, mut pages) = founded(&format!("max_users_per_founder = 20\nadmins = ['{admin}']"));
    let full = Err(
        "restricted: the groups that one person has founded have as many users as this relay takes"
            .to_owned(),
    );
    take(&mut pages, &create(1, "two"), &rules).unwrap();
    take(&mut pages, &about(9000, "one", 10..20), &rules).unwrap();
    take(&mut pages, &about(9001, "two", 20..28), &rules).unwrap();
    for event in [
        about(9000, "two", 40..41),
        about(9001, "one", 40..41),
        join(40, "two"),
        create(1, "three"),
    ] {
        assert_eq!(take(&mut pages, &event, &rules), full, "{event:?}");
    }
    // Others have theirs, and the operator's people as much as there is.
    take(&mut pages, &create(2, "four"), &rules).unwrap();
    take(&mut pages, &join(40, "four"), &rules).unwrap();
    take(&mut pages, &create(9, "five"), &rules).unwrap();
    let put = (100..140).fold(person(9).draft(9000).tag(["h", "five"]), |draft, user| {
        draft.tag(["p", &person(user).pubkey().to_hex()])
    });
    take(&mut pages, &put.sign(), &rules).unwrap();
    // A group that goes gives back what it had.
    let end = person(1).draft(9008).tag(["h", "two"]).sign();
    take(&mut pages, &end, &rules).unwrap();
    take(&mut pages, &about(9000, "one", 40..49), &rules).unwrap();
    assert_eq!(take(&mut pages, &join(50, "one"), &rules), full);
}

#[test]
fn g1_a_group_remembers_few_strangers_as_removed() {
    let (rules, mut pages) = founded("");
    for some in [2..502, 502..1002] {
        take(&mut pages, &about(9001, "one", some), &rules).unwrap();
    }
    assert_eq!(
        take(&mut pages, &about(9001, "one", 1002..1003), &rules),
        Err("restricted: this group remembers as many removed users as it can".to_owned())
    );
    take(&mut pages, &about(9000, "one", 1002..1003), &rules).unwrap();
    take(&mut pages, &about(9001, "one", 1002..1003), &rules).unwrap();
}

#[test]
fn g3_what_is_counted_wrong_is_found() {
    let (_, pages) = founded("");
    assert!(!counts_differ(&pages, &pages));
    for (key, row) in pages.iter().filter(|(_, row)| !row.is_empty()) {
        let is_count = [COUNTS, FOUNDED].contains(&key[0]);
        let mut other = pages.clone();
        other.insert(key.clone(), [&row[..row.len() - 1], &[9]].concat());
        assert_eq!(counts_differ(&pages, &other), is_count, "{key:?}");
    }
    // A row of fewer numbers counts no users.
    let mut older = pages.clone();
    older.get_mut(&[COUNTS][..]).unwrap().truncate(16);
    assert!(counts_differ(&pages, &older));
}

#[test]
fn g1_deleted_groups_leave_room_for_others_and_keep_their_ids() {
    let (rules, mut pages) = founded("max_groups = 2");
    let by_admin = |kind, id: &str| person(1).draft(kind).tag(["h", id]).sign();
    for id in ["two", "three", "four", "five"] {
        take(&mut pages, &by_admin(9007, id), &rules).unwrap();
        assert_eq!(
            take(&mut pages, &by_admin(9007, "late"), &rules),
            Err("restricted: this relay has as many groups as it takes".to_owned())
        );
        take(&mut pages, &by_admin(9008, id), &rules).unwrap();
        assert_eq!(
            take(&mut pages, &by_admin(9007, id), &rules),
            Err("blocked: a group of this id was deleted, and it is not used again".to_owned())
        );
    }
}

#[test]
fn g1_an_id_that_is_a_key_is_for_whose_key_it_is() {
    let (rules, mut pages) = founded("");
    let create = |by: u64, id: &str| person(by).draft(9007).tag(["h", id]).sign();
    let own = person(2).pubkey().to_hex();
    let refused = Err(
        "blocked: an id of 64 hex digits is somebody's public key, and only they found a group of it; choose another"
            .to_owned(),
    );
    for id in [&own, &own.to_uppercase(), &"0".repeat(64)] {
        assert_eq!(take(&mut pages, &create(1, id), &rules), refused);
    }
    take(&mut pages, &create(2, &own), &rules).unwrap();
    take(&mut pages, &create(RELAY, &"0".repeat(64)), &rules).unwrap();
    take(&mut pages, &create(1, &"0".repeat(63)), &rules).unwrap();
}

#[test]
fn g2_who_is_done_with_a_request_drops_no_newer_one() {
    let (_, mut pages) = founded("");
    let user = person(2).pubkey();
    let request = |words| *person(2).draft(9021).content(words).sign().id();
    let (older, newer) = (request("older"), request("newer"));
    State::of(&mut pages)
        .set_request("one", &user, Some(&older))
        .unwrap();
    State::of(&mut pages)
        .set_request("one", &user, Some(&newer))
        .unwrap();
    assert_eq!(pages.remove(&request_key("one", &user, &older)), None);
    assert_eq!(
        State::of(&mut pages).request("one", &user).unwrap(),
        Some(newer)
    );
    pages.remove(&request_key("one", &user, &newer)).unwrap();
    assert_eq!(State::of(&mut pages).request("one", &user).unwrap(), None);
}

#[test]
fn g1_members_can_be_removed_however_many_were_before() {
    let (rules, mut pages) = founded("max_removed_users = 1");
    let about = |kind, user: u64| {
        let draft = person(1).draft(kind).tag(["h", "one"]);
        draft.tag(["p", &person(user).pubkey().to_hex()]).sign()
    };
    for user in [2, 3] {
        take(&mut pages, &about(9000, user), &rules).unwrap();
        take(&mut pages, &about(9001, user), &rules).unwrap();
    }
    assert_eq!(
        take(&mut pages, &about(9001, 4), &rules),
        Err("restricted: this group remembers as many removed users as it can".to_owned())
    );
    let group = State::of(&mut pages).group("one").unwrap().unwrap();
    assert_eq!((group.members, group.removed), (1, 2));
}

#[test]
fn g2_an_invite_from_before_a_removal_is_not_for_who_was_removed() {
    let (rules, mut pages) = founded("");
    let at = |by: u64, kind, at_s| person(by).draft(kind).tag(["h", "one"]).at(at_s);
    let invite = |code, at_s| at(1, 9009, at_s).tag(["code", code]).sign();
    let join = |by, code| at(by, 9021, START_S).tag(["code", code]).sign();
    let remove = at(1, 9001, START_S + 1).tag(["p", &person(2).pubkey().to_hex()]);
    for event in [
        invite("old", START_S),
        remove.sign(),
        invite("new", START_S + 2),
    ] {
        take(&mut pages, &event, &rules).unwrap();
    }
    assert_eq!(
        take(&mut pages, &join(2, "old"), &rules),
        Err(
            "restricted: this invite is not good, or not any more; ask an admin for another"
                .to_owned()
        )
    );
    take(&mut pages, &join(3, "old"), &rules).unwrap();
    take(&mut pages, &join(2, "new"), &rules).unwrap();
}

#[test]
fn g3_what_is_shown_of_a_group_is_bounded() {
    let (rules, mut pages) = founded("");
    let by_admin = |kind| person(1).draft(kind).tag(["h", "one"]);
    let address = format!("30023:{}:{}", person(1).pubkey().to_hex(), "x".repeat(1024));
    let pin = by_admin(9010).tag(["a", &address]).sign();
    let refused = take(&mut pages, &pin, &rules).unwrap_err();
    assert!(refused.starts_with("invalid: "), "{refused}");
    let pin = by_admin(9010).tag(["a", &address[..200]]).sign();
    take(&mut pages, &pin, &rules).unwrap();
    let numbers: [String; 501] = std::array::from_fn(|number| number.to_string());
    let mut items = [""; 502];
    items[0] = "supported_kinds";
    for (item, number) in items[1..].iter_mut().zip(&numbers) {
        *item = number;
    }
    assert_eq!(
        take(&mut pages, &by_admin(9002).tag(items).sign(), &rules),
        Err("invalid: supported_kinds has at most 500 kinds".to_owned())
    );
    let fewer: [&str; 501] = std::array::from_fn(|place| items[place]);
    take(&mut pages, &by_admin(9002).tag(fewer).sign(), &rules).unwrap();
}
