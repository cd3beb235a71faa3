//! Asks the server whether it is there, lets the gateway in, and takes writes.

use super::super::Result;
use super::super::error::StorageError;
use super::super::examination::Standing;
use super::super::failure::connecting;
use super::address;
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions, Connection};
use std::time::Duration;
use trellis_relay::config::Secret;

/// For how long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn look(url: &Secret) -> Result<Standing> {
    let options = address::options(url).map_err(connecting)?;
    let options = options.disable_statement_logging();
    let asking = async {
        let mut connection = PgConnection::connect_with(&options).await?;
        let asked = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'";
        let only_reads = sqlx::query_scalar(asked).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok::<bool, sqlx::Error>(only_reads)
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(true)) => Ok(Standing::ReadOnly),
        Ok(Ok(false)) => Ok(Standing::Good),
        Ok(Err(error)) => Err(connecting(error)),
        Err(_) => Err(StorageError::Connect("no answer in time".to_owned())),
    }
}
