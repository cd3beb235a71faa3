//! D4: what extensions give to a backup, and what a restore does with it.

use crate::support::{HookHarness, event, until};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use trellis_relay::extension::prelude::*;
use trellis_relay::extension::{BackedUp, Compiled, is_backed_up};
use trellis_relay::testing::{Author, Backup, TestRelay, json};

/// Keeps events of kind 450 in a file, a line each, and says where it may be found.
struct Diary {
    file: PathBuf,
    host: Host,
    deed: Mutex<String>,
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What it does instead of a copy.
    #[serde(default)]
    deed: String,
}

/// Whether those that hold their thread may go on.
static RELEASED: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

impl Extension for Diary {
    const NAME: &'static str = "diary";
    const NOT_BACKED_UP: &'static [&'static [u8]] = &[b"call/"];
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        let file = host.data_dir().join("diary.txt");
        let written = fs::OpenOptions::new().create(true).append(true).open(&file);
        written?;
        let is_new = host.kv_get(b"call").await?.is_none();
        for key in ["call/1", "call", "caller/1"].iter().filter(|_| is_new) {
            host.kv_put(key.as_bytes(), Some(key.as_bytes().to_vec()))
                .await?;
        }
        let deed = Mutex::new(config.deed);
        Ok(Diary { file, host, deed })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.stored(450, StartAt::Beginning, async |me: Arc<Self>, changes| {
            for change in changes.iter() {
                if let Change::Stored(stored) = change {
                    let mut lines = fs::read_to_string(&me.file)?;
                    let line = format!("{}\n", stored.event.content());
                    // It may be told twice.
                    if !lines.contains(&line) {
                        lines.push_str(&line);
                        fs::write(&me.file, lines)?;
                    }
                }
            }
            Ok(())
        });
        hooks.rpc("lines", async |me, _params| {
            let lines = fs::read_to_string(&me.file).map_err(|error| error.to_string())?;
            Ok(lines.lines().collect())
        });
        hooks.rpc("rows", async |me, _params| {
            let rows = me.host.kv_scan(b"call", None, 10).await;
            let rows = rows.map_err(|error| error.to_string())?;
            let keys = rows.iter().map(|(key, _)| String::from_utf8_lossy(key));
            Ok(keys.collect())
        });
    }

    fn reload(&self, new: &Config) -> Reload {
        self.deed.lock().unwrap().clone_from(&new.deed);
        Reload::Applied
    }

    async fn back_up(&self, into: &Path) -> Result<Vec<BackupFile>, BackupError> {
        let deed = self.deed.lock().unwrap().clone();
        let mut written = into.join("diary.txt");
        fs::copy(&self.file, &written)?;
        let mut restore_to = self.file.clone();
        match &*deed {
            "" => {}
            "panic" => panic!("as asked"),
            "error" => return Err("the disk \n is away".into()),
            "hang" => std::future::pending().await,
            "hold" => {
                let (released, changed) = &RELEASED;
                let released = released.lock().unwrap_or_else(PoisonError::into_inner);
                let _released = changed.wait_while(released, |released| !*released);
            }
            "elsewhere" => written = self.file.clone(),
            "upwards" => written = into.join("..").join("diary").join("diary.txt"),
            "absent" => written = into.join("nothing"),
            "directory" => written = into.to_owned(),
            "link" => {
                written = into.join("link");
                std::os::unix::fs::symlink(&self.file, &written)?;
            }
            "many" => {
                let file = BackupFile {
                    written,
                    restore_to,
                };
                return Ok(vec![file; 1_001]);
            }
            "twice" => {
                let file = BackupFile {
                    written,
                    restore_to,
                };
                return Ok(vec![file; 2]);
            }
            "nowhere" => restore_to = "../diary.txt".into(),
            other => return Err(format!("what is {other}?").into()),
        }
        let file = BackupFile {
            written,
            restore_to,
        };
        Ok(vec![file])
    }

    async fn back_up_blobs(
        &self,
        after: Option<[u8; 32]>,
        _max: usize,
    ) -> Result<Vec<BackupBlob>, BackupError> {
        match &**self.deed.lock().unwrap() {
            "blobs" => {}
            "panic" => panic!("as asked"),
            _ => return Ok(Vec::new()),
        }
        let blob = |number: u8| BackupBlob {
            sha256: [number; 32],
            path: self.file.clone(),
            restore_to: format!("{number}").into(),
        };
        let all = 1..=4;
        let rest = all.filter(|number| after.is_none_or(|after| *number > after[0]));
        Ok(rest.map(blob).take(3).collect())
    }
}

