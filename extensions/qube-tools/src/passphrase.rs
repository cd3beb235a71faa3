//! Passphrases: from a file, or typed where nobody sees them.

use crate::keyfile;
use anyhow::{Context as _, bail};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcsetattr,
};
use std::fs::File;
use std::io::{Read, Write as _};
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
    /// Whether there is a file, so that nobody is asked.
    pub(crate) fn is_named(&self) -> bool {
        self.passphrase_file.is_some()
    }

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

/// Gives the terminal its echo back when it goes.
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
    // Ctrl-C and Ctrl-\ end the line as a letter, not the process: it has the echo to give back.
    silent
        .local_modes
        .remove(LocalModes::ECHO | LocalModes::ISIG);
    let interrupt = before.special_codes[SpecialCodeIndex::VINTR];
    let quit = before.special_codes[SpecialCodeIndex::VQUIT];
    silent.special_codes[SpecialCodeIndex::VEOL] = interrupt;
    silent.special_codes[SpecialCodeIndex::VEOL2] = quit;
    let silenced = Silenced {
        terminal: &terminal,
        before,
    };
    tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
    let mut writer = &terminal;
    write!(writer, "{question}")?;
    writer.flush()?;
    let line = read_line(&terminal, [interrupt, quit])?;
    drop(silenced);
    writeln!(writer)?;
    let line = line.context("interrupted: no passphrase")?;
    let text = std::str::from_utf8(&line).context("the passphrase is not UTF-8")?;
    Ok(Zeroizing::new(
        text.trim_end_matches(['\r', '\n']).to_owned(),
    ))
}

/// A line as it was typed; none where one of these letters that are not 0 ended it.
fn read_line(mut from: impl Read, ends: [u8; 2]) -> std::io::Result<Option<Zeroizing<Vec<u8>>>> {
    // No longer than a terminal's line, so that it never grows and leaves a copy behind.
    let mut line = Zeroizing::new(Vec::with_capacity(4_096));
    let mut byte = Zeroizing::new([0]);
    while line.len() < line.capacity() && from.read(&mut byte[..])? > 0 {
        match byte[0] {
            b'\n' => break,
            typed if typed != 0 && ends.contains(&typed) => return Ok(None),
            typed => line.push(typed),
        }
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t1_a_passphrase_is_a_line_and_an_interruption_is_none() {
        let ends = [3, 0];
        let typed = |bytes: &[u8]| read_line(bytes, ends).expect("read");
        let line = |bytes: &[u8]| typed(bytes).map(|line| line.to_vec());
        assert_eq!(line(b"se cret\nmore"), Some(b"se cret".to_vec()));
        assert_eq!(line(b"sec\0ret\n"), Some(b"sec\0ret".to_vec()));
        assert_eq!(line(b""), Some(Vec::new()));
        assert_eq!(line(b"secr\x03et\n"), None);
    }
}
