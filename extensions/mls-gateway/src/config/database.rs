//! Where the gateway's own data are, by the table or the environment.

use super::Config;
use super::settings::Database;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::Path;
use trellis_relay::config::Secret;

/// `storage_backend`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Backend {
    /// A file of this machine.
    #[default]
    Sqlite,
    /// A PostgreSQL server, which several instances may share.
    #[serde(alias = "cloudsql")]
    Postgres,
    /// Google's Firestore, which several instances may share.
    Firestore,
}

impl Config {
    /// The database that table, environment and data directory come to.
    pub(super) fn database(
        &self,
        environment: &impl Fn(&str) -> Option<String>,
        data_dir: &Path,
    ) -> Result<Database, String> {
        let from_environment = || environment("AUX_DB_URL").map(|url| Secret::from(url.as_str()));
        let url = self.database_url.clone().or_else(from_environment);
        let is =
            |url: &Secret, schemes: &[&str]| schemes.iter().any(|it| url.reveal().starts_with(it));
        match (self.storage_backend, url) {
            (Backend::Sqlite, None) => {
                let path = data_dir.join("mls_auxiliary.db");
                // In a URL these two mean something.
                let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3F");
                let url = format!("sqlite://{path}");
                Ok(Database::Sqlite { url: url.as_str().into() })
            }
            (Backend::Sqlite, Some(url)) if is(&url, &["sqlite:"]) => Ok(Database::Sqlite { url }),
            (Backend::Sqlite, Some(_)) => Err(
                "database_url: found another scheme, wanted sqlite:... since storage_backend is \"sqlite\"".to_owned(),
            ),
            (Backend::Postgres, Some(url)) if is(&url, &["postgres:", "postgresql:"]) => {
                Ok(Database::Postgres { url })
            }
            (Backend::Postgres, _) => Err(
                "database_url: wanted postgresql://user:password@host/database, here or in AUX_DB_URL, since \
                 storage_backend is \"postgres\""
                    .to_owned(),
            ),
            (Backend::Firestore, _) => {
                let project_id = self.project_id.clone().or_else(|| environment("GOOGLE_CLOUD_PROJECT"));
                Ok(Database::Firestore {
                    project_id: project_id
                        .filter(|it| !it.is_empty())
                        .ok_or("project_id required for Firestore backend")?,
                    batch_size: self.firestore_batch_size.unwrap_or(500),
                })
            }
        }
    }
}
