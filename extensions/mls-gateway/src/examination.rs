//! What an operator should know before members come (`trellis doctor`): whether the gateway's database can be used.
//!
//! Invariant: no address and no word of a server's is told.

use crate::config::{Config, Database};
use crate::storage::examination::{Standing, look};
use trellis_relay::extension::prelude::*;

pub(crate) async fn examine(config: Config, at: Examination) -> Findings {
    const CHECK: &str = "database";
    let mut found = Findings::default();
    let settings = match config.settle(|name| std::env::var(name).ok(), at.data_dir()) {
        Ok(settings) => settings,
        Err(problem) => {
            found.fail("configuration", problem, "mend [extensions.mls_gateway]");
            return found;
        }
    };
    let (kind, key) = match &settings.database {
        Database::Sqlite { .. } => ("SQLite", "database_url"),
        Database::Postgres { .. } => ("PostgreSQL", "database_url"),
        Database::Firestore { .. } => ("Firestore", "project_id"),
    };
    match look(&settings).await {
        Ok(Standing::Good) => found.ok(CHECK, format!("{kind} answers")),
        Ok(Standing::NotYet) => found.ok(
            CHECK,
            format!("{kind}: there is none yet; it is made at the first start"),
        ),
        Ok(Standing::ReadOnly) => {
            let advice = format!("have {key} name one that takes writes");
            found.fail(CHECK, format!("{kind} is there, and only reads"), advice);
        }
        Ok(Standing::OfAnother) => {
            let advice = "run trellis doctor as the user that the relay runs as";
            found.warn(
                CHECK,
                format!("{kind}: the file is another user's, or in another user's directory, so it was not opened"),
                advice,
            );
        }
        Err(error) => {
            let advice = format!("start it, let the relay in, or mend {key}");
            found.fail(CHECK, format!("{kind}: {error}"), advice);
        }
    }
    found
}
