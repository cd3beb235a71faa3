//! A file of lines, read one at a time.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};

/// Two contents of a mebibyte in base64 and what stands around them.
const LINE_BYTES_MAX: u64 = 4 << 20;

/// An open file.
pub(super) struct Input {
    path: String,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u64,
}

/// A line, or what is wrong with it before it is read.
pub(super) type Line<'i> = Result<&'i [u8], String>;

impl Input {
    pub(super) fn open(path: &str) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| {
            let whole = match std::path::Path::new(path).is_relative() {
                true => "; a running relay looks for it from where it was started, so name the whole path",
                false => "",
            };
            format!("cannot read {path}: {error}{whole}")
        })?;
        Ok(Input {
            path: path.to_owned(),
            reader: BufReader::new(file),
            line: Vec::new(),
            number: 0,
        })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The next line that is not blank, with its number from 1 on.
    pub(super) fn next_line(&mut self) -> Result<Option<(u64, Line<'_>)>, String> {
        loop {
            self.line.clear();
            let mut bounded = self.reader.by_ref().take(LINE_BYTES_MAX + 1);
            let read = bounded.read_until(b'\n', &mut self.line);
            let bytes = read.map_err(|error| format!("cannot read {}: {error}", self.path))?;
            if bytes == 0 {
                return Ok(None);
            }
            self.number += 1;
            if bytes as u64 > LINE_BYTES_MAX {
                self.skip_line()?;
                let problem = format!("longer than {LINE_BYTES_MAX} bytes");
                return Ok(Some((self.number, Err(problem))));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some((self.number, Ok(self.line.trim_ascii()))));
            }
        }
    }

    /// Passes over what is left of a line.
    fn skip_line(&mut self) -> Result<(), String> {
        while self.line.last() != Some(&b'\n') {
            self.line.clear();
            let mut bounded = self.reader.by_ref().take(LINE_BYTES_MAX);
            let read = bounded.read_until(b'\n', &mut self.line);
            if read.map_err(|error| format!("cannot read {}: {error}", self.path))? == 0 {
                break;
            }
        }
        Ok(())
    }
}
