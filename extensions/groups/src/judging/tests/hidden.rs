//! What strangers are answered about a hidden group: the same as about one that is not there, but where they write to it.

use super::{person, rules, take};
use crate::rebuilding::Pages;
use crate::rules::Rules;
use crate::state::State;
use trellis_relay::testing::Draft;

const STRANGER: u64 = 3;
const FLAGS: [&str; 4] = ["hidden", "private", "restricted", "closed"];

/// A hidden group, and a public one of another admin.
fn ground() -> (Rules, Pages) {
    let (rules, mut pages) = (rules(), Pages::new());
    let edit = FLAGS
        .into_iter()
        .fold(by(1, 9002, "one"), |draft, flag| draft.tag([flag]));
    let events = [
        by(1, 9007, "one"),
        edit,
        by(2, 9007, "two"),
        by(1, 9009, "one").tag(["code", "a"]),
    ];
    for event in events {
        take(&mut pages, &event.sign(), &rules).unwrap();
    }
    (rules, pages)
}

fn by(author: u64, kind: u16, group: &str) -> Draft {
    person(author).draft(kind).tag(["h", group])
}

#[test]
fn g4_strangers_are_told_of_a_hidden_group_what_they_are_told_of_none() {
    let (rules, mut pages) = ground();
    let p = person(1).pubkey().to_hex();
    let e = by(1, 9, "one").sign().id().to_hex();
    let answer = |pages: &mut Pages, draft: Draft| {
        let before = pages.clone();
        let answer = take(pages, &draft.sign(), &rules);
        *pages = before;
        answer
    };
    for kind in (9000..=9006).chain(9008..=9022).chain([39_000]) {
        for tag in [
            ["p", &p],
            ["e", &e],
            ["code", "guess"],
            ["previous", "01234567"],
        ] {
            let draft = |group| by(STRANGER, kind, group).tag(tag);
            let hidden = answer(&mut pages, draft("one"));
            let nowhere = answer(&mut pages, draft("nowhere"));
            assert_eq!(hidden, nowhere, "{kind} {tag:?}");
        }
    }
    // Nor is one told who would stand below it.
    for parent in ["one", "nowhere"] {
        let below = by(2, 9002, "two").tag(["parent", parent]);
        assert_eq!(
            answer(&mut pages, below),
            Err("invalid: this relay runs no group of this id".to_owned())
        );
    }
}

#[test]
fn g4_what_strangers_send_to_a_hidden_group_is_judged_as_for_any() {
    let (rules, mut pages) = ground();
    let message = |author| by(author, 9, "one").sign();
    let for_members = Err(
        "restricted: only members write to this group; ask to join it with kind 9021".to_owned(),
    );
    assert_eq!(take(&mut pages, &message(STRANGER), &rules), for_members);
    take(&mut pages, &message(1), &rules).unwrap();
    // Not even what a moderator has deleted comes back by somebody who is a member no more.
    let of_member = message(4);
    let p = person(4).pubkey().to_hex();
    for event in [
        by(1, 9000, "one").tag(["p", &p]).sign(),
        of_member.clone(),
        by(1, 9005, "one")
            .tag(["e", &of_member.id().to_hex()])
            .sign(),
    ] {
        take(&mut pages, &event, &rules).unwrap();
    }
    let leave = by(4, 9022, "one").sign();
    take(&mut pages, &leave, &rules).unwrap();
    take(&mut pages, &super::answer(&leave).unwrap(), &rules).unwrap();
    assert_eq!(take(&mut pages, &of_member, &rules), for_members);
    // Where anybody may write, anybody does, but for what was deleted.
    let open = by(1, 9002, "one").tag(["hidden"]).sign();
    take(&mut pages, &open, &rules).unwrap();
    take(&mut pages, &message(STRANGER), &rules).unwrap();
    assert_eq!(
        take(&mut pages, &of_member, &rules),
        Err("blocked: a moderator has deleted this event from the group".to_owned())
    );
    let remove = by(1, 9001, "one").tag(["p", &person(STRANGER).pubkey().to_hex()]);
    take(&mut pages, &remove.sign(), &rules).unwrap();
    assert_eq!(
        take(
            &mut pages,
            &by(STRANGER, 9, "one").content("more").sign(),
            &rules
        ),
        Err("blocked: you were removed from this group".to_owned())
    );
}

#[test]
fn g4_who_edits_a_group_names_no_hidden_group_below_it() {
    let (rules, mut pages) = ground();
    let create = |pages: &mut Pages, id| {
        take(pages, &by(1, 9007, id).sign(), &rules).unwrap();
        let below = by(1, 9002, id).tag(["parent", "top"]).sign();
        if id != "top" {
            take(pages, &below, &rules).unwrap();
        }
    };
    for id in ["top", "secret", "left", "right"] {
        create(&mut pages, id);
    }
    let hide = by(1, 9002, "secret")
        .tag(["parent", "top"])
        .tag(["hidden"])
        .sign();
    take(&mut pages, &hide, &rules).unwrap();
    let children = |pages: &mut Pages| State::of(pages).display("top").unwrap().children;
    let edit = |names: &[&str]| {
        let draft = by(1, 9002, "top").content(&names.join(" "));
        names
            .iter()
            .fold(draft, |draft, name| draft.tag(["child", name]))
            .sign()
    };
    let wrong = Err(
        "invalid: edit-metadata needs a child tag for each group below this one, and for no other"
            .to_owned(),
    );
    for names in [
        &["secret", "left", "right"][..],
        &["nowhere", "left", "right"],
        &["left"],
    ] {
        assert_eq!(take(&mut pages, &edit(names), &rules), wrong, "{names:?}");
    }
    take(&mut pages, &edit(&["right", "left"]), &rules).unwrap();
    assert_eq!(children(&mut pages), ["right", "left", "secret"]);
}
