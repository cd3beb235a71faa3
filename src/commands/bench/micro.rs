//! `trellis bench micro`: what the parts cost on this machine that no relay can do without.

use super::floor::{Floor, ROUNDS, sample_events};
use super::latency::Latencies;
use super::process::Watched;
use super::report::{Form, Report};
use super::target::pin;
use super::thread_clock::{median, thread_cpu_us};
use anyhow::Context as _;
use clap::Args;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use trellis_relay::event::Event;
use trellis_relay::store::lmdb::{LmdbOptions, LmdbStore};
use trellis_relay::store::{NoPolicy, Store as _, Write};

const FRAME_BYTES: usize = 1_200;
/// In each round.
const FRAMES: usize = 3_200;
/// Frames of one write where many are sent at once.
const CORKED_FRAMES: usize = 32;
const SYNCS: usize = 100;
const PAGE_BYTES: usize = 4_096;

#[derive(Debug, Args)]
#[command(after_help = "\
All of this happens in this process: nothing is started, no relay is asked. The crypto cost, decoding and verifying, is the \
steadiest part and the yardstick for `trellis bench ingest`. Sockets are a pair over loopback, both ends of which this one \
thread serves. All but fdatasync and the store's wall time is CPU time. The store is this relay's own, in a new directory that is removed again.

Example:
  trellis bench micro --pin 0 --directory /var/lib/trellis")]
pub(super) struct Micro {
    /// Where to write and sync; a new directory is made in it. Default: the system's for temporary files.
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
    /// Events to store; 0 leaves the store out.
    #[arg(long, default_value_t = 20_000)]
    store_events: u64,
    /// Stay on this core.
    #[arg(long, value_name = "CORE")]
    pin: Option<usize>,
    #[command(flatten)]
    form: Form,
}

impl Micro {
    pub(super) fn run(self) -> anyhow::Result<()> {
        pin(self.pin)?;
        let mut report = Report::default();
        Floor::measure()?.tell(&mut report);
        for (name, at_once) in [("single", 1), ("corked", CORKED_FRAMES)] {
            let (send_us, receive_us) = sockets(at_once).context("a pair of sockets")?;
            report.number(&format!("{name}_send_us_per_frame"), send_us);
            report.number(&format!("{name}_receive_us_per_frame"), receive_us);
        }
        let directory = self.directory.unwrap_or_else(std::env::temp_dir);
        let directory = directory.join(format!("trellis-bench-{}", std::process::id()));
        let what = || format!("write in {}", directory.display());
        fs::create_dir(&directory).with_context(what)?;
        let measured = disk(&directory, self.store_events, &mut report).with_context(what);
        fs::remove_dir_all(&directory).with_context(what)?;
        measured?;
        report.print(&self.form)
    }
}

/// Microseconds of CPU time a frame for sending and for receiving.
fn sockets(at_once: usize) -> anyhow::Result<(f64, f64)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    sender.set_nodelay(true)?;
    let frames = vec![b'x'; at_once * FRAME_BYTES];
    let mut room = vec![0; frames.len()];
    let (mut send_us, mut receive_us) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (mut sending_us, mut receiving_us) = (0.0, 0.0);
        // So many go before the clock is read, since reading it costs about as much as a tenth of a frame.
        for _ in 0..FRAMES / CORKED_FRAMES {
            let started_us = thread_cpu_us();
            for _ in 0..CORKED_FRAMES / at_once {
                sender.write_all(&frames)?;
            }
            let sent_us = thread_cpu_us();
            for _ in 0..CORKED_FRAMES / at_once {
                receiver.read_exact(&mut room)?;
            }
            sending_us += sent_us - started_us;
            receiving_us += thread_cpu_us() - sent_us;
        }
        send_us.push(sending_us / FRAMES as f64);
        receive_us.push(receiving_us / FRAMES as f64);
    }
    Ok((median(send_us), median(receive_us)))
}

fn disk(directory: &Path, store_events: u64, report: &mut Report) -> anyhow::Result<()> {
    let file = File::create(directory.join("page"))?;
    file.write_all_at(&[0; 16 * PAGE_BYTES], 0)?;
    file.sync_all()?;
    let mut syncs = Latencies::default();
    for number in 0..SYNCS {
        let page = [number as u8; PAGE_BYTES];
        let started = Instant::now();
        file.write_all_at(&page, (number % 16 * PAGE_BYTES) as u64)?;
        file.sync_data()?;
        syncs.add(started.elapsed());
    }
    report.group("fdatasync_of_a_page", syncs.report());
    if store_events > 0 {
        let lines = sample_events(store_events)?;
        for batch in [256, 2_048] {
            let path = directory.join(format!("store-{batch}"));
            let measured = store(&path, &lines, batch)?;
            report.group(&format!("store_in_batches_of_{batch}"), measured);
        }
    }
    Ok(())
}

fn store(path: &Path, lines: &[Vec<u8>], batch: usize) -> anyhow::Result<Report> {
    let events = lines.iter().map(|line| Event::parse(line));
    let writes = events.map(|event| Ok(Write::Put(Arc::new(event?))));
    let writes: Vec<Write> = writes.collect::<anyhow::Result<_>>()?;
    let store = LmdbStore::open(path, LmdbOptions::default())?;
    let own = Watched::own();
    let (cpu, started) = (own.cpu()?, Instant::now());
    for some in writes.chunks(batch) {
        store.commit(some, &NoPolicy, 0)?;
    }
    let (spent, wall) = (own.cpu()?.since(&cpu), started.elapsed());
    let each = writes.len() as f64;
    let mut report = Report::default();
    report.count("events", writes.len() as u64);
    report.number("cpu_us_per_event", spent.total_us / each);
    report.number("wall_us_per_event", wall.as_secs_f64() * 1e6 / each);
    let bytes = store.stats()?.used_bytes;
    report.number("bytes_per_event", bytes as f64 / each);
    Ok(report)
}
