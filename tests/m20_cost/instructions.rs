//! Instructions of a relay that valgrind's callgrind runs, counted while a test says so: those of its own threads, and not what
//! the system does for them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use trellis_test_support::{Relay, Setup, wait};

/// Nothing is gathered for longer before it is written, even where everything is fifty times slower.
const DONE: Duration = Duration::from_secs(10);

/// Where callgrind writes what it counted.
pub(super) struct Counter(PathBuf);

/// The same relay, counted once [`Counter::begin`] was called. Valgrind maps no store of the usual size.
pub(super) fn counted(setup: Setup, table: &str) -> (Setup, Counter) {
    let home = setup.home().to_owned();
    let script = home.join("counted");
    let text = format!(
        "#!/bin/sh\nexec valgrind --quiet --tool=callgrind --instr-atstart=no --separate-threads=yes \\\n\
         --callgrind-out-file='{}/counted.%p' '{}' \"$@\"\n",
        home.display(),
        setup.binary().display()
    );
    fs::write(&script, text).expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("to be run");
    let setup = setup.run_by(&script).config(table);
    (setup.env("TRELLIS_DATA__MAP_SIZE", "256MiB"), Counter(home))
}

impl Counter {
    pub(super) fn begin(&self, relay: &Relay) {
        control(relay, &["-i", "on"]);
    }

    /// How many there were, once everything is done.
    pub(super) async fn end(self, relay: &Relay) -> u64 {
        let begun = Instant::now();
        wait::until_true("everything is done", || begun.elapsed() >= DONE).await;
        control(relay, &["-i", "off"]);
        control(relay, &["-d"]);
        let files = fs::read_dir(&self.0).expect("files").flatten();
        let files = files.map(|file| file.path());
        let counted = files.filter_map(|file| total(&file)).sum();
        // What controls callgrind says nothing where it could not.
        assert!(counted > 0, "nothing was counted: {}", relay.log());
        counted
    }
}

fn control(relay: &Relay, arguments: &[&str]) {
    let mut command = Command::new("callgrind_control");
    let done = command
        .args(arguments)
        .arg(relay.pid().to_string())
        .output();
    let done = done.expect("valgrind is installed");
    assert!(done.status.success(), "{arguments:?}: {done:?}");
}

/// Of one thread.
fn total(file: &Path) -> Option<u64> {
    let name = file.file_name()?.to_str()?;
    let text = fs::read_to_string(file)
        .ok()
        .filter(|_| name.starts_with("counted."))?;
    let line = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals: "))?;
    line.trim().parse().ok()
}
