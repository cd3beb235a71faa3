//! What every extension should survive.

use crate::first::InviteOnly;

#[tokio::test]
async fn it_survives_what_every_extension_should() {
    trellis_relay::testing::conformance::<InviteOnly>("guests = []").await;
}
