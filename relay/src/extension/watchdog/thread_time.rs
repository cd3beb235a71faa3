//! What a thread is at and how much of a processor it has had, as Linux tells (`proc(5)`, `/proc/PID/task/TID/stat`).
//!
//! Elsewhere nothing is known.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Where the kernel tells of a thread.
pub(super) struct ThreadFile(Option<PathBuf>);

/// A thread at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glimpse {
    /// It runs or wants to; otherwise it waits for something.
    pub(super) is_runnable: bool,
    /// Processor time since it began, in steps of some milliseconds.
    pub(super) had: Duration,
}

impl ThreadFile {
    /// Of the thread that asks.
    pub(super) fn of_this_thread() -> Self {
        let folder = fs::read_link("/proc/thread-self").ok();
        ThreadFile(folder.map(|folder| PathBuf::from("/proc").join(folder).join("stat")))
    }

    /// None where the kernel does not say.
    pub(super) fn look(&self) -> Option<Glimpse> {
        let ticks_a_second = rustix::param::clock_ticks_per_second();
        read(&fs::read_to_string(self.0.as_ref()?).ok()?, ticks_a_second)
    }
}

/// Of the text of such a file: `TID (NAME) STATE ...`, with the time in the program and in the kernel as fields 14 and 15. A
/// name may hold anything, so fields are counted behind the last bracket.
fn read(stat: &str, ticks_a_second: u64) -> Option<Glimpse> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let is_runnable = fields.next()? == "R";
    let mut times = fields.skip(10).map(str::parse::<u64>);
    let ticks = times.next()?.ok()?.checked_add(times.next()?.ok()?)?;
    let had_ms = ticks.checked_mul(1_000)?.checked_div(ticks_a_second)?;
    Some(Glimpse {
        is_runnable,
        had: Duration::from_millis(had_ms),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Instant;

    #[test]
    fn e6_a_thread_file_is_read_whatever_the_thread_is_called() {
        let stat = "71 (a) R 9 (b) S 1 2 3 4 5 6 7 8 9 10 31 12 13 14 20 0";
        let waiting = Glimpse {
            is_runnable: false,
            had: Duration::from_millis(430),
        };
        assert_eq!(read(stat, 100), Some(waiting));
        for wrong in [
            "",
            "71 (a",
            "71 (a) R 1 2",
            "71 (a) S 1 2 3 4 5 6 7 8 9 10 x 12",
        ] {
            assert_eq!(read(wrong, 100), None, "{wrong}");
        }
        assert_eq!(read(stat, 0), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn e6_what_a_thread_is_at_is_known() {
        let file = ThreadFile::of_this_thread();
        let before = file.look().unwrap();
        assert!(before.is_runnable);
        let begun = Instant::now();
        while file.look().unwrap().had == before.had {
            assert!(begun.elapsed() < Duration::from_secs(20), "no time passes");
        }

        let (tell, told) = channel();
        let (end, ended) = channel::<()>();
        let waiting = std::thread::spawn(move || {
            tell.send(ThreadFile::of_this_thread()).unwrap();
            ended.recv().unwrap_err();
        });
        let other = told.recv().unwrap();
        while other.look().unwrap().is_runnable {
            assert!(begun.elapsed() < Duration::from_secs(20), "it never waits");
        }
        drop(end);
        waiting.join().unwrap();
    }
}
