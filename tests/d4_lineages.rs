//! D4: histories that follow one another in one place, by real processes that are killed: a loss before a new history is
//! whole, a place with nothing to restore, a start that was interrupted, another interval.
//!
//! What a kill would have left a moment earlier is made by hand where that moment is too short to be hit.

#![cfg(feature = "backup")]

use std::path::{Path, PathBuf};
use tempfile::TempDir;
use trellis_test_support::{
    Author, Client, Event, Front, Output, Relay, Setup, Value, http, json, trellis, wait,
};

/// Where copies go. Removed after the test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Place(TempDir::with_prefix("trellis-copies-").expect("a directory"))
    }

    fn table(&self, interval: &str) -> String {
        let path = self.0.path().display();
        format!("[backup]\nurl = \"file://{path}\"\ninterval = {interval:?}")
    }

    /// A relay with an empty database that writes there.
    fn relay(&self) -> Setup {
        let table = self.table("200ms");
        trellis!().front(Front::Server).config(&table)
    }

    /// The database of a stopped relay that has never had a backup, to be written there, and what is in it.
    async fn other(&self) -> (Setup, Event) {
        let relay = trellis!().front(Front::Server).start().await;
        let note = Author::new().note("of another database");
        Client::connect(&relay).await.store(&note).await;
        let (_, setup) = relay.stop().await;
        (setup.config(&self.table("200ms")), note)
    }

    fn head(&self) -> PathBuf {
        self.0.path().join("head.json")
    }

    /// Has nobody read the head, whoever reads, until what is returned is put back.
    fn hide_head(&self) -> PathBuf {
        let aside = self.0.path().join("aside");
        std::fs::rename(self.head(), &aside).expect("a head");
        std::fs::create_dir(self.head()).expect("a directory");
        aside
    }

    fn show_head(&self, aside: &Path) {
        std::fs::remove_dir(self.head()).expect("the directory");
        std::fs::rename(aside, self.head()).expect("a head");
    }

    /// The folder of the history that is written now.
    fn newest(&self) -> PathBuf {
        let head: Value = read(&self.head());
        self.0
            .path()
            .join(head["lineage"].as_str().expect("a name"))
    }
}

fn read(path: &Path) -> Value {
    let text = std::fs::read(path).expect("an object");
    serde_json::from_slice(&text).expect("JSON")
}

async fn run(setup: &Setup, arguments: &[&str]) -> Output {
    let config = setup.config_file().display().to_string();
    let mut all = vec!["backup"];
    all.extend(arguments);
    all.extend(["-c", &config]);
    setup.run(&all).await
}

/// Waits until everything that is committed now is in the backup.
async fn until_backed_up(relay: &Relay) {
    run(relay.setup(), &["now"]).await.assert_success();
}

async fn until_snapshot(relay: &Relay) {
    wait::until("a snapshot", async || {
        let health = http::get(relay, "/health", &[]).await.json();
        health["backup"]["last_snapshot_at_ms"].as_u64()
    })
    .await;
}

async fn notes(relay: &Relay) -> Vec<Event> {
    let mut client = Client::connect(relay).await;
    client.query(json!({"kinds": [1]})).await
}

#[tokio::test]
async fn d4_a_loss_before_a_new_history_is_whole_restores_what_it_took_the_place_of() {
    let place = Place::new();
    let relay = place.relay().start().await;
    until_snapshot(&relay).await;
    let author = Author::new();
    let (one, two) = (author.note("one"), author.note("two"));
    Client::connect(&relay).await.store(&one).await;
    until_backed_up(&relay).await;
    let (_, setup) = relay.stop().await;
    let database = setup.home().join("data").join("data.mdb");
    let image = std::fs::read(&database).expect("an image of the disk");
    let relay = setup.start().await;
    Client::connect(&relay).await.store(&two).await;
    let (_, setup) = relay.stop().await;
    let before = place.newest();
    std::fs::write(&database, image).expect("the old disk");

    let relay = setup.start().await;
    relay.wait_for_log(0, "a new backup begins").await;
    relay.kill();
    let begun = place.newest();
    assert_ne!(begun, before);
    // Its first copy of everything, if it was quicker than the kill.
    let _ = std::fs::remove_dir_all(begun.join("snapshots"));

    let relay = place.relay().start().await;
    relay.wait_for_log(0, "took the place of is restored").await;
    let found = notes(&relay).await;
    assert!(found.contains(&one) && found.contains(&two), "{found:?}");
    until_backed_up(&relay).await;
    let setup = relay.kill();
    run(&setup, &["verify"]).await.assert_success();
}

#[tokio::test]
async fn d4_a_relay_serves_what_it_has_while_the_place_cannot_be_reached() {
    let place = Place::new();
    let relay = place.relay().start().await;
    until_snapshot(&relay).await;
    let author = Author::new();
    let (one, two) = (author.note("one"), author.note("two"));
    Client::connect(&relay).await.store(&one).await;
    until_backed_up(&relay).await;
    let (_, setup) = relay.stop().await;
    let aside = place.hide_head();

    let relay = setup.start().await;
    relay.wait_for_log(0, "the relay starts without it").await;
    Client::connect(&relay).await.store(&two).await;
    let health = http::get(&relay, "/health", &[]).await.json();
    assert_eq!(health["backup"]["status"], "degraded", "{health}");
    assert_ne!(run(relay.setup(), &["now"]).await.code, Some(0));
    place.show_head(&aside);
    let before = place.newest();
    wait::until("the backup goes on", async || {
        let copied = run(relay.setup(), &["now"]).await;
        (copied.code == Some(0)).then_some(())
    })
    .await;
    assert_eq!(place.newest(), before);
    relay.kill();

    let relay = place.relay().start().await;
    let found = notes(&relay).await;
    assert!(found.contains(&one) && found.contains(&two), "{found:?}");
}

