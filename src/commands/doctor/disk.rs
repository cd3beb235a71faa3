//! The data directory: whether it lasts, whose it is, how much room there is, and whether what is written there is kept.

use super::ownership::{self, AS_ITS_USER, is_ours, nearest};
use super::report::bytes;
use rustix::fs::{Access, access, statfs, statvfs};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};
use trellis_relay::config::{Config, Loaded};
use trellis_relay::extension::Findings;

/// With less room the relay cannot set aside what removals need on a full disk.
const LEAST_FREE_BYTES: u64 = 256 << 20;
/// The operators' guide calls a disk critical that is fuller.
const FULL_PERCENT: u64 = 90;
/// A commit that takes longer is felt by whoever publishes.
const SLOW_WRITE: Duration = Duration::from_millis(100);

/// Looks at the directory, or at the nearest one above it that is there.
pub(super) fn look(loaded: &Loaded, found: &mut Findings) {
    let config = &loaded.config;
    let wanted = &config.data.path;
    lasting(loaded, found);
    let absolute = std::path::absolute(wanted).unwrap_or_else(|_| wanted.clone());
    let there = match nearest(&absolute) {
        Ok(there) => there,
        // Whether it is there, only its user sees.
        Err(error) => {
            let told = format!("{}: {error}", wanted.display());
            return found.by_hand("data directory", told, AS_ITS_USER);
        }
    };
    let Some(folder) = there.filter(|it| it.is_dir()) else {
        let in_the_way = there.unwrap_or(&absolute).display();
        return found.fail(
            "data directory",
            format!(
                "{}: {in_the_way} is no directory that this user can enter",
                wanted.display()
            ),
            "set data.path, or run trellis doctor as the user that the relay runs as",
        );
    };
    if folder == absolute {
        found.ok("data directory", format!("{}", wanted.display()));
        ownership::look(folder, found);
    } else {
        let above = folder.display();
        if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
            found.fail(
                "data directory",
                format!(
                    "{} is not there, and this user may not make it in {above}",
                    wanted.display()
                ),
                "make it and give it to the relay's user, or run trellis doctor as that user",
            );
            return;
        }
        found.ok(
            "data directory",
            format!(
                "{} is not there yet; it is made in {above} at the first start",
                wanted.display()
            ),
        );
    }
    room(config, folder, found);
    kind(config, folder, found);
    // Root's database in another user's directory is of a relay that root runs.
    if is_ours(folder) || folder == absolute && is_ours(&folder.join("data.mdb")) {
        write(folder, found);
    } else if folder != absolute {
        found.by_hand(
            "disk writes",
            "the data directory is not there yet, so nothing was written",
            format!("{AS_ITS_USER}, or after its first start"),
        );
    } else {
        found.warn(
            "disk writes",
            format!(
                "{} is another user's, so nothing was written there",
                folder.display()
            ),
            AS_ITS_USER,
        );
    }
}

/// On Cloud Run.
fn lasting(loaded: &Loaded, found: &mut Findings) {
    if let Err(error) = loaded.check_durability() {
        found.fail(
            "disk lasts",
            "K_SERVICE is set, so the relay does not start",
            error.to_string(),
        );
    } else if loaded.on_cloud_run {
        found.warn(
            "disk lasts",
            "K_SERVICE is set: what is stored here is gone when this instance ends",
            "set [backup] url, or take a machine with a disk, unless it may be lost",
        );
    }
}

