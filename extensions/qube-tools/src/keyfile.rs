//! Secret keys in files: encrypted (NIP-49) or plain, readable by their owner alone.

use crate::Misuse;
use crate::passphrase::Source;
use anyhow::Context as _;
use nostr::key::{Keys, SecretKey};
use nostr::nips::nip19::{FromBech32 as _, ToBech32 as _};
use nostr::nips::nip49::{EncryptedSecretKey, KeySecurity};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use zeroize::Zeroizing;

/// How much work it is to try a passphrase: 2 to the power of this rounds of scrypt, 64 MiB.
const LOG_N: u8 = 16;
/// What an encrypted key begins with (NIP-49).
const ENCRYPTED: &str = "ncryptsec1";

/// Reads a key; a passphrase is asked for when it is encrypted.
pub(crate) fn read(file: &Path, passphrase: &Source) -> anyhow::Result<Keys> {
    let text = text(file)?;
    let text = text.trim();
    if text.starts_with(ENCRYPTED) {
        let encrypted = EncryptedSecretKey::from_bech32(text)
            .map_err(|_| Misuse(format!("{}: a damaged ncryptsec", file.display())))?;
        let secret = encrypted.decrypt(&passphrase.known()?);
        let secret =
            secret.map_err(|_| Misuse(format!("{}: the passphrase is another", file.display())))?;
        return Ok(Keys::new(secret));
    }
    plain(file, text)
}

/// Reads a key unless it is encrypted.
pub(crate) fn read_plain(file: &Path) -> anyhow::Result<Option<Keys>> {
    let text = text(file)?;
    let text = text.trim();
    match text.starts_with(ENCRYPTED) {
        true => Ok(None),
        false => plain(file, text).map(Some),
    }
}

fn text(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    check_mode(file)?;
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(Zeroizing::new(text))
}

fn plain(file: &Path, text: &str) -> anyhow::Result<Keys> {
    Keys::parse(text).map_err(|_| {
        let file = file.display();
        Misuse(format!(
            "{file}: no secret key: ncryptsec1..., nsec1... or 64 hex digits"
        ))
        .into()
    })
}

/// Writes a key encrypted with a passphrase, to a file that is not there yet.
pub(crate) fn write_encrypted(
    file: &Path,
    secret: &SecretKey,
    passphrase: &str,
) -> anyhow::Result<()> {
    let encrypted = EncryptedSecretKey::new(secret, passphrase, LOG_N, KeySecurity::Medium)
        .context("encrypting the key")?;
    write(file, &encrypted.to_bech32().context("encoding the key")?)
}

/// Writes a key as it is, to a file that is not there yet.
pub(crate) fn write_plain(file: &Path, secret: &SecretKey) -> anyhow::Result<()> {
    let text = Zeroizing::new(secret.to_bech32().context("encoding the key")?);
    write(file, &text)
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let mut open = File::options();
    let opened = open.write(true).create_new(true).mode(0o600).open(file);
    let mut opened = opened.with_context(|| format!("writing {}", file.display()))?;
    opened.write_all(text.as_bytes())?;
    opened.write_all(b"\n")?;
    opened.sync_all()?;
    Ok(())
}

/// Refuses a secret that others than its owner may read.
pub(crate) fn check_mode(file: &Path) -> anyhow::Result<()> {
    let metadata = fs::metadata(file).with_context(|| format!("reading {}", file.display()))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if metadata.is_file() && mode & 0o077 != 0 {
        let file = file.display();
        return Err(Misuse(format!(
            "{file}: others may read it (mode {mode:04o}); make it 0600: chmod 600 {file}"
        ))
        .into());
    }
    Ok(())
}
