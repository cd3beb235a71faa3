//! The extension's hooks, asked as the relay asks them.

#![allow(clippy::unwrap_used)]

use members_only::MembersOnly;
use nostr::event::{EventBuilder, Kind};
use nostr::key::Keys;
use trellis_relay::extension::{Compiled, Verb, Viewer};
use trellis_relay::filter::Filter;
use trellis_relay::testing::{HookHarness, sign, stranger};

const EXTENSIONS: &[Compiled] = &[Compiled::of::<MembersOnly>()];

async fn relay_of(member: &Keys) -> HookHarness {
    let table = format!(
        "[members_only]\nmembers = ['{}']\nprivate = [445]\nmessage = 'members only'",
        member.public_key().to_hex()
    );
    HookHarness::start(EXTENSIONS, &table).await.unwrap()
}

fn logged_in(keys: &Keys) -> Viewer {
    stranger().with_pubkey(keys.public_key())
}

#[tokio::test]
async fn only_members_publish() {
    let (member, other) = (Keys::generate(), Keys::generate());
    let relay = relay_of(&member).await;
    let note = sign(EventBuilder::new(Kind::TextNote, "hello"), &member);
    assert_eq!(relay.admit(&note, &logged_in(&member)), "accept");
    assert_eq!(
        relay.admit(&note, &logged_in(&other)),
        "restricted: members only"
    );
    assert_eq!(
        relay.admit(&note, &stranger()),
        "auth-required: members only"
    );
    relay.host.shutdown().await;
}

#[tokio::test]
async fn only_members_see_private_kinds() {
    let member = Keys::generate();
    let relay = relay_of(&member).await;
    let (member, stranger) = (logged_in(&member), stranger());
    let note = sign(
        EventBuilder::new(Kind::from(445), "hello"),
        &Keys::generate(),
    );
    assert_eq!(relay.visible(&note, &[&member, &stranger]), [true, false]);

    let ask = |viewer, kinds: &[u16]| {
        let filter = Filter {
            kinds: Some(kinds.to_vec()),
            ..Filter::default()
        };
        relay.hooks().request(viewer, Verb::Req, filter)
    };
    assert_eq!(ask(&member, &[445]).unwrap().filter.kinds, Some(vec![445]));
    assert_eq!(
        ask(&stranger, &[1, 445]).unwrap().filter.kinds,
        Some(vec![1])
    );
    let closed = ask(&stranger, &[445]).unwrap_err();
    assert_eq!(closed.to_string(), "auth-required: members only");
    relay.host.shutdown().await;
}