#[tokio::test]
async fn d4_an_older_database_that_reaches_the_place_later_begins_anew() {
    let place = Place::new();
    let relay = place.relay().start().await;
    until_snapshot(&relay).await;
    let (_, setup) = relay.stop().await;
    let database = setup.home().join("data").join("data.mdb");
    let image = std::fs::read(&database).expect("an image of the disk");
    let relay = setup.start().await;
    let author = Author::new();
    Client::connect(&relay)
        .await
        .store(&author.note("lost"))
        .await;
    let (_, setup) = relay.stop().await;
    std::fs::write(&database, image).expect("the old disk");
    let before = place.newest();
    let aside = place.hide_head();

    // As many rows as the backup has, and others.
    let relay = setup.start().await;
    let others = [author.note("one"), author.note("two")];
    for note in &others {
        Client::connect(&relay).await.store(note).await;
    }
    place.show_head(&aside);
    relay.wait_for_log(0, "a new backup begins").await;
    assert_ne!(place.newest(), before);
    until_snapshot(&relay).await;
    relay.kill();
    let relay = place.relay().start().await;
    let found = notes(&relay).await;
    assert!(others.iter().all(|it| found.contains(it)), "{found:?}");
}

#[tokio::test]
async fn d4_a_history_without_anything_is_refused_and_left_to_who_writes_it() {
    let place = Place::new();
    let (setup, note) = place.other().await;
    run(&setup, &["now"]).await.assert_success();
    let setup = setup.start().await.kill();
    // As before its first copy and its first segment were there.
    let lineage = place.newest();
    let aside = TempDir::with_prefix("trellis-aside-").expect("a directory");
    let folders = ["snapshots", "segments"];
    let folders = folders.map(|name| (lineage.join(name), aside.path().join(name)));
    for (from, to) in &folders {
        // There may be no segment.
        let _ = std::fs::rename(from, to);
    }
    let head = std::fs::read(place.head()).expect("a head");
    let refused = place.relay().serve_to_end().await;
    refused.assert_failure(&["holds no whole copy"]);
    assert_eq!(std::fs::read(place.head()).expect("a head"), head);
    let verified = run(&setup, &["verify"]).await;
    assert_eq!(verified.code, Some(1), "{}", verified.text());
    for (from, to) in &folders {
        let _ = std::fs::rename(to, from);
    }
    // The database that is there is as good as ever.
    let relay = setup.start().await;
    assert_eq!(notes(&relay).await, [note]);
}

#[tokio::test]
async fn d4_a_start_that_was_killed_before_the_head_was_written_is_made_up_for() {
    let place = Place::new();
    let relay = place.relay().start().await;
    until_snapshot(&relay).await;
    relay.stop().await;
    let head = std::fs::read(place.head()).expect("a head");
    let (setup, note) = place.other().await;
    run(&setup, &["now", "--take-over"]).await.assert_success();
    // The last thing that it did.
    std::fs::write(place.head(), head).expect("the head");
    let relay = setup.start().await;
    until_backed_up(&relay).await;
    until_snapshot(&relay).await;
    relay.kill();
    let relay = place.relay().start().await;
    assert_eq!(notes(&relay).await, [note]);
}

#[tokio::test]
async fn d4_the_interval_of_the_last_start_says_when_a_relay_is_dead() {
    let place = Place::new();
    let relay = place.relay().start().await;
    until_snapshot(&relay).await;
    let lineage = place.newest().join("lineage.json");
    assert_eq!(read(&lineage)["interval_ms"], 200);
    let setup = relay.kill();
    let relay = setup.config(&place.table("1s")).start().await;
    assert_eq!(place.newest().join("lineage.json"), lineage);
    assert_eq!(read(&lineage)["interval_ms"], 1_000);
    relay.kill();
}

#[tokio::test]
async fn d4_a_restoration_by_hand_says_what_it_has_read_and_why() {
    let place = Place::new();
    let relay = place.relay().start().await;
    until_snapshot(&relay).await;
    let one = Author::new().note("one");
    Client::connect(&relay).await.store(&one).await;
    until_backed_up(&relay).await;
    relay.stop().await;
    let name = |history: PathBuf| -> String {
        let name = history.file_name().expect("a name");
        name.to_string_lossy().into_owned()
    };
    let first = name(place.newest());
    let restored = run(&place.relay(), &["restore"]).await;
    let said = &restored.assert_success().stdout;
    assert!(said.contains("the snapshot of"), "{said}");
    assert!(said.contains(&first), "{said}");
    assert!(!said.contains("no whole copy"), "{said}");

    let (setup, _) = place.other().await;
    run(&setup, &["now", "--take-over"]).await.assert_success();
    // As before its first copy was done.
    std::fs::remove_dir_all(place.newest().join("snapshots")).expect("a copy");
    let second = name(place.newest());
    let setup = place.relay();
    let restored = run(&setup, &["restore"]).await;
    let said = &restored.assert_success().stdout;
    assert!(said.contains(&format!("in {first}, after")), "{said}");
    let why = format!("{second}, the newest history, has no whole copy yet");
    assert!(said.contains(&why), "{said}");
    let relay = setup.start().await;
    assert_eq!(notes(&relay).await, [one]);
}