fn room(config: &Config, folder: &Path, found: &mut Findings) {
    let Ok(disk) = statvfs(folder) else {
        return found.warn(
            "disk space",
            "the system does not say how much there is",
            "df",
        );
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let all = disk.f_blocks.saturating_mul(disk.f_frsize).max(1);
    let used = used_bytes(&config.data.path);
    let used_here = used.unwrap_or(0);
    let most = config.data.map_size.bytes();
    let grows = most.saturating_sub(used_here);
    let full_percent = 100 - (u128::from(free) * 100 / u128::from(all)) as u64;
    let has = match used {
        Some(used) => format!("the store has {}", bytes(used)),
        None => "what the store has cannot be seen".to_owned(),
    };
    let told = format!(
        "{} free of {}; {has}, and it may grow to {}",
        bytes(free),
        bytes(all),
        bytes(most)
    );
    if free < LEAST_FREE_BYTES {
        let advice =
            "make room: events are refused where there is none (docs/runbooks/disk-full.md)";
        found.fail("disk space", told, advice);
    } else if full_percent >= FULL_PERCENT {
        let advice = format!("the disk is {full_percent} % full: make room, or take a larger one");
        found.warn("disk space", told, advice);
    } else if free < grows {
        let advice = format!(
            "set data.map_size to what the disk has room for, {} at most, or take a larger disk",
            bytes(used_here + free)
        );
        found.warn("disk space", told, advice);
    } else {
        found.ok("disk space", told);
    }
}

/// What the store takes of the disk, where that can be seen.
fn used_bytes(data: &Path) -> Option<u64> {
    match fs::metadata(data.join("data.mdb")) {
        // The unit of `blocks` is always 512 bytes.
        Ok(metadata) => Some(metadata.blocks() * 512),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(0),
        Err(_) => None,
    }
}

/// What a file system means for a database that maps its file into memory.
enum Kind {
    Local(&'static str),
    InMemory(&'static str),
    OfContainer,
    OverNetwork(&'static str),
    Unknown(u64),
}

fn kind(config: &Config, folder: &Path, found: &mut Findings) {
    let Ok(disk) = statfs(folder) else {
        return;
    };
    match kind_of(disk.f_type as u64) {
        Kind::Local(name) => found.ok("file system", name),
        Kind::InMemory(name) if config.data.allow_ephemeral => found.warn(
            "file system",
            format!("{name}: in memory, and gone with it"),
            "data.allow_ephemeral says that it may be",
        ),
        Kind::InMemory(name) => found.fail(
            "file system",
            format!("{name}: in memory, so everything is lost when the machine restarts"),
            "put data.path on a disk, or set data.allow_ephemeral = true where it may be lost",
        ),
        Kind::OfContainer => found.warn(
            "file system",
            "overlay: it belongs to the container, and is gone with it",
            "mount a volume at data.path",
        ),
        Kind::OverNetwork(name) => found.fail(
            "file system",
            format!("{name}: a database that is mapped into memory is damaged over a network"),
            "put data.path on a disk of this machine",
        ),
        Kind::Unknown(number) => found.warn(
            "file system",
            format!("of kind {number:#x}, which is not known here"),
            "it must be local and keep what fsync has written",
        ),
    }
}

/// By the numbers of statfs(2).
fn kind_of(number: u64) -> Kind {
    match number & 0xffff_ffff {
        0xef53 => Kind::Local("ext4"),
        0x5846_5342 => Kind::Local("XFS"),
        0x9123_683e => Kind::Local("Btrfs"),
        0x2fc1_2fc1 => Kind::Local("ZFS"),
        0xf2f5_2010 => Kind::Local("F2FS"),
        0xca45_1a4e => Kind::Local("bcachefs"),
        0x0102_1994 => Kind::InMemory("tmpfs"),
        0x8584_58f6 => Kind::InMemory("ramfs"),
        0x794c_7630 => Kind::OfContainer,
        0x6969 => Kind::OverNetwork("NFS"),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => Kind::OverNetwork("SMB"),
        0x00c3_6400 => Kind::OverNetwork("Ceph"),
        number => Kind::Unknown(number),
    }
}

fn write(folder: &Path, found: &mut Findings) {
    match write_once(folder) {
        Ok(took) if took > SLOW_WRITE => found.warn(
            "disk writes",
            format!("written and synced in {} ms", took.as_millis()),
            "every commit waits for this: a faster disk, or one that others use less",
        ),
        Ok(took) => found.ok(
            "disk writes",
            format!("written and synced in {:.1} ms", took.as_secs_f64() * 1e3),
        ),
        Err(error) => found.fail(
            "disk writes",
            format!("{}: {error}", folder.display()),
            "the relay's user must be able to write there, on a disk with room",
        ),
    }
}

/// Writes a little and has it on the disk, as a commit does.
fn write_once(folder: &Path) -> io::Result<Duration> {
    let mut file = tempfile::Builder::new()
        .prefix(".trellis-doctor-")
        .tempfile_in(folder)?;
    let begun = Instant::now();
    file.write_all(&[1; 64 << 10])?;
    file.as_file().sync_all()?;
    File::open(folder)?.sync_all()?;
    Ok(begun.elapsed())
}
