//! What every extension should survive.

use super::ground::{KEY, SECRET};
use super::livekit_double::LiveKitDouble;
use crate::LivekitToken;
use trellis_relay::testing::Conformance;

#[tokio::test]
async fn l15_it_survives_what_every_extension_should() {
    let livekit = LiveKitDouble::start();
    let table = format!(
        "livekit_url = 'ws://{}'\nlivekit_api_key = '{KEY}'\nlivekit_api_secret = '{SECRET}'",
        livekit.address
    );
    let changed = format!("{table}\nmaintenance = true");
    let conformance = Conformance::of::<LivekitToken>(&table).changed(&changed);
    conformance.run().await.assert_passed();
}
