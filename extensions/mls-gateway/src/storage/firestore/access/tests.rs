//! How the relay gets its token.

#![allow(clippy::unwrap_used)]

use gcloud_sdk::{GCP_DEFAULT_SCOPES, Token, TokenSourceType};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

#[tokio::test]
async fn m28_firestore_gets_its_token_by_the_key_of_a_service_account() {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients");
    let google = Command::new("node")
        .arg(clients.join("google-account.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut google) = google else {
        eprintln!("SKIPPED: Google's tokens: needs Node.js");
        return;
    };
    let mut account = String::new();
    let mut said = BufReader::new(google.stdout.take().unwrap());
    said.read_line(&mut account).unwrap();

    let _ = rustls::crypto::ring::default_provider().install_default();
    trellis_jwt::install();
    let get = async |account: String| {
        let source = TokenSourceType::Json(account);
        Token::generate_for_scopes(source, GCP_DEFAULT_SCOPES.clone()).await
    };
    let token = get(account.clone()).await.unwrap();
    assert_eq!(token.header_value(), "Bearer given");
    let foreign = account.replace("relay@", "thief@");
    assert!(get(foreign).await.is_err(), "the other side looks at it");
    drop(google.stdin.take());
    google.wait().unwrap();
}
