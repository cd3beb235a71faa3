//! Looks into the file without writing to it, to its log of writes neither.
//!
//! Invariant: no file beside it becomes another user's, which the relay could not open then. Not here: whether all of it is
//! sound, which takes as long as reading it.

use super::super::Result;
use super::super::examination::Standing;
use super::super::failure::connecting;
use rustix::process::geteuid;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;
use trellis_relay::config::Secret;

/// For how long the lock of a running relay is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn look(url: &Secret) -> Result<Standing> {
    let options = SqliteConnectOptions::from_str(url.reveal()).map_err(connecting)?;
    let file = options.get_filename();
    let metadata = match fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Standing::NotYet),
        // In a directory that only its user enters; whether it is there cannot be seen.
        Err(_) => return Ok(Standing::OfAnother),
    };
    if metadata.uid() != geteuid().as_raw() {
        return Ok(Standing::OfAnother);
    }
    if File::options().write(true).open(file).is_err() {
        return Ok(Standing::ReadOnly);
    }
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let options = options
        .create_if_missing(false)
        // Who may write folds the log of a stopped relay into the file when closing it; who may not leaves a new log behind
        // where there was none.
        .read_only(Path::new(&log).exists())
        .busy_timeout(PATIENCE)
        .pragma("query_only", "true")
        .disable_statement_logging();
    let read = async {
        let mut connection = SqliteConnection::connect_with(&options).await?;
        sqlx::query("SELECT count(*) FROM sqlite_schema")
            .execute(&mut connection)
            .await?;
        connection.close().await
    };
    read.await.map_err(connecting)?;
    Ok(Standing::Good)
}
