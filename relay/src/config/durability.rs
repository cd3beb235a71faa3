//! Whether what the relay stores outlives the instance that stored it.
//!
//! Invariant: nobody loses a store without having said that it may be lost. Asked before a relay serves, not for every
//! command that reads a configuration.

use super::{Config, Loaded};
use std::path::PathBuf;

/// The relay would keep everything in files that are gone when its instance ends.
#[derive(Debug, thiserror::Error)]
#[error(
    "data.path: found {}, which is lost whenever this instance ends: K_SERVICE is set, and Cloud Run keeps no files. That is \
     every event, the relay's own key, and what extensions keep in files, SQLite's among them. Allowed: [backup] url, a \
     place to which all of it is carried and from which it comes back; data.allow_ephemeral = true \
     (TRELLIS_DATA__ALLOW_EPHEMERAL=true), where it may be lost; or a machine with a disk",
    path.display()
)]
pub struct Ephemeral {
    /// `data.path`
    pub path: PathBuf,
}

impl Loaded {
    /// Refuses to store where nothing lasts, unless something carries it away or the operator has said that it may be lost.
    ///
    /// ```
    /// use trellis_relay::config::{Environment, load};
    /// let on_cloud_run = [("K_SERVICE".to_owned(), "relay".to_owned())];
    /// let mut environment = Environment::from(on_cloud_run);
    /// assert!(load(None, &environment)?.check_durability().is_err());
    /// environment.insert("TRELLIS_DATA__ALLOW_EPHEMERAL".to_owned(), "true".to_owned());
    /// assert!(load(None, &environment)?.check_durability().is_ok());
    /// # Ok::<(), trellis_relay::config::ConfigError>(())
    /// ```
    pub fn check_durability(&self) -> Result<(), Ephemeral> {
        let config = &self.config;
        if !self.on_cloud_run || config.data.allow_ephemeral || survives(config) {
            return Ok(());
        }
        Err(Ephemeral {
            path: config.data.path.clone(),
        })
    }
}

/// Whether the store outlives the files of this instance.
fn survives(config: &Config) -> bool {
    config.backup.is_on()
}
