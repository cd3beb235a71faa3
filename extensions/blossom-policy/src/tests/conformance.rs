//! What every extension should survive.

use crate::BlossomPolicy;
use trellis_relay::testing::Conformance;

#[tokio::test]
async fn b14_it_survives_what_every_extension_should() {
    let conformance = Conformance::of::<BlossomPolicy>("max_upload_bytes = '1MiB'");
    let conformance = conformance.changed("max_upload_bytes = '1MiB'\nmode = 'read_only'");
    conformance.run().await.assert_passed();
}
