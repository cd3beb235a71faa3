//! What every extension should survive.

use super::ground::table;
use crate::QubeCoordination;
use trellis_relay::testing::Conformance;

#[tokio::test]
async fn q1_it_survives_what_every_extension_should() {
    let inner = |keys: &str| {
        table(keys)
            .replace("[extensions.qube_coordination]\n", "")
            .replace("[[extensions.qube_coordination.networks]]", "[[networks]]")
    };
    // The page listens to an answer that does not end, for which the kit would wait.
    let report = Conformance::of::<QubeCoordination>(&inner("dashboard = false"))
        .changed(&inner("dashboard = false\nmax_nodes = 20"))
        .run()
        .await;
    report.assert_passed();
}
