//! Clients for buckets, with credentials by the names that the vendors' own tools use.

use super::bucket::PATIENCE;
use crate::config::Place;
use object_store::aws::AmazonS3Builder;
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig, StaticCredentialProvider};
use std::sync::Arc;
use std::time::Duration;

/// Variables of the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`,
/// `GOOGLE_APPLICATION_CREDENTIALS`, ...). An empty one counts as none: Compose passes those on that nobody has set.
pub(super) fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// A client for what is in a bucket below the place's prefix.
pub(super) fn open(
    place: Place<'_>,
    environment: &[(String, String)],
) -> Result<Arc<dyn ObjectStore>, Box<dyn std::error::Error + Send + Sync>> {
    // The HTTP client takes the provider of the process; an extension may have set the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match place {
        Place::Directory(_) => Err("it is no bucket".into()),
        Place::S3(bucket, prefix) => {
            let store = amazon(bucket, environment)?;
            Ok(Arc::new(PrefixStore::new(store, prefix)))
        }
        Place::Google(bucket, prefix) => {
            let store = google(bucket, environment)?;
            Ok(Arc::new(PrefixStore::new(store, prefix)))
        }
    }
}

fn amazon(
    bucket: &str,
    environment: &[(String, String)],
) -> object_store::Result<impl ObjectStore + use<>> {
    let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
        .into_iter()
        .find_map(|name| variable(environment, name));
    let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    let mut builder = AmazonS3Builder::new();
    for (name, value) in variables(environment, "AWS_") {
        // A name that is not known is another tool's.
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    builder
        .with_bucket_name(bucket)
        .with_client_options(client(is_plain))
        .with_retry(retry())
        .build()
}

fn google(
    bucket: &str,
    environment: &[(String, String)],
) -> object_store::Result<impl ObjectStore + use<>> {
    let emulator = variable(environment, "STORAGE_EMULATOR_HOST");
    let mut builder = GoogleCloudStorageBuilder::new();
    for (name, value) in variables(environment, "GOOGLE_") {
        // Likewise.
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(address) = emulator {
        let base = match address.contains("://") {
            true => address.to_owned(),
            false => format!("http://{address}"),
        };
        // What Google's own tools do with an emulator: nobody is asked for credentials, the machine's neither.
        let nobody = GcpCredential {
            bearer: "emulator".to_owned(),
        };
        builder = builder
            .with_base_url(base.trim_end_matches('/'))
            .with_credentials(Arc::new(StaticCredentialProvider::new(nobody)));
    }
    builder
        .with_bucket_name(bucket)
        .with_client_options(client(emulator.is_some()))
        .with_retry(retry())
        .build()
}

fn client(is_plain: bool) -> ClientOptions {
    ClientOptions::new()
        .with_connect_timeout(Duration::from_secs(5))
        .with_timeout(PATIENCE / 2)
        .with_allow_http(is_plain)
}

fn retry() -> RetryConfig {
    RetryConfig {
        max_retries: 2,
        retry_timeout: PATIENCE / 2,
        ..RetryConfig::default()
    }
}

fn variables<'e>(
    environment: &'e [(String, String)],
    prefix: &'static str,
) -> impl Iterator<Item = &'e (String, String)> {
    let all = environment.iter();
    all.filter(move |(name, _)| name.starts_with(prefix))
}

fn variable<'e>(environment: &'e [(String, String)], wanted: &str) -> Option<&'e str> {
    let mut all = environment.iter();
    all.find_map(|(name, value)| (name == wanted).then_some(value.as_str()))
}
