//! What a large blob costs: memory of the relay, and time against what hashing and writing take by themselves.
//!
//! Not part of a normal run, since it measures: `TRELLIS_BIN=target/release/trellis cargo test --test b6_throughput --
//! --ignored --nocapture` on a machine with nothing else to do.

#![cfg(feature = "blossom_policy")]

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use trellis_test_support::blob::{self, Upload};
use trellis_test_support::{Author, process, trellis};

const BYTES: u64 = 2 << 30;
const BLOCK_BYTES: usize = 1 << 20;
/// The relay may take so much more memory meanwhile.
const MORE_BYTES_MAX: u64 = 32 << 20;
const ROUNDS: usize = 3;
/// How a PDF begins.
const HEAD: &[u8] = b"%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj\n";

const TABLE: &str = "
[extensions.blossom_policy]
path = 'blobs'
max_upload_bytes = '4GiB'
quota.bytes_per_pubkey = '64GiB'
rates.uploads_per_minute_and_ip = 1000000
";

/// The blocks of a PDF of [`BYTES`]: text that no two rounds share.
fn blocks(round: usize) -> impl Iterator<Item = Vec<u8>> {
    let line = format!("% round {round}, a line that means nothing to anybody\n");
    let filler: Vec<u8> = line.bytes().cycle().take(BLOCK_BYTES).collect();
    let count = (BYTES / BLOCK_BYTES as u64) as usize;
    (0..count).map(move |number| {
        let mut block = filler.clone();
        if number == 0 {
            block[..HEAD.len()].copy_from_slice(HEAD);
        }
        if number + 1 == count {
            block[BLOCK_BYTES - 6..].copy_from_slice(b"%%EOF\n");
        }
        block
    })
}

/// How long it takes to write the file, before and after the disk has it.
fn write_plainly(round: usize, path: &Path) -> [Duration; 2] {
    let begun = Instant::now();
    let mut file = File::create(path).expect("a file");
    for block in blocks(round) {
        file.write_all(&block).expect("room on the disk");
    }
    let written = begun.elapsed();
    file.sync_all().expect("a disk that writes");
    [written, begun.elapsed()]
}

/// The file's hash, and how long other programs take for it.
fn hash_plainly(path: &Path) -> (String, Duration) {
    let begun = Instant::now();
    let output = Command::new("sh")
        .args(["-c", "cat \"$0\" | sha256sum"])
        .arg(path)
        .output()
        .expect("sha256sum");
    let took = begun.elapsed();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (text[..64].to_owned(), took)
}

fn upload(server: SocketAddr, sha256: &str, round: usize) -> Duration {
    let author = Author::new();
    let begun = Instant::now();
    let mut upload = Upload::begin(server, &author, sha256, "application/pdf", BYTES);
    let upload_to = upload.as_mut().expect("a connection");
    for block in blocks(round) {
        upload_to.send(&block).expect("a server that reads");
    }
    let (status, body) = upload.and_then(Upload::answer).expect("an answer");
    assert_eq!(status, 201, "{body}");
    begun.elapsed()
}

fn download(server: SocketAddr, sha256: &str) -> Duration {
    let begun = Instant::now();
    let mut bytes = 0;
    let status = blob::read(server, sha256, |piece| bytes += piece.len() as u64);
    assert_eq!((status.expect("an answer"), bytes), (200, BYTES));
    begun.elapsed()
}

/// By how much the peak of a process exceeds what it had before.
fn more_bytes(pid: u32, work: impl FnOnce() -> Duration) -> (Duration, u64) {
    process::forget_peak(pid);
    let before = process::resident_bytes(pid);
    let took = work();
    (
        took,
        process::peak_resident_bytes(pid).saturating_sub(before),
    )
}

fn mib_a_second(took: Duration) -> f64 {
    (BYTES >> 20) as f64 / took.as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "measures"]
async fn b6_two_gib_up_and_down() {
    let relay = trellis!().config(TABLE).start().await;
    let (server, pid) = (relay.address(), relay.pid());
    let file = relay.setup().home().join("plain");
    for round in 0..ROUNDS {
        let written = write_plainly(round, &file);
        let (sha256, hashed) = hash_plainly(&file);
        std::fs::remove_file(&file).expect("the file");
        let (up, up_bytes) = more_bytes(pid, || upload(server, &sha256, round));
        let (down, down_bytes) = more_bytes(pid, || download(server, &sha256));
        let share = |written: Duration| (hashed + written).as_secs_f64() / up.as_secs_f64() * 100.0;
        let [in_cache, on_disk] = written;
        eprintln!(
            "round {round}: sha256sum {:.0} MiB/s, a plain write {:.0} MiB/s, {:.0} with fsync; upload {:.0} MiB/s, \
             {:.0} % of hashing and writing, {:.0} % with fsync, {:.1} MiB more memory; download {:.0} MiB/s, {:.1} MiB more",
            mib_a_second(hashed),
            mib_a_second(in_cache),
            mib_a_second(on_disk),
            mib_a_second(up),
            share(in_cache),
            share(on_disk),
            up_bytes as f64 / f64::from(1 << 20),
            mib_a_second(down),
            down_bytes as f64 / f64::from(1 << 20),
        );
        assert!(up_bytes < MORE_BYTES_MAX, "{up_bytes} bytes more");
        assert!(down_bytes < MORE_BYTES_MAX, "{down_bytes} bytes more");
    }
}
