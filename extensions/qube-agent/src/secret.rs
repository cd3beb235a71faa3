//! The node's secret key, from a file that nobody else may read.

use nostr::key::Keys;
use serde::Deserialize;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Why there is no key. Never with what the file holds.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// It cannot be read.
    #[error("{}: {source}", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others could read it.
    #[error(
        "{}: its mode is {mode:04o}: others than its owner may read the secret key; allowed are 0600 and 0400 (chmod 600)",
        file.display()
    )]
    Mode {
        /// Which.
        file: PathBuf,
        /// What it has.
        mode: u32,
    },
    /// Something else is in it.
    #[error("{}: no secret key; allowed are nsec1..., 64 hex digits, or the keys.json of the Go client", file.display())]
    Content {
        /// Which.
        file: PathBuf,
    },
}

/// `keys.json` of the Go client.
#[derive(Deserialize)]
struct GoKeys {
    nsec: String,
}

/// Reads the key after a look at who else may.
pub(crate) fn load(file: &Path) -> Result<Keys, KeyError> {
    let read = |source| KeyError::Read {
        file: file.to_owned(),
        source,
    };
    let mode = std::fs::metadata(file).map_err(read)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        let file = file.to_owned();
        return Err(KeyError::Mode { file, mode });
    }
    let text = std::fs::read_to_string(file).map_err(read)?;
    parse(&text).ok_or_else(|| KeyError::Content {
        file: file.to_owned(),
    })
}

/// A key in one of the three ways to write it.
pub(crate) fn parse(text: &str) -> Option<Keys> {
    let text = text.trim();
    let go: Option<GoKeys> = serde_json::from_str(text).ok();
    let secret = go.as_ref().map_or(text, |keys| keys.nsec.as_str());
    Keys::parse(secret).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nostr::nips::nip19::ToBech32 as _;
    use std::fs;

    #[test]
    fn a8_a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        let keys = Keys::generate();
        let nsec = keys.secret_key().to_bech32().expect("an nsec");
        for text in [
            nsec.clone(),
            format!("{}\n", keys.secret_key().to_secret_hex()),
            format!(r#"{{"nsec": "{nsec}", "npub": "npub1"}}"#),
        ] {
            fs::write(&file, text).expect("written");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("a mode");
            let error = load(&file).expect_err("refused").to_string();
            assert!(error.contains("0640") && error.contains("chmod"), "{error}");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode");
            assert_eq!(load(&file).expect("a key").public_key(), keys.public_key());
        }
        fs::write(&file, "secret words").expect("written");
        let error = load(&file).expect_err("refused").to_string();
        assert!(!error.contains("secret words"), "{error}");
    }
}
