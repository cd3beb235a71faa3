//! Buckets of S3 and of Google, by servers that `tests/run` starts: moto, and fake-gcs-server. Not by Amazon's and Google's
//! own: nobody here asks for credentials. fake-gcs-server does not know all of the interface by which the relay writes, its
//! XML, so that writing, its condition that there is nothing yet, parts and lists are translated by
//! `tests/clients/gcs-emulator.mjs`, which says how.

use crate::ground::{Place, assert_history, run, until_backed_up, until_snapshot, write_history};
use trellis_test_support::Setup;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d4_a_bucket_that_speaks_s3_serves_as_well() {
    let Ok(url) = std::env::var("TEST_S3_URL") else {
        eprintln!("TEST_S3_URL is not set: S3 is not tested");
        return;
    };
    let (endpoint, bucket) = url.rsplit_once('/').expect("a bucket");
    let environment = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
    ];
    assert_bucket_serves(&format!("s3://{bucket}"), &environment).await;
}

/// `TEST_GCS_URL` names a bucket of an emulator.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d4_a_bucket_of_google_serves_as_well() {
    let Ok(url) = std::env::var("TEST_GCS_URL") else {
        eprintln!("TEST_GCS_URL is not set: Google Cloud Storage is not tested");
        return;
    };
    let (endpoint, bucket) = url.rsplit_once('/').expect("a bucket");
    let environment = [("STORAGE_EMULATOR_HOST", endpoint)];
    assert_bucket_serves(&format!("gs://{bucket}"), &environment).await;
}

async fn assert_bucket_serves(bucket: &str, environment: &[(&str, &str)]) {
    let prefix = format!("backup-{}", std::process::id());
    let place = Place {
        url: format!("{bucket}/{}", trellis_test_support::author::unique(&prefix)),
        directory: None,
    };
    let relay = || {
        let setup = place.relay("");
        let with = |setup: Setup, (name, value): &(&str, &str)| setup.env(name, value);
        environment.iter().fold(setup, with)
    };
    let first = relay().start().await;
    until_snapshot(&first).await;
    let history = write_history(&first).await;
    until_backed_up(&first).await;
    // In order: for one that is killed the next one waits 90 seconds in a bucket.
    let (_, setup) = first.stop().await;
    run(&setup, &["list"]).await.assert_success();
    let verified = run(&setup, &["verify", "--signatures"]).await;
    verified.assert_success();
    let second = relay().start().await;
    assert_history(&second, &history).await;
    let (status, _) = second.stop().await;
    assert!(status.success());
    let third = relay().start().await;
    assert_history(&third, &history).await;
}
