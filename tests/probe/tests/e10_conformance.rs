//! E10: an extension with every hook there is passes the conformance kit while nobody asks it to misbehave, and is found
//! out when it does.

use probe::Probe;
use trellis_relay::testing::{Conformance, conformance};

const HOOKS: &str = "hooks = ['admit', 'admit_async', 'commit', 'guard_removal', 'stored', 'deliver', 'deliver_many', \
    'request', 'request_async', 'session', 'nip11', 'rpc', 'command', 'start']\n\
    kinds = [1, 10002, 20001, [7000, 7100], 30023]\n";

#[tokio::test]
async fn e10_every_hook_is_called_and_passes() {
    let report = conformance::<Probe>(HOOKS).await;
    for hook in [
        "admit",
        "admit_async",
        "commit",
        "guard_removal",
        "deliver",
        "request",
    ] {
        let text = report.to_string();
        assert!(text.contains(&format!("{hook} ")), "{text}");
    }
    let never = report
        .advice()
        .iter()
        .find(|it| it.contains("never came to"));
    assert_eq!(never, None, "{report}");
}

#[tokio::test]
async fn e10_every_hook_that_fails_is_found_out() {
    for hook in [
        "admit",
        "admit_async",
        "commit",
        "deliver",
        "request",
        "request_async",
    ] {
        for action in ["panic", "error"] {
            let table = format!("{HOOKS}always = {{ {hook} = '{action}' }}");
            let report = Conformance::of::<Probe>(&table).run().await;
            let mut problems = report.problems().iter();
            let is_found = problems.any(|it| it.found.contains("brought its hooks to fault"));
            assert!(is_found, "{hook} {action}: {report}");
        }
    }
}
