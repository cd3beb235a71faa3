//! C21: import, export, delete, check and compact do the same on a stopped relay's store and in a running relay.

use std::fs;
use trellis_test_support::{
    Author, Client, Event, Front, Output, Relay, Setup, http, json, trellis, wait,
};

/// A store that no relay has open, or that one has.
enum Place {
    Stopped(Setup),
    Running(Relay),
}

impl Place {
    fn setup(&self) -> &Setup {
        match self {
            Place::Stopped(setup) => setup,
            Place::Running(relay) => relay.setup(),
        }
    }

    /// Runs a command on the store.
    async fn run(&self, arguments: &[&str]) -> Output {
        self.run_with_input(arguments, "").await
    }

    async fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let file = self.setup().config_file().display().to_string();
        let arguments = [arguments, &["-c", &file]].concat();
        self.setup().run_with_input(&arguments, input).await
    }

    /// Imports these events from standard input.
    async fn import(&self, more: &[&str], events: &[Event]) -> Output {
        let arguments = [&["import", "-"], more].concat();
        self.run_with_input(&arguments, &lines(events)).await
    }

    /// What an export prints, sorted.
    async fn exported(&self, filter: &str) -> Vec<String> {
        let exported = self.run(&["export", "-f", filter]).await;
        let mut lines: Vec<String> = exported
            .assert_success()
            .stdout
            .lines()
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    }
}

/// A relay with these events, stopped and running.
async fn both_with(events: &[Event]) -> [Place; 2] {
    let stopped = relay_with(events).await.stop().await.1;
    [
        Place::Stopped(stopped),
        Place::Running(relay_with(events).await),
    ]
}

async fn relay_with(events: &[Event]) -> Relay {
    let relay = trellis!().front(Front::Server).start().await;
    let mut client = Client::connect(&relay).await;
    client.store_all(events).await;
    relay
}

fn lines(events: &[Event]) -> String {
    events.iter().map(|event| event.as_json() + "\n").collect()
}

#[tokio::test]
async fn c21_what_is_exported_can_be_imported() {
    let author = Author::new();
    let mut events = author.notes(300);
    events.push(author.draft(0).content("{\"name\":\"ann\\n\"}").sign());
    for source in both_with(&events).await {
        let dump = source.setup().home().join("dump.jsonl");
        let dump = dump.display().to_string();
        source.run(&["export", "-o", &dump]).await.assert_success();
        let text = fs::read_to_string(&dump).expect("the dump");
        assert_eq!(text.lines().count(), events.len());
        let to_device = source.run(&["export", "-o", "/dev/null"]).await;
        to_device.assert_success();
        let oldest_first = source.run(&["export", "--oldest-first"]).await;
        let times: Vec<u64> = oldest_first
            .assert_success()
            .stdout
            .lines()
            .map(|line| {
                Event::from_json(line)
                    .expect("an event")
                    .created_at
                    .as_secs()
            })
            .collect();
        assert_eq!(times.len(), events.len());
        assert!(times.is_sorted());
        for target in both_with(&[]).await {
            let imported = target.run(&["import", &dump]).await;
            assert!(imported.assert_success().stdout.contains("301 stored"));
            assert_eq!(imported.stderr, "", "nobody looks, so nothing is told");
            let again = target.run_with_input(&["import", "-"], &text).await;
            assert!(again.assert_success().stdout.contains("301 had before"));
            assert_eq!(target.exported("{}").await, source.exported("{}").await);
        }
    }
}

#[tokio::test]
async fn c21_an_export_that_fails_leaves_the_older_one_as_it_was() {
    let relay = relay_with(&Author::new().notes(300)).await;
    let home = relay.setup().home();
    let dump = home.join("backup.jsonl");
    fs::write(&dump, "an older backup").expect("write");
    // Files end at a few blocks, and the program lives to see the error.
    let limited = std::process::Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 8; exec "$0" "$@""#])
        .arg(env!("CARGO_BIN_EXE_trellis"))
        .args(["export", "-c"])
        .arg(relay.setup().config_file())
        .arg("-o")
        .arg(&dump)
        // Variables that begin with TRELLIS_ are the relay's configuration, and tests have some of their own.
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TRELLIS_DATA__PATH", home.join("data"))
        .output()
        .expect("run a shell");
    let told = String::from_utf8_lossy(&limited.stderr);
    assert_eq!(limited.status.code(), Some(1), "{told}");
    assert!(told.contains("backup.jsonl"), "{told}");
    let text = || fs::read_to_string(&dump).expect("the backup");
    assert_eq!(text(), "an older backup");
    assert!(!home.join("backup.jsonl.part").exists());
    let place = Place::Running(relay);
    let path = dump.display().to_string();
    place.run(&["export", "-o", &path]).await.assert_success();
    assert_eq!(text().lines().count(), 300);
}

