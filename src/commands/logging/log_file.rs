//! One log in files of a directory: a new file every so often, and old ones removed, while lines come and while none do.
//!
//! Invariant: no line is kept longer than the retention, since a file goes before its first line is older; and all files
//! together are bounded in bytes. What cannot be written is lost and counted, and the relay goes on. Time is handed in. A
//! file's name says when it begins, so that copying it makes it no younger. Not here: who writes which line (`files`).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use trellis_relay::config::Timestamp;

/// So many files hold the retention, and the bytes.
const FILES: u64 = 24;

/// What a log keeps, and where.
#[derive(Clone, Debug)]
pub(super) struct Keeping {
    pub(super) directory: PathBuf,
    /// What the names of files begin with.
    pub(super) stem: &'static str,
    /// Seconds that a line is kept at most.
    pub(super) retention_s: u64,
    /// Seconds between two looks at the files: they go so much sooner, as the next look would come too late.
    pub(super) look_every_s: u64,
    /// Bytes of all files together.
    pub(super) max_bytes: u64,
}

/// The log.
#[derive(Debug)]
pub(super) struct LogFile {
    keeping: Keeping,
    open: Option<Open>,
    /// Lines that could not be written since somebody asked.
    lost: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    start_s: u64,
    bytes: u64,
    /// Whether the last line is whole.
    is_at_line: bool,
}

impl Keeping {
    /// Seconds that one file is written to.
    pub(super) fn period_s(&self) -> u64 {
        (self.retention_s / FILES).max(1)
    }

    fn path(&self, start_s: u64) -> PathBuf {
        let time = Timestamp::from_unix_secs(start_s).to_string();
        let name = format!("{}-{}.jsonl", self.stem, time.replace(':', "-"));
        self.directory.join(name)
    }

    /// When a file of this log begins; nothing for all other files.
    fn start_of(&self, path: &Path) -> Option<u64> {
        let name = path.file_name()?.to_str()?;
        let time = name.strip_prefix(self.stem)?.strip_prefix('-')?;
        let (date, time) = time.strip_suffix(".jsonl")?.split_once('T')?;
        let time: Timestamp = format!("{date}T{}", time.replace('-', ":")).parse().ok()?;
        (self.path(time.unix_secs()) == *path).then_some(time.unix_secs())
    }

    /// The files of this log by when they begin, oldest first.
    fn files(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            if let Some(start_s) = self.start_of(&path) {
                files.push((start_s, path));
            }
        }
        files.sort();
        Ok(files)
    }

    /// Too old before the next look, or from a time that has not come: then the clock was wrong, and nobody knows how old it
    /// is.
    fn is_over(&self, start_s: u64, now_s: u64) -> bool {
        start_s.saturating_add(self.retention_s) <= now_s.saturating_add(self.look_every_s)
            || start_s > now_s
    }
}

impl LogFile {
    /// Makes the directory where there is none, readable by the relay's user alone, and removes what is too old.
    pub(super) fn open(keeping: Keeping, now_s: u64) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&keeping.directory)?;
        let mut log = LogFile {
            keeping,
            open: None,
            lost: 0,
        };
        log.tidy(now_s)?;
        // So that a directory in which nothing can be written is told at the start.
        log.turn(now_s)?;
        Ok(log)
    }

    /// Adds a line, which ends in a line feed.
    pub(super) fn write(&mut self, line: &[u8], now_s: u64) {
        let written = self.turn(now_s).and_then(|open| open.write(line));
        if written.is_err() {
            self.lost += 1;
            // Opened anew for the next line: it may have been the file.
            self.open = self.open.take().filter(|open| !open.is_at_line);
        }
    }

    /// Removes what is too old or too much, and lets go of a file that is over or that somebody has moved away.
    pub(super) fn tidy(&mut self, now_s: u64) -> io::Result<()> {
        let keeping = &self.keeping;
        let is_in_use = |open: &Open| {
            now_s < open.start_s.saturating_add(keeping.period_s())
                && is_same(&keeping.path(open.start_s), &open.file)
        };
        self.open = self.open.take().filter(is_in_use);
        let files = keeping.files()?;
        let (over, kept): (Vec<_>, Vec<_>) = files
            .into_iter()
            .partition(|(start_s, _)| keeping.is_over(*start_s, now_s));
        let mut failed = Ok(());
        for (start_s, path) in over {
            if self
                .open
                .as_ref()
                .is_some_and(|open| open.start_s == start_s)
            {
                self.open = None;
            }
            failed = remove(&path).and(failed);
        }
        let mut bytes = 0;
        for (start_s, path) in kept.iter().rev() {
            bytes += fs::symlink_metadata(path).map_or(0, |metadata| metadata.len());
            let is_open = self
                .open
                .as_ref()
                .is_some_and(|open| open.start_s == *start_s);
            if bytes > keeping.max_bytes && !is_open {
                failed = remove(path).and(failed);
            }
        }
        failed
    }

    /// How many lines were lost since this was asked.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// The file for a line of now.
    fn turn(&mut self, now_s: u64) -> io::Result<&mut Open> {
        let keeping = &self.keeping;
        let max_bytes = keeping.max_bytes / FILES;
        let is_good = |open: &Open| {
            let begun = open.start_s..open.start_s.saturating_add(keeping.period_s());
            // In one second no second file can begin.
            begun.contains(&now_s) && (open.bytes < max_bytes || open.start_s == now_s)
        };
        if !self.open.as_ref().is_some_and(is_good) {
            self.open = None;
            // Only where one begins, and while it is known what there is.
            let _ = self.tidy(now_s);
            let keeping = &self.keeping;
            let newest = keeping.files()?.pop().map(|(start_s, _)| start_s);
            let going_on = newest.and_then(|start_s| Open::at(keeping, start_s).ok());
            let open = match going_on.filter(|open| {
                let until = open.start_s.saturating_add(keeping.period_s());
                (open.start_s..until).contains(&now_s)
                    && (open.bytes < max_bytes || open.start_s == now_s)
            }) {
                Some(open) => open,
                None => Open::at(keeping, now_s)?,
            };
            self.open = Some(open);
        }
        let missing = || io::Error::other("no log file is open");
        self.open.as_mut().ok_or_else(missing)
    }
}

impl Open {
    fn at(keeping: &Keeping, start_s: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(keeping.path(start_s))?;
        Ok(Open {
            bytes: file.metadata()?.len(),
            file,
            start_s,
            is_at_line: true,
        })
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if !self.is_at_line {
            // What a full disk cut off.
            self.file.write_all(b"\n")?;
            self.is_at_line = true;
        }
        let mut rest = line;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    rest = &rest[count..];
                    self.bytes += count as u64;
                    self.is_at_line = rest.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether a path leads to an open file.
fn is_same(path: &Path, file: &File) -> bool {
    let of_path = fs::metadata(path);
    let both = of_path.and_then(|of_path| Ok((of_path, file.metadata()?)));
    both.is_ok_and(|(a, b)| (a.dev(), a.ino()) == (b.dev(), b.ino()))
}

/// Somebody else may have removed it.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
