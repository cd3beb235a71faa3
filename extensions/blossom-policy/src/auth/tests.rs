//! Tokens as BUD-11 has them, right ones and wrong ones.

#![allow(clippy::unwrap_used)]

use super::*;
use trellis_relay::testing::Author;

const NOW_S: u64 = 1_800_000_000;
const HASH: &str = "b1674191a88ec5cdd733e4240a81803105dc412d6c6708d53ab94fc248f4f553";

/// A token for an upload with these tags beside `t` and `expiration`.
fn token(verb: &str, expires_s: u64, tags: &[[&str; 2]]) -> Event {
    let mut draft = Author::new(1).draft(24242).at(NOW_S - 5);
    draft = draft.tag(["t", verb]);
    draft = draft.tag(["expiration", &expires_s.to_string()]);
    for tag in tags {
        draft = draft.tag(*tag);
    }
    draft.content("Upload Blob").sign()
}

fn check(event: &Event) -> Result<Signer, Refusal> {
    let own_names = || vec!["cdn.example.com".to_owned()];
    check_token(event, Verb::Upload, NOW_S, own_names)
}

#[test]
fn b3_a_token_is_for_its_verb_server_time_and_blobs() {
    let good = check(&token("upload", NOW_S + 60, &[["x", HASH]])).unwrap();
    assert_eq!(good.pubkey, Author::new(1).pubkey());
    let (named, other) = (HASH.parse().unwrap(), BlobHash::from_bytes([7; 32]));
    assert!(good.require(&named).is_ok());
    assert_eq!(good.require(&other).unwrap_err().status(), 401);
    assert_eq!(good.require_if_scoped(&other).unwrap_err().status(), 401);
    let here = [["server", "other.example"], ["server", "cdn.example.com"]];
    let open = check(&token("upload", NOW_S + 60, &here)).unwrap();
    assert_eq!(open.require(&named).unwrap_err().status(), 401);
    assert!(open.require_if_scoped(&named).is_ok());
    for wrong in [
        token("delete", NOW_S + 60, &[["x", HASH]]),
        token("upload", NOW_S, &[["x", HASH]]),
        token("upload", NOW_S + 60, &[["server", "other.example"]]),
        Author::new(1)
            .draft(24242)
            .at(NOW_S)
            .tag(["t", "upload"])
            .sign(),
    ] {
        assert_eq!(check(&wrong).unwrap_err().status(), 401, "{wrong:?}");
    }
}

#[test]
fn b3_created_at_is_in_the_past_but_for_clocks_that_are_a_little_fast() {
    let expires = (NOW_S + 600).to_string();
    let at = |created_at| {
        let draft = Author::new(1).draft(24242).at(created_at);
        let draft = draft.tag(["t", "upload"]).tag(["expiration", &expires]);
        check(&draft.sign())
    };
    assert!(at(NOW_S - 1_000_000).is_ok());
    assert!(at(NOW_S + FAST_CLOCK_S).is_ok());
    assert_eq!(at(NOW_S + FAST_CLOCK_S + 1).unwrap_err().status(), 401);
}

#[test]
fn b3_a_forged_token_is_none() {
    let draft = Author::new(1).draft(24242).at(NOW_S);
    let draft = draft.tag(["t", "upload"]);
    let draft = draft.tag(["expiration", &(NOW_S + 60).to_string()]);
    assert_eq!(check(&draft.forge()).unwrap_err().status(), 401);
}

#[test]
fn b3_an_x_tag_that_is_no_hash_opens_nothing() {
    let odd = check(&token("upload", NOW_S + 60, &[["x", "all"]])).unwrap();
    let hash = HASH.parse().unwrap();
    assert!(odd.require(&hash).is_err() && odd.require_if_scoped(&hash).is_err());
}

#[test]
fn b3_a_server_tag_or_an_x_tag_without_a_value_does_not_stand_for_all() {
    let bare = |name: &str| {
        let draft = Author::new(1).draft(24242).at(NOW_S);
        let draft = draft.tag(["t", "upload"]).tag([name]);
        let expires = (NOW_S + 60).to_string();
        check(&draft.tag(["expiration", &expires]).sign())
    };
    let elsewhere = bare("server").unwrap_err();
    assert_eq!(elsewhere.status(), 401);
    assert!(elsewhere.to_string().contains("cdn.example.com"));
    let nothing = bare("x").unwrap();
    assert!(nothing.require_if_scoped(&HASH.parse().unwrap()).is_err());
}