/// Has a file that never changes.
struct Neighbour;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Extension for Neighbour {
    const NAME: &'static str = "neighbour";
    type Config = Nothing;

    async fn build(_: Nothing, _: Host) -> Result<Self, BuildError> {
        Ok(Neighbour)
    }

    fn register(&self, _hooks: &mut Registrar<Self>) {}

    async fn back_up(&self, into: &Path) -> Result<Vec<BackupFile>, BackupError> {
        let written = into.join("fence");
        fs::write(&written, "good fences")?;
        let restore_to = "neighbour/fence".into();
        Ok(vec![BackupFile {
            written,
            restore_to,
        }])
    }
}

const BOTH: &[Compiled] = &[Compiled::of::<Diary>(), Compiled::of::<Neighbour>()];
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(2);

async fn back_up(relay: &HookHarness, limit: Duration) -> (TempDir, Vec<BackedUp>) {
    let into = TempDir::new().unwrap();
    let given = relay.handle.back_up(into.path(), limit).await;
    (into, given)
}

/// What became of the diary, and that its neighbour was not harmed.
async fn problem(relay: &HookHarness, limit: Duration) -> Option<String> {
    let (_into, given) = back_up(relay, limit).await;
    let [diary, neighbour] = given.as_slice() else {
        panic!("{given:?}");
    };
    assert_eq!(
        (diary.extension, neighbour.extension),
        ("diary", "neighbour")
    );
    let fence = &neighbour.outcome.as_ref().unwrap().files[0];
    assert_eq!(fs::read_to_string(&fence.written).unwrap(), "good fences");
    diary.outcome.as_ref().err().map(|error| error.0.clone())
}

#[tokio::test]
async fn d4_each_extension_copies_its_files_into_a_directory_of_its_own() {
    let relay = HookHarness::start(BOTH, "[diary]\n[neighbour]")
        .await
        .unwrap();
    relay.core.put(&[event(450, "1")]);
    let one = json!(["1"]);
    until("the line", async || relay.rpc("lines").await == one).await;
    let (into, given) = back_up(&relay, LONG).await;
    let diary = given[0].outcome.as_ref().unwrap();
    let copy = into.path().join("diary/diary.txt");
    assert_eq!(diary.files[0].written, copy);
    assert_eq!(diary.files[0].restore_to, Path::new("diary.txt"));
    assert_eq!(fs::read_to_string(copy).unwrap(), "1\n");
    relay.host.shutdown().await;
}

#[tokio::test]
async fn d4_a_back_up_that_panics_fails_hangs_or_talks_nonsense_harms_its_own_extension_alone() {
    let tables = "[diary]\n[neighbour]";
    let mut relay = HookHarness::start(BOTH, tables).await.unwrap();
    assert_eq!(problem(&relay, LONG).await, None);
    let cases = [
        ("panic", LONG, "it panicked"),
        ("error", LONG, "the disk   is away"),
        ("hang", SHORT, "no answer within 2000 ms"),
        ("elsewhere", LONG, "not in the directory"),
        ("upwards", LONG, "not in the directory"),
        ("absent", LONG, "not there or no file"),
        ("directory", LONG, "not there or no file"),
        ("link", LONG, "not there or no file"),
        ("many", LONG, "more than 1000 files"),
        ("twice", LONG, "restored twice"),
        ("nowhere", LONG, "no place to restore to"),
    ];
    for (count, (deed, limit, words)) in (1..).zip(cases) {
        relay
            .apply(&format!("[diary]\ndeed = '{deed}'"))
            .await
            .unwrap();
        let problem = problem(&relay, limit).await;
        let problem = problem.unwrap_or_else(|| panic!("{deed} went well"));
        assert!(problem.contains(words), "{deed}: {problem}");
        let status = relay.status("diary");
        assert_eq!(status.faults, count, "{deed}");
        let shown = matches!(status.health, Some(Health::Degraded(told)) if told.contains(words));
        assert!(shown, "{deed}");
    }
    relay.apply("[diary]").await.unwrap();
    assert_eq!(problem(&relay, LONG).await, None);
    assert_eq!(relay.status("diary").health, Some(Health::Ok));
    relay.host.shutdown().await;
}

