//! One line on the terminal that says how far a job is, how fast it goes and how long it will take; nothing where nobody
//! looks.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

const REDRAW_EVERY: Duration = Duration::from_millis(250);

/// The line. It is taken away before anything else is said and when the job ends.
#[derive(Debug)]
pub(super) struct Progress {
    shown: bool,
    started: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    /// Shows itself if standard error is a terminal, unless it is to be quiet.
    pub(super) fn new(quiet: bool) -> Self {
        Progress {
            shown: !quiet && io::stderr().is_terminal(),
            started: Instant::now(),
            drawn: None,
        }
    }

    /// So many `unit`s are done; `share` is the part of the whole that is behind us, from 0 to 1, where that is known.
    pub(super) fn show(&mut self, done: u64, unit: &str, share: Option<f64>) {
        if !self.shown || self.drawn.is_some_and(|at| at.elapsed() < REDRAW_EVERY) {
            return;
        }
        self.drawn = Some(Instant::now());
        let line = line(done, unit, share, self.started.elapsed());
        // A terminal that is gone needs no progress.
        let _ = write!(io::stderr(), "\r{line}\x1b[K");
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if self.drawn.take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(done: u64, unit: &str, share: Option<f64>, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let mut line = format!("{done} {unit}, {:.0} a second", done as f64 / seconds);
    if let Some(share) = share.filter(|share| *share > 0.0) {
        let left = seconds * (1.0 - share).max(0.0) / share;
        // Writing to a String cannot fail.
        let _ = write!(line, ", {:.0} %, {}", share * 100.0, time_left(left));
    }
    line
}

fn time_left(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds {
        0..120 => format!("{seconds} s left"),
        120..7_200 => format!("{} min left", seconds / 60),
        _ => format!("{} h {} min left", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, line};

    #[test]
    fn c21_progress_tells_rate_and_time_left() {
        let ten = Duration::from_secs(10);
        assert_eq!(line(500, "lines", None, ten), "500 lines, 50 a second");
        assert_eq!(
            line(500, "lines", Some(0.25), ten),
            "500 lines, 50 a second, 25 %, 30 s left"
        );
        let hours = line(1, "entries", Some(0.001), ten);
        assert!(hours.ends_with("2 h 46 min left"), "{hours}");
        // Before anything is known, nothing is foretold.
        let none = line(0, "events", Some(0.0), Duration::ZERO);
        assert_eq!(none, "0 events, 0 a second");
    }
}
