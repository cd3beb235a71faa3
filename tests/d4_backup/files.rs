//! Files and blobs of extensions, by those of the media server.

use crate::ground::{Place, run, until_backed_up, until_snapshot};
use trellis_test_support::{Author, blob, wait};

#[tokio::test]
async fn d4_files_and_blobs_of_extensions_come_back() {
    let place = Place::directory();
    let table = "[extensions.blossom_policy]";
    let relay = place.relay(table).start().await;
    let author = Author::new();
    let bytes = b"%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj\ntrailer <<>>\n%%EOF\n".to_vec();
    let sha256 = blob::sha256(&bytes);
    let length = bytes.len() as u64;
    let address = relay.address();
    let begun = blob::Upload::begin(address, &author, &sha256, "application/pdf", length);
    let mut upload = begun.expect("an upload");
    upload.send(&bytes).expect("an upload");
    let (status, body) = upload.answer().expect("an answer");
    assert!((200..300).contains(&status), "{status} {body}");
    until_snapshot(&relay).await;
    // Blobs are looked for at a start, and then once in a snapshot interval.
    let setup = relay.kill();
    let relay = setup.start().await;
    wait::until("the blob to be listed", async || {
        let listed = place.files(".json").into_iter().any(|file| {
            let is_list = file.parent().is_some_and(|it| it.ends_with("blobs"));
            is_list && std::fs::read_to_string(file).is_ok_and(|text| text.contains(&sha256))
        });
        listed.then_some(())
    })
    .await;
    until_backed_up(&relay).await;
    let setup = relay.kill();
    let verified = run(&setup, &["verify"]).await;
    verified.assert_success();
    let relay = place.relay(table).start().await;
    let mut found = Vec::new();
    let status = blob::read(relay.address(), &sha256, |piece| {
        found.extend_from_slice(piece)
    });
    assert_eq!(status.expect("an answer"), 200);
    assert_eq!(found, bytes);
}
