//! The command line as the console of a job, whether the job runs here or in a running relay.

use super::interrupt::Interrupt;
use super::progress::Progress;
use std::io::{self, Write};
use trellis_relay::admin::console::{Console, Note};

/// Where a job's events and words go.
pub(super) struct Terminal {
    out: Box<dyn Write>,
    progress: Progress,
    interrupt: Interrupt,
    /// Of the file to import, where it is one.
    pub(super) input_bytes: Option<u64>,
    /// What [`Note::Headway`] counts.
    unit: &'static str,
    /// The last line of an import that is done with.
    pub(super) last_line: u64,
}

impl Terminal {
    /// Events go to `out`. Listens for Ctrl-C from now on.
    pub(super) fn new(out: Box<dyn Write>, unit: &'static str, quiet: bool) -> io::Result<Self> {
        Ok(Terminal {
            out,
            progress: Progress::new(quiet),
            interrupt: Interrupt::listen()?,
            input_bytes: None,
            unit,
            last_line: 0,
        })
    }

    /// For whoever waits for something else.
    pub(super) fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Whether the user asked to end.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupt.is_set()
    }

    /// Takes the progress away.
    pub(super) fn clear(&mut self) {
        self.progress.clear();
    }

    /// Writes out what waits.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn say(&mut self, words: &str) {
        self.progress.clear();
        // The work goes on when nobody listens any more.
        let _ = writeln!(io::stderr(), "{words}");
    }
}

impl Console for Terminal {
    fn print(&mut self, event_json: &[u8]) -> io::Result<()> {
        self.out.write_all(event_json)?;
        self.out.write_all(b"\n")
    }

    fn tell(&mut self, note: Note) {
        match note {
            Note::Imported(totals) => {
                self.last_line = totals.lines;
                let share = self.input_bytes.filter(|bytes| *bytes > 0);
                let share = share.map(|bytes| totals.bytes as f64 / bytes as f64);
                self.progress.show(totals.lines, "lines", share);
            }
            Note::Rejected { line, reason } => self.say(&format!("line {line}: {reason}")),
            Note::Headway { done, total } => {
                let share = total.filter(|total| *total > 0);
                let share = share.map(|total| done as f64 / total as f64);
                self.progress.show(done, self.unit, share);
            }
            Note::Warning(words) => self.say(&format!("note: {words}")),
        }
    }

    fn is_cancelled(&self) -> bool {
        self.interrupt.is_set()
    }
}
