//! E2: what a client may ask.

use crate::support::*;
use std::sync::Arc;
use trellis_relay::extension::*;
use trellis_relay::filter::Filter;

fn asking_for(kinds: Option<&[u16]>) -> Filter {
    Filter {
        kinds: kinds.map(<[u16]>::to_vec),
        limit: Some(0),
        ..Filter::default()
    }
}

#[tokio::test]
async fn e2_request_narrows_lists_of_kinds_for_every_verb() {
    let relay = start(GATE).await;
    let hooks = relay.hooks();
    for verb in [Verb::Req, Verb::Count, Verb::Neg] {
        let narrowed = hooks.request(&stranger(), verb, asking_for(Some(&[1, 445])));
        assert_eq!(narrowed.unwrap().filter.kinds, Some(vec![1]), "{verb:?}");
        let closed = hooks.request(&stranger(), verb, asking_for(Some(&[445, 450])));
        assert_eq!(closed.unwrap_err().to_string(), "auth-required: log in");
        let whole = hooks.request(&member(), verb, asking_for(Some(&[445])));
        assert_eq!(whole.unwrap().filter.kinds, Some(vec![445]));
    }
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e2_a_filter_without_kinds_is_narrowed_by_exclusion() {
    let relay = start(GATE).await;
    let narrowed = relay
        .hooks()
        .request(&stranger(), Verb::Req, asking_for(None));
    let narrowed = narrowed.unwrap();
    assert_eq!(narrowed.filter.kinds, None);
    assert_eq!(narrowed.excluded, Kinds::from([445, 450]));
    assert!(narrowed.matches(&event(446, "x")));
    assert!(!narrowed.matches(&event(445, "x")));
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e2_request_async_comes_first_and_may_close() {
    let relay = start(&format!("{GATE}timeout_ms = 1000")).await;
    let hooks = relay.hooks();
    let ask = |verb, kind| {
        hooks.request_async(AccessRequest {
            request_id: 1,
            viewer: Arc::new(stranger()),
            verb,
            is_again: false,
            filter: Arc::new(asking_for(Some(&[kind]))),
        })
    };
    assert!(hooks.wants_request_async(&asking_for(Some(&[460]))));
    assert!(!hooks.wants_request_async(&asking_for(Some(&[461]))));
    assert_eq!(ask(Verb::Req, 460).await, Access::Allow);
    let Access::Close(reason) = ask(Verb::Count, 460).await else {
        panic!("open");
    };
    assert_eq!(reason.to_string(), "restricted: no counting");
    let Access::Close(reason) = ask(Verb::Neg, 460).await else {
        panic!("open");
    };
    assert_eq!(reason.to_string(), INTERNAL);
    assert_eq!(ask(Verb::Neg, 461).await, Access::Allow, "not asked");
    relay.host.shutdown().await;
}
