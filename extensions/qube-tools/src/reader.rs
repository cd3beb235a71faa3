//! Arguments of commands that only look: as whom, where a relay tells nothing to strangers (NIP-42).
//!
//! Nobody is asked for a passphrase who has not named a key: looking works without one on most relays.

use crate::keyfile;
use crate::out::progress;
use crate::passphrase::Source;
use crate::settings::{Common, Settings, default_folder, misuse};
use nostr::key::Keys;
use std::path::PathBuf;

/// What every command knows, and a key to log in with.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Reader {
    #[command(flatten)]
    common: Common,
    /// The file with the secret key that logs in where a relay asks who it is. Without it `key_file` of the configuration, or
    /// ~/.config/trellis/qube.key, if that key needs no passphrase or --passphrase-file is given.
    #[arg(id = "key_file", short, long = "key", value_name = "FILE")]
    named: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Source,
}

impl Reader {
    /// Reads configuration and key.
    pub(crate) fn settle(&self) -> anyhow::Result<Settings> {
        let mut settings = self.common.settle()?;
        settings.reader = self.keys(&settings)?;
        Ok(settings)
    }

    fn keys(&self, settings: &Settings) -> anyhow::Result<Option<Keys>> {
        let configured = || settings.key_file.clone();
        let usual = || default_folder().map(|folder| folder.join("qube.key"));
        if let Some(file) = &self.named {
            return keyfile::read(file, &self.passphrase).map(Some);
        }
        if self.passphrase.is_named() {
            let file = configured().or_else(usual);
            let file = file.ok_or_else(|| misuse("no key: --key FILE"))?;
            return keyfile::read(&file, &self.passphrase).map(Some);
        }
        let file = configured().or_else(usual).filter(|file| file.exists());
        Ok(file.and_then(|file| {
            keyfile::read_plain(&file).unwrap_or_else(|problem| {
                progress(format_args!("nobody is logged in: {problem:#}"));
                None
            })
        }))
    }
}
