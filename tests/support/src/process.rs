//! What Linux knows of a process: its memory and its sockets. Read from `/proc`, since the relay is not to be believed.

use std::collections::HashSet;
use std::fs;

/// TCP state "established" in `/proc/net/tcp`.
const ESTABLISHED: &str = "01";
/// TCP state "listening" in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// Memory of its own that a process has in use, mapped files left out. Bytes.
pub fn own_memory_bytes(pid: u32) -> u64 {
    memory_bytes(pid, "RssAnon:")
}

/// Memory that a process has in use, mapped files included. Bytes.
pub fn resident_bytes(pid: u32) -> u64 {
    memory_bytes(pid, "VmRSS:")
}

/// The most of it since the start, or since it was last forgotten. Bytes.
pub fn peak_resident_bytes(pid: u32) -> u64 {
    memory_bytes(pid, "VmHWM:")
}

/// Begins the peak anew with what is in use at the moment.
pub fn forget_peak(pid: u32) {
    // The number means "the peak" in proc_pid_clear_refs(5).
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("the peak is forgotten");
}

fn memory_bytes(pid: u32, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("process status");
    let kib: Option<u64> = status
        .lines()
        .find_map(|line| line.strip_prefix(what))
        .and_then(|value| value.trim().strip_suffix(" kB")?.trim().parse().ok());
    kib.expect(what) * 1024
}

/// CPU time of a process and its threads so far, in microseconds; Linux counts it in steps of 10 ms.
pub fn cpu_us(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("process stat");
    // The name in parentheses may hold anything.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .map(|field| field.parse::<u64>().expect("ticks") * 10_000)
        .sum()
}

/// CPU time that threads have taken whose names begin so, in microseconds, as far as they are running yet. Linux cuts names
/// off after 15 bytes.
pub fn threads_cpu_us(pid: u32, name: &str) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("threads");
    let of_one = tasks.flatten().filter_map(|task| {
        let read = |file| fs::read_to_string(task.path().join(file)).ok();
        let ran = read("comm")?
            .starts_with(name)
            .then(|| read("schedstat"))??;
        ran.split_whitespace().next()?.parse::<u64>().ok()
    });
    of_one.sum::<u64>() / 1000
}

/// How many established connections the machine has whose local end is this port: those the relay still holds.
pub fn connections_at(port: u16) -> usize {
    let port = format!(":{port:04X}");
    sockets(&["tcp", "tcp6"])
        .iter()
        .filter(|socket| socket.local.ends_with(&port) && socket.state == ESTABLISHED)
        .count()
}

/// The remote ends of all sockets of a process that neither listen nor belong to this port. Empty for a relay that
/// opened no connection.
pub fn outgoing(pid: u32, own_port: u16) -> Vec<String> {
    let own_port = format!(":{own_port:04X}");
    let inodes = socket_inodes(pid);
    sockets(&["tcp", "tcp6", "udp", "udp6"])
        .into_iter()
        .filter(|socket| inodes.contains(&socket.inode))
        .filter(|socket| !socket.local.ends_with(&own_port) && socket.state != LISTENING)
        .map(|socket| socket.remote)
        .collect()
}

struct Socket {
    local: String,
    remote: String,
    state: String,
    inode: String,
}

fn sockets(tables: &[&str]) -> Vec<Socket> {
    let mut all = Vec::new();
    for table in tables {
        // A machine without IPv6 lacks two of the tables.
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if let [_, local, remote, state, _, _, _, _, _, inode, ..] = fields[..] {
                all.push(Socket {
                    local: local.to_owned(),
                    remote: remote.to_owned(),
                    state: state.to_owned(),
                    inode: inode.to_owned(),
                });
            }
        }
    }
    all
}

fn socket_inodes(pid: u32) -> HashSet<String> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors");
    descriptors
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            let name = link.to_str()?.strip_prefix("socket:[")?;
            Some(name.strip_suffix(']')?.to_owned())
        })
        .collect()
}