#[tokio::test]
async fn d4_one_that_holds_its_thread_is_not_asked_again_before_it_has_ended() {
    let tables = "[diary]\ndeed = 'hold'\n[neighbour]";
    let relay = HookHarness::start(BOTH, tables).await.unwrap();
    let first = problem(&relay, SHORT).await.unwrap();
    assert!(first.contains("no answer within 2000 ms"), "{first}");
    let second = problem(&relay, SHORT).await.unwrap();
    assert_eq!(second, "the call before has not ended");
    assert_eq!(relay.status("diary").faults, 1, "it hung once");
    *RELEASED.0.lock().unwrap() = true;
    RELEASED.1.notify_all();
    assert_eq!(problem(&relay, LONG).await, None);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn d4_blobs_come_in_pages_and_a_fault_is_told() {
    let mut relay = HookHarness::start(BOTH, "[diary]\ndeed = 'blobs'\n[neighbour]")
        .await
        .unwrap();
    let ask = async |relay: &HookHarness, name: &str, after: Option<u8>, max| {
        let after = after.map(|byte| [byte; 32]);
        let page: Result<Option<Vec<BackupBlob>>, BackupError> =
            relay.handle.back_up_blobs(name, after, max, LONG).await;
        let numbers = |page: Vec<BackupBlob>| page.iter().map(|blob| blob.sha256[0]).collect();
        page.map(|page| page.map(numbers))
    };
    assert_eq!(ask(&relay, "diary", None, 3).await, Ok(Some(vec![1, 2, 3])));
    assert_eq!(ask(&relay, "diary", Some(3), 3).await, Ok(Some(vec![4])));
    assert_eq!(ask(&relay, "diary", Some(4), 3).await, Ok(Some(vec![])));
    assert_eq!(ask(&relay, "neighbour", None, 3).await, Ok(Some(vec![])));
    // Of one that is off nobody knows.
    assert_eq!(ask(&relay, "stranger", None, 3).await, Ok(None));
    let too_many = ask(&relay, "diary", None, 2).await.unwrap_err();
    assert!(too_many.0.contains("more blobs"), "{too_many}");
    relay.apply("[diary]\ndeed = 'panic'").await.unwrap();
    let panicked = ask(&relay, "diary", None, 3).await.unwrap_err();
    assert!(panicked.0.contains("panicked"), "{panicked}");
    assert_eq!(relay.status("diary").faults, 2);
    relay.host.shutdown().await;
}

/// The first backup in which the diary has these lines.
async fn backup_with(relay: &TestRelay, lines: &str) -> Backup {
    let mut found = None;
    until("the lines", async || {
        let backup = relay.back_up().await;
        let copy = backup.files("diary").remove(0);
        let has_them = fs::read_to_string(copy).unwrap() == lines;
        found = has_them.then_some(backup);
        has_them
    })
    .await;
    found.unwrap()
}

#[tokio::test]
async fn d4_after_a_restore_stored_hooks_go_on_from_where_the_files_are() {
    let relay = TestRelay::of::<Diary>()
        .extension::<Neighbour>()
        .start()
        .await;
    let author = relay.author(1);
    let line = |words: &str| author.draft(450).content(words).sign();
    let mut client = relay.connect().await;
    client.store(&line("before")).await;
    let backup = backup_with(&relay, "before\n").await;
    client.store(&line("between")).await;
    backup_with(&relay, "before\nbetween\n").await;

    let relay = relay.kill_and_restore(&backup).await;
    let mut client = relay.connect().await;
    client.store(&line("after")).await;
    backup_with(&relay, "before\nbetween\nafter\n").await;
    relay.stop().await;
}

#[tokio::test]
async fn d4_rows_that_no_backup_takes_are_those_whose_prefix_is_declared() {
    let admin = Author::new(1);
    let config = format!("[information]\npubkey = '{}'", admin.pubkey().to_hex());
    let relay = TestRelay::of::<Diary>().config(&config).start().await;
    let rows = relay.backed_up_rows("diary");
    let keys: Vec<_> = rows.iter().map(|(key, _)| key.as_slice()).collect();
    assert_eq!(keys, [&b"call"[..], &b"caller/1"[..]]);
    // Whose they are is known of an extension that is off, and of no other.
    assert!(!is_backed_up(BOTH, "diary", b"call/1"));
    for space in ["neighbour", "diary@stored", "unknown"] {
        assert!(is_backed_up(BOTH, space, b"call/1"), "{space}");
    }
    let there = async |relay: &TestRelay| relay.manage(&admin, "rows", json!([])).await;
    let all = json!(["call", "call/1", "caller/1"]);
    assert_eq!(there(&relay).await, Ok(all));
    let backup = relay.back_up().await;
    let relay = relay.kill_and_restore(&backup).await;
    assert_eq!(there(&relay).await, Ok(json!(["call", "caller/1"])));
    relay.stop().await;
}
