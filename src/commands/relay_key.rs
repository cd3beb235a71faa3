//! The relay's own key: made at the first start, kept beside the data.
//!
//! With it the relay signs its own events; its public half is `self` in NIP-11.

use anyhow::Context as _;
use nostr::key::Keys;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

const FILE: &str = "relay.key";

/// Reads the key, or makes one that only the relay's user can read.
pub(super) fn load_or_make(data: &Path) -> anyhow::Result<Keys> {
    let path = data.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Keys::parse(text.trim()).map_err(|_| {
            anyhow::anyhow!(
                "{} does not hold a secret key (64 hex digits or nsec); restore it, or remove it \
                 and the relay gets a new identity",
                path.display()
            )
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(data, &path).with_context(|| format!("cannot write {}", path.display()))
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn make(data: &Path, path: &Path) -> std::io::Result<Keys> {
    fs::create_dir_all(data)?;
    let keys = Keys::generate();
    // Written aside and renamed: a half-written key would stop the next start.
    let aside = path.with_extension("key.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&aside)?;
    file.write_all(keys.secret_key().to_secret_hex().as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    Ok(keys)
}
