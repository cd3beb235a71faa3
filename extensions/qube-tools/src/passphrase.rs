//! Passphrases: from a file, or typed where nobody sees them.

use crate::keyfile;
use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where a passphrase comes from.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Source {
    /// The first line of this file is the passphrase of the key; without it, it is asked for.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Source {
    /// The passphrase of a key that is there.
    pub(crate) fn known(&self) -> anyhow::Result<Zeroizing<String>> {
        match &self.passphrase_file {
            Some(file) => from_file(file),
            None => ask("Passphrase: "),
        }
    }

    /// A passphrase for a new key: typed twice.
    pub(crate) fn chosen(&self) -> anyhow::Result<Zeroizing<String>> {
        let passphrase = match &self.passphrase_file {
            Some(file) => from_file(file)?,
            None => {
                let typed = ask("New passphrase: ")?;
                if typed != ask("Once more: ")? {
                    bail!("the two passphrases differ");
                }
                typed
            }
        };
        if passphrase.is_empty() {
            bail!("an empty passphrase protects nothing; --plain writes a key without one");
        }
        Ok(passphrase)
    }
}

fn from_file(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    keyfile::check_mode(file)?;
    let text = Zeroizing::new(
        std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?,
    );
    Ok(Zeroizing::new(
        text.lines().next().unwrap_or_default().to_owned(),
    ))
}

/// Gives the terminal its echo back, whatever happens.
struct Silenced<'a> {
    terminal: &'a File,
    before: Termios,
}

impl Drop for Silenced<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

fn ask(question: &str) -> anyhow::Result<Zeroizing<String>> {
    let terminal = File::options().read(true).write(true).open("/dev/tty");
    let terminal = terminal
        .context("no terminal to ask for the passphrase on; --passphrase-file names a file")?;
    if !isatty(&terminal) {
        bail!("no terminal to ask for the passphrase on; --passphrase-file names a file");
    }
    let before = tcgetattr(&terminal)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
    let silenced = Silenced {
        terminal: &terminal,
        before,
    };
    let mut writer = &terminal;
    write!(writer, "{question}")?;
    writer.flush()?;
    let mut line = Zeroizing::new(String::new());
    BufReader::new(&terminal).read_line(&mut line)?;
    drop(silenced);
    writeln!(writer)?;
    Ok(Zeroizing::new(
        line.trim_end_matches(['\r', '\n']).to_owned(),
    ))
}
