//! Programs in the directory of a relay, and what can be seen of their processes.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use trellis_test_support::{Author, Client, Event, Front, Relay, trellis, wait};

/// Does what an event's content says.
pub(crate) const PLUGIN: &str = include_str!("plugin.py");

/// What a client hears where a program gave no answer.
pub(crate) const INTERNAL: &str = "error: the relay could not do this now; try again later";

/// A relay that asks this program, which stands in its directory.
pub(crate) async fn start_with(file: &str, text: &str, command: &str, more: &str) -> Relay {
    let setup = trellis!().front(Front::Server);
    put(setup.home(), file, text);
    setup.config(&table(command, more)).start().await
}

/// The same for [`PLUGIN`], with a client.
pub(crate) async fn start(more: &str) -> (Relay, Client) {
    let relay = start_with("plugin.py", PLUGIN, "./plugin.py", more).await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

/// One program's table; further keys as TOML.
pub(crate) fn table(command: &str, more: &str) -> String {
    let program = "[[extensions.exec.programs]]\nname = \"plugin\"";
    format!("{program}\ncommand = {command:?}\n{more}\n")
}

/// Puts an executable file into a directory, in the place of one that is there.
pub(crate) fn put(home: &Path, file: &str, text: &str) {
    let new = home.join(format!("{file}.new"));
    fs::write(&new, text).expect("write a program");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("make it executable");
    fs::rename(&new, home.join(file)).expect("put it in place");
}

/// An event whose content says what [`PLUGIN`] does.
pub(crate) fn told(word: &str) -> Event {
    Author::new().note(word)
}

/// The lines of a file that plugins write; none before it is there.
pub(crate) fn lines(relay: &Relay, file: &str) -> Vec<String> {
    let text = fs::read_to_string(relay.setup().home().join(file)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The processes that plugins noted, in the order of their starts.
pub(crate) fn pids(relay: &Relay) -> Vec<u32> {
    let pids = lines(relay, "pids");
    pids.iter().filter_map(|pid| pid.parse().ok()).collect()
}

/// Waits until that many processes have been started, and returns the last.
pub(crate) async fn nth_pid(relay: &Relay, count: usize) -> u32 {
    wait::until_some("a process of the plugin", || {
        pids(relay).get(count - 1).copied()
    })
    .await
}

/// SIGKILL.
pub(crate) fn kill(pid: u32) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process id");
    // It may have ended already.
    let _ = kill_process(pid, Signal::KILL);
}

/// Waits until none of these processes runs.
pub(crate) async fn gone(pids: &[u32]) {
    wait::until_true(&format!("the end of {pids:?}"), || {
        pids.iter()
            .all(|pid| matches!(state(*pid), None | Some('Z')))
    })
    .await;
}

/// Waits until the relay has no child that ended and was not awaited, nor more living ones than this.
pub(crate) async fn children(relay: &Relay, living: usize) {
    wait::until_true(&format!("{living} living children, and no zombie"), || {
        let states: Vec<char> = all_pids()
            .filter(|pid| stat(*pid).is_some_and(|(_, parent)| parent == relay.pid()))
            .filter_map(state)
            .collect();
        !states.contains(&'Z') && states.len() == living
    })
    .await;
}

fn all_pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn state(pid: u32) -> Option<char> {
    Some(stat(pid)?.0)
}

/// State and parent of a process. The name before them may hold anything.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
