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
    for (hook, found) in [
        ("admit", "hooks to fault: admit"),
        ("admit_async", "hooks to fault: admit_async"),
        ("commit", "hooks to fault: commit"),
        ("guard_removal", "hooks to fault: guard_removal"),
        ("stored", "hooks to fault: stored"),
        ("deliver", "hooks to fault: deliver"),
        ("deliver_many", "hooks to fault: deliver"),
        ("request", "hooks to fault: request"),
        ("request_async", "hooks to fault: request_async"),
        ("session", "hooks to fault: session"),
        (
            "nip11",
            "the information document brought its hooks to fault: nip11",
        ),
        ("start", "its task failed"),
    ] {
        for action in ["panic", "error"] {
            let table = format!("{HOOKS}always = {{ {hook} = '{action}' }}");
            let report = Conformance::of::<Probe>(&table).run().await;
            let mut problems = report.problems().iter();
            let is_found = problems.any(|it| it.found.contains(found));
            assert!(is_found, "{hook} {action}: {report}");
        }
    }
}

#[tokio::test]
async fn e10_what_operators_call_is_found_out() {
    for (target, action) in [
        ("rpc probe", "panic"),
        ("rpc probe", "hang"),
        ("command probe-do", "panic"),
    ] {
        let (hook, _) = target.split_once(' ').unwrap_or_default();
        let table = format!("timeout_ms = 300\n{HOOKS}always = {{ {hook} = '{action}' }}");
        let report = Conformance::of::<Probe>(&table).run().await;
        let found = format!("its {target} is at fault");
        let mut problems = report.problems().iter();
        assert!(
            problems.any(|it| it.found.contains(&found)),
            "{target} {action}: {report}"
        );
    }
}
