//! The server with its blobs in a real object store, whose bucket the environment's `TEST_S3_URL` names.

use super::ground::{assert_refused, hash, pdf, relay, token, upload};
use trellis_relay::testing::Author;

#[tokio::test]
async fn b16_with_s3_blobs_come_and_go_as_with_a_disk() {
    let Ok(url) = std::env::var("TEST_S3_URL") else {
        eprintln!("SKIPPED: S3: no server in TEST_S3_URL, tests/run starts one");
        return;
    };
    let (endpoint, bucket) = url.rsplit_once('/').unwrap();
    let prefix = format!("{:016x}", rand::random::<u64>());
    let relay = relay(&format!(
        "backend = 's3'\nmax_upload_bytes = '32MiB'\ns3.endpoint = '{endpoint}'\ns3.bucket = '{bucket}'\n\
         s3.prefix = '{prefix}'\ns3.access_key_id = 'test'\ns3.secret_access_key = 'secret'"
    ))
    .await;
    let alice = Author::new(1);
    let mut long = pdf(1);
    long.resize(20 << 20, b' ');
    for bytes in [pdf(2), long] {
        let stored = upload(&relay, &alice, "application/pdf", &bytes).await;
        assert_eq!(stored.status, 201, "{}", stored.text());
        let again = upload(&relay, &alice, "application/pdf", &bytes).await;
        assert_eq!(again.status, 200, "{}", again.text());
        let path = format!("/{}", hash(&bytes));
        let whole = relay.get(&path).await;
        assert_eq!(whole.status, 200);
        assert!(whole.body == bytes);
        let part = relay.get(&path).header("Range", "bytes=20-50").await;
        assert_eq!(part.status, 206);
        assert!(part.body == bytes[20..51]);
        let delete = token(&alice, "delete", &[hash(&bytes)]);
        let gone = relay.delete(&path).header("Authorization", &delete).await;
        assert_eq!(gone.status, 204, "{}", gone.text());
        assert_refused(&relay.get(&path).await, 404, "no such blob");
    }
}
