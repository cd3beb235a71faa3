//! `trellis qube keygen`

use crate::keyfile;
use crate::out::{json, line};
use crate::passphrase::Source;
use crate::settings::{default_folder, misuse};
use anyhow::Context as _;
use nostr::key::Keys;
use nostr::nips::nip19::ToBech32 as _;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct Keygen {
    /// The file to write, which must not be there. Default: ~/.config/trellis/qube.key.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the key without a passphrase, for a service: whoever reads the file has the key.
    #[arg(long, conflicts_with = "passphrase_file")]
    plain: bool,
    #[command(flatten)]
    passphrase: Source,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Keygen {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let file = self
            .out
            .or_else(|| default_folder().map(|folder| folder.join("qube.key")));
        let file = file.ok_or_else(|| misuse("no place for the key: --out FILE"))?;
        if file.exists() {
            return Err(misuse(format!(
                "{}: is there already; a key is not overwritten",
                file.display()
            )));
        }
        let keys = Keys::generate();
        match self.plain {
            true => keyfile::write_plain(&file, keys.secret_key())?,
            false => {
                keyfile::write_encrypted(&file, keys.secret_key(), &self.passphrase.chosen()?)?
            }
        }
        let npub = keys
            .public_key()
            .to_bech32()
            .context("encoding the public key")?;
        let hex = keys.public_key().to_hex();
        if self.json {
            return json(&serde_json::json!({"file": file, "npub": npub, "pubkey": hex}));
        }
        line(format_args!("file    {}", file.display()))?;
        line(format_args!("npub    {npub}"))?;
        line(format_args!("pubkey  {hex}"))
    }
}