#[tokio::test]
async fn c21_an_import_into_a_running_relay_reaches_its_subscribers() {
    let relay = relay_with(&[]).await;
    let mut client = Client::connect(&relay).await;
    client.subscribe("live", &[json!({"kinds": [1]})]).await;
    client.stored("live").await.expect("an open subscription");
    let note = Author::new().note("from a file");
    let place = Place::Running(relay);
    place
        .import(&[], std::slice::from_ref(&note))
        .await
        .assert_success();
    assert_eq!(client.next_event("live").await, note);
}

#[tokio::test]
async fn c21_bad_lines_are_told_in_the_same_words_everywhere() {
    let author = Author::new();
    let (one, two) = (author.note("one"), author.note("two"));
    let forged = author.note("three").as_json().replace("three", "tree!");
    let input = format!("{}\nnot json\n\n{forged}\n{}", one.as_json(), two.as_json());
    let mut told = Vec::new();
    for place in both_with(&[]).await {
        let imported = place.run_with_input(&["import", "-"], &input).await;
        imported.assert_success();
        for line in ["line 2", "line 4"] {
            assert!(imported.stderr.contains(line), "{}", imported.text());
        }
        told.push(imported.text());
        let trusted = place.run_with_input(&["import", "--no-verify", "-"], &input);
        assert!(trusted.await.stdout.contains("1 stored, 2 had before"));
        let rest = place.run_with_input(&["import", "--from-line", "5", "-"], &input);
        assert!(
            rest.await
                .assert_success()
                .stdout
                .contains("0 stored, 1 had before")
        );
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn c21_an_import_fails_where_every_line_is_rejected() {
    for place in both_with(&[]).await {
        let rejected = place.run_with_input(&["import", "-"], "one\n\ntwo\n");
        let rejected = rejected.await;
        rejected.assert_failure(&["line 1: ", "line 3: ", "every line was rejected"]);
        assert_eq!(rejected.code, Some(1));
        assert!(rejected.stdout.contains("2 rejected"), "{rejected:?}");
        let note = Author::new().note("known").as_json();
        for good in [1, 0] {
            let input = format!("one\n{note}\n");
            let some = place.run_with_input(&["import", "-"], &input).await;
            let words = format!("{good} stored");
            assert!(some.assert_success().stdout.contains(&words), "{some:?}");
        }
        place
            .run_with_input(&["import", "-"], "\n")
            .await
            .assert_success();
    }
}

#[tokio::test]
async fn c21_delete_counts_first_and_removes_what_the_filter_names() {
    let author = Author::new();
    let notes = author.notes(600);
    let reactions: Vec<Event> = (0..50)
        .map(|n| author.draft(7).content(&n.to_string()).sign())
        .collect();
    let events = [&notes[..], &reactions[..]].concat();
    for place in both_with(&events).await {
        let filter = r#"{"kinds":[1]}"#;
        let counted = place.run(&["delete", "-f", filter, "--dry-run"]).await;
        assert!(counted.assert_success().stdout.contains("600 events match"));
        assert_eq!(place.exported("{}").await.len(), 650);
        let deleted = place.run(&["delete", "-f", filter]).await;
        assert!(
            deleted
                .assert_success()
                .stdout
                .contains("600 events removed")
        );
        let mut left: Vec<String> = reactions.iter().map(Event::as_json).collect();
        left.sort();
        assert_eq!(place.exported("{}").await, left);
        // No tombstones: what was removed by hand may come back.
        let back = place.import(&[], &notes[..5]).await;
        assert!(back.assert_success().stdout.contains("5 stored"));
    }
}

#[tokio::test]
async fn c21_filters_that_are_wrong_or_name_everything_are_misuse() {
    for place in both_with(&Author::new().notes(3)).await {
        for (arguments, words) in [
            (&["delete", "-f", "{}"][..], "--all"),
            (&["delete", "-f", r#"{"limit":2}"#], "--all"),
            (&["delete", "-f", r#"{"since":0}"#], "--all"),
            (&["delete", "-f", "[1]"], "filter"),
            (&["delete"], "--filter"),
            (&["delete", "-f", r#"{"kind":1}"#], "kind"),
            (&["export", "-f", r#"{"search":"zebra"}"#], "search"),
            (&["import", "--from-line", "0", "-"], "from-line"),
        ] {
            let refused = place.run(arguments).await;
            refused.assert_failure(&[words]);
            assert_eq!(refused.code, Some(2), "{arguments:?}: {}", refused.text());
        }
        assert_eq!(place.exported("{}").await.len(), 3);
        let all = place.run(&["delete", "-f", "{}", "--all"]).await;
        assert!(all.assert_success().stdout.contains("3 events removed"));
        assert_eq!(place.exported("{}").await.len(), 0);
    }
}

#[tokio::test]
async fn c21_check_finds_a_sound_database_sound() {
    for place in both_with(&Author::new().notes(50)).await {
        let checked = place.run(&["check"]).await;
        let words = &checked.assert_success().stdout;
        assert!(
            words.contains("50 events") && words.contains("0 problems"),
            "{words}"
        );
    }
}

#[tokio::test]
async fn c21_check_finds_bytes_that_were_flipped() {
    let note = Author::new().note("a raven like a writing desk");
    let relay = relay_with(&[note]).await;
    let (_, setup) = relay.stop().await;
    let file = setup.home().join("data/data.mdb");
    let mut bytes = fs::read(&file).expect("the database");
    let mut flipped = 0;
    for at in 0..bytes.len() {
        if bytes[at..].starts_with(b"raven") {
            bytes[at] ^= 1;
            flipped += 1;
        }
    }
    assert!(flipped > 0, "the content is not in the file");
    fs::write(&file, bytes).expect("write the database");
    let place = Place::Stopped(setup);
    place.run(&["check", "--skip-ids"]).await.assert_success();
    let checked = place.run(&["check"]).await;
    checked.assert_failure(&["damaged", "export"]);
    assert_eq!(checked.code, Some(1));
    assert!(checked.stdout.contains("row 1"), "{}", checked.stdout);
    assert!(checked.stdout.contains("1 problems"), "{}", checked.stdout);
}

#[tokio::test]
async fn c21_compact_gives_the_disk_back_and_keeps_everything() {
    let author = Author::new();
    let bulk: Vec<Event> = (0..400)
        .map(|n| {
            author
                .draft(7)
                .content(&format!("{n}{}", "x".repeat(4_000)))
                .sign()
        })
        .collect();
    let notes = author.notes(100);
    for place in both_with(&[&bulk[..], &notes[..]].concat()).await {
        let file = place.setup().home().join("data/data.mdb");
        let bytes = || file.metadata().expect("the database").len();
        place
            .run(&["delete", "-f", r#"{"kinds":[7]}"#])
            .await
            .assert_success();
        let before = bytes();
        let compacted = place.run(&["compact"]).await;
        assert!(compacted.assert_success().stdout.contains("MiB after"));
        assert!(bytes() < before / 2, "{} of {before}", bytes());
        assert_eq!(place.exported("{}").await.len(), 100);
        place.run(&["check"]).await.assert_success();
        // A relay serves it as before.
        let relay = match place {
            Place::Running(relay) => relay,
            Place::Stopped(setup) => setup.start().await,
        };
        let mut client = Client::connect(&relay).await;
        let next = author.note("after the compaction");
        client.store(&next).await;
        let by_id = json!({"ids": [next.id.to_hex()]});
        assert_eq!(client.query(by_id).await, [next]);
        assert_eq!(client.query(json!({})).await.len(), 101);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c21_publishing_goes_on_around_compactions_and_survives_kill_9() {
    let relay = relay_with(&Author::new().notes(200)).await;
    let address = Client::connect(&relay).await;
    let place = Place::Running(relay);
    let author = Author::new();
    let publish = async {
        let mut client = address;
        let mut stored = Vec::new();
        for n in 0..200 {
            let note = author.note(&format!("while it is compacted {n}"));
            client.store(&note).await;
            stored.push(note.as_json());
        }
        stored
    };
    let compact = async {
        for _ in 0..8 {
            place.run(&["compact"]).await.assert_success();
        }
    };
    let (stored, ()) = tokio::join!(publish, compact);
    let Place::Running(relay) = place else {
        unreachable!("it runs")
    };
    // Killed with one more under way, or just done.
    let file = relay.setup().config_file().display().to_string();
    let arguments = ["compact", "-c", &file];
    let compacting = async {
        loop {
            relay.setup().run(&arguments).await.assert_success();
        }
    };
    let second = relay.setup().home().join("data/.trellis-compacting");
    let begun = async {
        // Gone after milliseconds, so it is looked for without a rest.
        while !second.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = compacting => {}
        () = wait::within("a compaction", begun) => {}
    }
    let setup = relay.kill();
    let place = Place::Stopped(setup);
    place.run(&["check"]).await.assert_success();
    let exported = place.exported("{}").await;
    assert_eq!(exported.len(), 400);
    assert!(stored.iter().all(|event| exported.contains(event)));
}

#[tokio::test]
async fn c21_a_relay_whose_store_could_not_be_opened_again_is_not_healthy_until_it_is() {
    let note = Author::new().note("still here");
    let relay = relay_with(std::slice::from_ref(&note)).await;
    let lock = relay.setup().home().join("data/lock.mdb");
    fs::remove_file(&lock).expect("remove the lock file");
    fs::create_dir(&lock).expect("stand in its way");
    let file = relay.setup().config_file().display().to_string();
    let compacted = relay.setup().run(&["compact", "-c", &file]).await;
    compacted.assert_failure(&["lock.mdb", "start the relay again"]);
    for path in ["/health", "/ready"] {
        let told = http::get(&relay, path, &[]).await;
        assert_eq!(told.status, 503, "{path}: {}", told.body);
        assert!(told.body.contains("available"), "{path}: {}", told.body);
    }
    fs::remove_dir(&lock).expect("clear the way");
    wait::until("a healthy relay", async || {
        (http::get(&relay, "/health", &[]).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(http::get(&relay, "/ready", &[]).await.status, 200);
    let mut client = Client::connect(&relay).await;
    assert_eq!(client.query(json!({})).await, [note]);
}

#[tokio::test]
async fn c21_a_job_is_done_though_nobody_reads_what_it_says() {
    let mut input = "no event\n".repeat(100);
    input.push_str(&Author::new().note("after them").as_json());
    for place in both_with(&Author::new().notes(3)).await {
        let file = place.setup().config_file().display().to_string();
        let run = async |arguments: &[&str]| {
            let arguments = [arguments, &["-c", &file]].concat();
            let mut command = place.setup().spawn_unread(&arguments);
            let _ = command.feed(&input).join();
            assert_eq!(command.end().await.code, Some(0), "{arguments:?}");
        };
        run(&["import", "-"]).await;
        assert_eq!(place.exported("{}").await.len(), 4);
        run(&["check"]).await;
        run(&["delete", "-f", r#"{"kinds":[1]}"#]).await;
        assert_eq!(place.exported("{}").await.len(), 0);
        run(&["compact"]).await;
        run(&["extensions", "list", "--json"]).await;
    }
}

#[tokio::test]
async fn c21_an_interrupted_import_says_how_to_go_on() {
    let events = Author::new().notes(3_000);
    for place in both_with(&[]).await {
        let file = place.setup().config_file().display().to_string();
        let mut import = place.setup().spawn(&["import", "-c", &file, "-"]);
        // More than a batch, and then an input that does not end.
        import.write(&lines(&events));
        if let Place::Running(relay) = &place {
            let mut client = Client::connect(relay).await;
            wait::until("the first batch", async || {
                (!client.query(json!({"limit": 1})).await.is_empty()).then_some(())
            })
            .await;
        }
        // And not with a whole line.
        import.write("{\"id\":");
        import.interrupt();
        let ended = import.end().await;
        assert_eq!(ended.code, Some(1), "{}", ended.text());
        let line = ended
            .stderr
            .split("--from-line ")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next())
            .map(|line| line.trim_end_matches(':').to_owned());
        let line = line.unwrap_or_else(|| panic!("no line in {}", ended.text()));
        let before = place.exported("{}").await.len();
        let rest = place.import(&["--from-line", &line], &events).await;
        let words = format!("{} stored, 0 had before", 3_000 - before);
        assert!(
            rest.assert_success().stdout.contains(&words),
            "{}",
            rest.text()
        );
        assert_eq!(place.exported("{}").await.len(), 3_000);
    }
}

#[tokio::test]
async fn c21_kill_9_of_an_import_loses_nothing_that_another_run_does_not_bring() {
    let events = Author::new().notes(4_000);
    let text = lines(&events);
    let setup = trellis!().front(Front::Server);
    let file = setup.config_file().display().to_string();
    for killed_after in [100, 2_000] {
        let mut import = setup.spawn(&["import", "-c", &file, "-"]);
        import.write(&lines(&events[..killed_after]));
        import.kill();
        let place = Place::Stopped(setup.clone());
        if setup.home().join("data/data.mdb").exists() {
            place.run(&["check"]).await.assert_success();
        }
    }
    // The same for the relay that an import is running into.
    let relay = setup.start().await;
    let mut import = relay.setup().spawn(&["import", "-c", &file, "-"]);
    let feeding = import.feed(&text);
    let mut client = Client::connect(&relay).await;
    wait::until("some of the import", async || {
        (client.query(json!({"limit": 300})).await.len() >= 300).then_some(())
    })
    .await;
    let setup = relay.kill();
    let ended = import.end().await;
    let _ = feeding.join();
    if ended.code != Some(0) {
        ended.assert_failure(&["--from-line", "running relay"]);
    }
    let place = Place::Stopped(setup);
    place.run(&["check"]).await.assert_success();
    place
        .run_with_input(&["import", "-"], &text)
        .await
        .assert_success();
    assert_eq!(place.exported("{}").await.len(), 4_000);
}
