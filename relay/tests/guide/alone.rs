//! Hooks without a relay.

use crate::first::InviteOnly;

use trellis_relay::extension::Compiled;
use trellis_relay::testing::{Author, HookHarness, stranger};

const EXTENSIONS: &[Compiled] = &[Compiled::of::<InviteOnly>()];

#[tokio::test]
async fn the_hook_says_why() {
    let hooks = HookHarness::start(EXTENSIONS, "[invite_only]\nguests = []").await;
    let hooks = hooks.expect("a right table");
    let note = Author::new(1).note("hello");
    let said = hooks.admit(&note, &stranger());
    assert_eq!(said, "blocked: ask for an invitation");
    hooks.host.shutdown().await;
}
