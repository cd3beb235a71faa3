//! The relay's own key: made at the first start, kept beside the data.
//!
//! With it the relay signs its own events; its public half is `self` in NIP-11.

use nostr::key::Keys;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

const FILE: &str = "relay.key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum RelayKeyError {
    /// The file holds something else.
    #[error(
        "{} does not hold a secret key (64 hex digits or nsec); restore it, or remove it and the relay gets a new \
         identity",
        .0.display()
    )]
    NoKey(PathBuf),
    /// The file is there and cannot be read.
    #[error("cannot read {}", file.display())]
    Read {
        /// The key's file.
        file: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// There is no file and none can be made.
    #[error("cannot write {}", file.display())]
    Write {
        /// The key's file.
        file: PathBuf,
        /// The system's word.
        source: io::Error,
    },
}

/// Reads the key in the data directory, or makes one that only the relay's user can read.
pub fn load_or_make(data: &Path) -> Result<Keys, RelayKeyError> {
    let file = data.join(FILE);
    match load(data)? {
        Some(keys) => Ok(keys),
        None => make(data, &file).map_err(|source| RelayKeyError::Write { file, source }),
    }
}

/// Reads the key in the data directory, if there is one.
pub fn load(data: &Path) -> Result<Option<Keys>, RelayKeyError> {
    let file = data.join(FILE);
    match fs::read_to_string(&file) {
        Ok(text) => match Keys::parse(text.trim()) {
            Ok(keys) => Ok(Some(keys)),
            Err(_) => Err(RelayKeyError::NoKey(file)),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RelayKeyError::Read { file, source }),
    }
}

fn make(data: &Path, path: &Path) -> io::Result<Keys> {
    fs::create_dir_all(data)?;
    let keys = Keys::generate();
    // Written aside and renamed: a half-written key would stop the next start.
    let aside = path.with_extension("key.new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&aside)?;
    file.write_all(keys.secret_key().to_secret_hex().as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    // Until the directory is on the disk, a crash may take the new name back, and the relay's identity with it.
    File::open(data)?.sync_all()?;
    Ok(keys)
}
