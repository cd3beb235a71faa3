//! Who the relay is to Google: the client with its credentials, or without any for an emulator.
//!
//! Credentials are found as Google's own libraries find them: the file that `GOOGLE_APPLICATION_CREDENTIALS` names, that of
//! `gcloud auth application-default login`, the account of the machine. With `FIRESTORE_EMULATOR_HOST` nothing is secret
//! and nothing encrypted.

#[cfg(test)]
mod tests;

use super::failure::{Failure, Result};
use async_trait::async_trait;
use firestore::{FirestoreDb, FirestoreDbOptions};
use gcloud_sdk::prost_types::Timestamp;
use gcloud_sdk::{GCP_DEFAULT_SCOPES, SecretValue, Source, Token, TokenSourceType};

/// Connects to the default database of a project, or of an emulator (`host:port`).
pub(super) async fn client(project_id: &str, emulator: Option<&str>) -> Result<FirestoreDb> {
    // The crates for HTTPS and for tokens leave it to the program which cryptography to use, and panic without.
    let _ = rustls::crypto::ring::default_provider().install_default();
    trellis_jwt::install();
    let mut options = FirestoreDbOptions::new(project_id.to_owned());
    let source = match emulator {
        Some(host) => {
            tracing::warn!("Firestore's emulator is used, which keeps nothing and has no secrets");
            options.firebase_api_url = Some(format!("http://{host}"));
            TokenSourceType::ExternalSource(Box::new(Nobody))
        }
        None => {
            options.firebase_api_url = Some("https://firestore.googleapis.com".to_owned());
            TokenSourceType::Default
        }
    };
    let scopes = GCP_DEFAULT_SCOPES.clone();
    let client = FirestoreDb::with_options_token_source(options, scopes, source).await;
    client.map_err(Failure::from)
}

/// The credentials of whoever asks an emulator.
struct Nobody;

/// The last second of the year 9999.
const FOR_EVER_S: i64 = 253_402_300_799;

#[async_trait]
impl Source for Nobody {
    async fn token(&self) -> gcloud_sdk::error::Result<Token> {
        let end = Timestamp {
            seconds: FOR_EVER_S,
            nanos: 0,
        };
        let end = firestore::timestamp_utils::from_timestamp(end)
            .map_err(|_| gcloud_sdk::error::ErrorKind::TokenData)?;
        // What emulators take for somebody whom no rules bind.
        Ok(Token::new(
            "Bearer".to_owned(),
            SecretValue::from("owner"),
            end,
        ))
    }
}
