//! The agent's side of `run-once`: starts it where it has not begun, and waits for its end.

use crate::run_once::{Seen, Traces};
use crate::stop::Stop;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

/// This program, whatever has become of the file it was started from.
const OWN_PROGRAM: &str = "/proc/self/exe";
/// How often is looked whether the command has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a runner has to make its marker before another is started.
const TO_BEGIN: Duration = Duration::from_secs(10);

/// What to run, for how long at most, and what it is told.
pub(crate) struct Order<'a> {
    pub(crate) argv: &'a [String],
    pub(crate) within: Duration,
    /// Variables beside those that the agent has.
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// Has the command run once, now or in an earlier life of this agent, and waits for its end. `Lost` is an end as well.
/// None when the agent was asked to stop; the command goes on.
pub(crate) async fn run_once(
    folder: &Path,
    id: &str,
    order: &Order<'_>,
    stop: &Stop,
) -> io::Result<Option<Seen>> {
    let traces = Traces::new(folder, id);
    let mut begin_by: Option<Instant> = None;
    let mut kill_at: Option<Instant> = None;
    loop {
        let seen = traces.look()?;
        match seen {
            Seen::Ended(_) | Seen::Lost => return Ok(Some(seen)),
            Seen::Running => {}
            Seen::Orphaned(process) => {
                let kill_at = *kill_at.get_or_insert_with(|| Instant::now() + order.within);
                if Instant::now() >= kill_at {
                    process.kill();
                }
            }
            Seen::NotBegun if begin_by.is_none_or(|by| Instant::now() >= by) => {
                if stop.is_asked() {
                    return Ok(None);
                }
                start(folder, id, order)?;
                begin_by = Some(Instant::now() + TO_BEGIN);
            }
            Seen::NotBegun => {}
        }
        tokio::select! {
            () = stop.asked(), if seen != Seen::NotBegun => return Ok(None),
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

fn start(folder: &Path, id: &str, order: &Order<'_>) -> io::Result<()> {
    let mut command = Command::new(OWN_PROGRAM);
    command
        .arg("run-once")
        .arg("--journal")
        .arg(folder)
        .args(["--id", id, "--within-ms"])
        .arg(order.within.as_millis().to_string())
        .arg("--")
        .args(order.argv)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    for (name, value) in &order.environment {
        command.env(name, value);
    }
    let mut child = command.spawn()?;
    // Its traces tell how it ended; this only lets the system forget it.
    tokio::spawn(async move { child.wait().await });
    Ok(())
}
