//! `mls export`: groups and mailboxes as JSON lines, which `mls import` reads.
//!
//! A file appears under its name once it is whole, and only its owner may read it, since letters are in it.

use super::lines::{GroupLine, write_letter};
use super::words::Words;
use super::{PAGE_ROWS, in_full};
use crate::MlsGateway;
use crate::roster::Roster;
use crate::storage::{LetterBox, Page};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Letters of one page, of which each may have a mebibyte.
const PAGE_LETTERS: usize = 16;

/// Writes the files that are named; one of them may be `-`, which is what is printed.
pub(super) async fn run(me: &MlsGateway, mut words: Words) -> Result<String, String> {
    let groups = words.value("--groups")?;
    let mailboxes = words.value("--mailboxes")?;
    words.end()?;
    if groups.is_none() && mailboxes.is_none() {
        return Err("mls export wants --groups FILE, --mailboxes FILE, or both".to_owned());
    }
    if groups == mailboxes {
        return Err("groups and mailboxes cannot go to the same file".to_owned());
    }
    let mut printed = String::new();
    if let Some(path) = groups {
        let mut output = Output::open(&path)?;
        let lines = export_groups(me, &mut output).await?;
        printed.push_str(&output.finish(lines)?);
    }
    if let Some(path) = mailboxes {
        let mut output = Output::open(&path)?;
        let mut lines = 0;
        for letter_box in [LetterBox::KeyPackages, LetterBox::Welcomes] {
            lines += export_letters(me, letter_box, &mut output).await?;
        }
        printed.push_str(&output.finish(lines)?);
    }
    Ok(printed)
}

async fn export_groups(me: &MlsGateway, output: &mut Output) -> Result<u64, String> {
    let (mut after, mut lines) = (None::<String>, 0);
    loop {
        let page = Page {
            after: after.as_deref(),
            max: PAGE_ROWS,
        };
        let groups = me.storage.groups(None, page).await;
        let groups = groups.map_err(|error| in_full(&error))?;
        let ids: Vec<String> = groups.iter().map(|group| group.group_id.clone()).collect();
        let Some(last) = ids.last().cloned() else {
            return Ok(lines);
        };
        let rosters = me.storage.rosters(&ids).await;
        let rosters = rosters.map_err(|error| in_full(&error))?;
        let rosters: HashMap<String, Roster> = rosters
            .into_iter()
            .map(|(id, versioned)| (id, versioned.roster))
            .collect();
        for group in groups {
            let roster = rosters.get(&group.group_id);
            let line = serde_json::to_string(&GroupLine::of(group, roster));
            output.line(&line.map_err(|error| error.to_string())?)?;
            lines += 1;
        }
        after = Some(last);
    }
}

async fn export_letters(
    me: &MlsGateway,
    letter_box: LetterBox,
    output: &mut Output,
) -> Result<u64, String> {
    let (mut after, mut lines) = (None::<String>, 0);
    loop {
        let page = Page {
            after: after.as_deref(),
            max: PAGE_LETTERS,
        };
        let letters = me.storage.letters(letter_box, page).await;
        let letters = letters.map_err(|error| in_full(&error))?;
        let Some(last) = letters.last().map(|letter| letter.id.clone()) else {
            return Ok(lines);
        };
        for letter in letters {
            let line = write_letter(letter_box, letter);
            output.line(&line.map_err(|error| error.to_string())?)?;
            lines += 1;
        }
        after = Some(last);
    }
}

/// Where lines go.
enum Output {
    Printed(String),
    File(WholeFile),
}

/// A file that is there once it is whole.
struct WholeFile {
    path: PathBuf,
    writer: BufWriter<File>,
}

impl Output {
    fn open(path: &str) -> Result<Self, String> {
        match path {
            "-" => Ok(Output::Printed(String::new())),
            _ => match WholeFile::open(Path::new(path)) {
                Ok(file) => Ok(Output::File(file)),
                Err(error) => Err(format!("cannot write {path}: {error}")),
            },
        }
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        match self {
            Output::Printed(text) => {
                text.push_str(line);
                text.push('\n');
                Ok(())
            }
            Output::File(file) => {
                writeln!(file.writer, "{line}").map_err(|error| file.problem(&error))
            }
        }
    }

    /// What is printed of it.
    fn finish(self, lines: u64) -> Result<String, String> {
        match self {
            Output::Printed(text) => Ok(text),
            Output::File(file) => {
                let path = file.path.clone();
                file.finish()
                    .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
                Ok(format!("{lines} lines in {}\n", path.display()))
            }
        }
    }
}

impl WholeFile {
    fn open(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let part = Self::part(&path);
        // One that an earlier export has left behind may be readable by others.
        match fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(part)?;
        Ok(WholeFile {
            path,
            writer: BufWriter::new(file),
        })
    }

    fn part(path: &Path) -> PathBuf {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        path.with_file_name(name)
    }

    fn problem(&self, error: &io::Error) -> String {
        format!("cannot write {}: {error}", self.path.display())
    }

    fn finish(self) -> io::Result<()> {
        let file = self
            .writer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(Self::part(&self.path), &self.path)
    }
}
