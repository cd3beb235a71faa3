//! E8: hooks of one extension that would look alike are told apart by their labels.

use trellis_relay::extension::prelude::*;
use trellis_relay::testing::TestRelay;

/// Refuses the words of several lists, with a hook for each.
struct Lists;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Extension for Lists {
    const NAME: &'static str = "lists";
    type Config = Nothing;

    async fn build(_: Nothing, _host: Host) -> Result<Self, BuildError> {
        Ok(Lists)
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        for list in ["spam", "scams\r\n", &"x".repeat(1_000)] {
            hooks
                .label(list)
                .admit(1, |_me, _event, _viewer| Ok(Admit::Accept));
        }
        hooks
            .label("")
            .admit(1, |_me, _event, _viewer| Ok(Admit::Accept))
            .label("noted")
            .session(|_me, _note, _viewer| Ok(()));
    }
}

#[tokio::test]
async fn e8_hooks_are_told_apart_by_their_labels() {
    let relay = TestRelay::of::<Lists>().start().await;
    let hooks = relay.hooks();
    let about: Vec<String> = hooks.iter().map(|hook| hook.about()).collect();
    let long = format!("kinds 1 ({})", "x".repeat(64));
    let wanted = [
        "kinds 1 (spam)",
        "kinds 1 (scams  )",
        &long,
        "kinds 1",
        "(noted)",
    ];
    assert_eq!(about, wanted);
    assert!(
        hooks[0]
            .to_string()
            .ends_with("admit         kinds 1 (spam)")
    );
    relay.stop().await;
}
