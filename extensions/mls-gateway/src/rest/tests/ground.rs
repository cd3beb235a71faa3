//! A relay with the gateway, and a second hold of its database, through which tests put there what other parts write.

use crate::storage::{self, Storage};
use crate::{Config, MlsGateway};
use std::sync::Arc;
use tempfile::TempDir;
use trellis_relay::testing::{Author, Response, Setup, TestRelay, Value};

/// The service's.
pub(super) const TOKEN: &str = "hR3kq0ZbT1mYw8vXo5Nc7LdJf2GsPa4E";

pub(super) struct Ground {
    pub(super) relay: TestRelay,
    pub(super) storage: Arc<dyn Storage>,
    _directory: TempDir,
}

/// Who sends a request.
#[derive(Clone, Copy)]
pub(super) enum As<'a> {
    Nobody,
    Key(&'a Author),
    Service,
}

impl Ground {
    /// With these lines in the gateway's table, and a service.
    pub(super) async fn start(table: &str) -> Self {
        Self::start_with(TestRelay::of::<MlsGateway>(), table).await
    }

    /// The same with more of the relay's configuration.
    pub(super) async fn start_beside(table: &str, more: &str) -> Self {
        Self::start_with(TestRelay::of::<MlsGateway>().config(more), table).await
    }

    /// The same with a clock that begins at this time.
    pub(super) async fn start_at(starts_at_s: u64, table: &str) -> Self {
        let setup = TestRelay::of::<MlsGateway>().starts_at_s(starts_at_s);
        Self::start_with(setup, table).await
    }

    /// The same on a relay with more than the gateway.
    pub(super) async fn start_with(setup: Setup, table: &str) -> Self {
        let directory = TempDir::with_prefix("trellis-mls-").unwrap();
        let file = directory.path().join("mls.db");
        let table = format!(
            "database_url = 'sqlite://{}'\nservice_tokens.backend = '{TOKEN}'\n{table}\n",
            file.display()
        );
        let written: Config = toml::from_str(&table).unwrap();
        let settings = written.settle(|_| None, directory.path()).unwrap();
        let setup = setup.config(&format!("[extensions.mls_gateway]\n{table}"));
        Ground {
            relay: setup.start().await,
            storage: storage::open(&settings).await.unwrap(),
            _directory: directory,
        }
    }

    /// A GET below the prefix.
    pub(super) async fn get(&self, path: &str, who: As<'_>) -> Response {
        self.ask("GET", path, who, None).await
    }

    /// A POST of JSON below the prefix.
    pub(super) async fn post(&self, path: &str, who: As<'_>, body: Value) -> Response {
        self.ask("POST", path, who, Some(body)).await
    }

    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        who: As<'_>,
        body: Option<Value>,
    ) -> Response {
        let mut call = self.relay.request(method, &format!("/api/v1/mls{path}"));
        if let Some(body) = &body {
            call = call.json(body);
        }
        match who {
            As::Nobody => call.await,
            As::Key(author) => call.nip98(author).await,
            As::Service => {
                call.header("Authorization", &format!("Bearer {TOKEN}"))
                    .await
            }
        }
    }
}

/// The answer's JSON, if its status is this.
#[track_caller]
pub(super) fn expect(response: Response, status: u16) -> Value {
    let text = response.text();
    assert_eq!(response.status, status, "{text}");
    let json: Value = response.json();
    if status >= 400 {
        assert_eq!(json["code"], status, "{text}");
        assert!(json["error"].is_string(), "{text}");
    }
    json
}

pub(super) fn hex(author: &Author) -> String {
    author.pubkey().to_hex()
}
