//! C21: what an extension guards is kept by `trellis delete` too, whether a relay runs or not.

use trellis_test_support::{Author, Client, Setup, json, now, probe, trellis_probe, wait};

async fn delete(setup: &Setup, more: &[&str]) -> String {
    let file = setup.config_file().display().to_string();
    let filter = r#"{"kinds":[7000]}"#;
    let arguments = [&["delete", "-c", &file, "-f", filter], more].concat();
    let deleted = setup.run(&arguments).await;
    deleted.assert_success().stdout.clone()
}

#[tokio::test]
async fn c21_a_guarded_event_is_kept_and_counted() {
    let relay = trellis_probe!()
        .config(&probe::table(&["guard_removal"], ""))
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let kept = author.draft(7000).probe("guard_removal", "no").sign();
    let free = |n: u32| author.draft(7000).content(&n.to_string()).sign();
    client.store_all(&[kept.clone(), free(1), free(2)]).await;
    let words = delete(relay.setup(), &[]).await;
    assert!(words.contains("2 events removed, 1 kept"), "{words}");
    client.store(&free(3)).await;
    let (_, setup) = relay.stop().await;
    let words = delete(&setup, &["--dry-run"]).await;
    assert!(words.contains("2 events match"), "{words}");
    let words = delete(&setup, &[]).await;
    assert!(words.contains("1 events removed, 1 kept"), "{words}");
    let words = delete(&setup, &["--without-extensions"]).await;
    assert!(words.contains("1 events removed, 0 kept"), "{words}");
}

#[tokio::test]
async fn c21_an_import_is_asked_about_as_what_clients_publish() {
    let setup = trellis_probe!().config(&probe::table(&["commit"], ""));
    let file = setup.config_file().display().to_string();
    let author = Author::new();
    let refused = author.draft(7000).probe("commit", "no").sign();
    let taken = author.draft(7000).sign();
    let input = format!("{}\n{}\n", refused.as_json(), taken.as_json());
    let import = ["import", "-c", &file, "-"];
    let stopped = setup.run_with_input(&import, &input).await;
    assert!(stopped.assert_success().stdout.contains("1 stored"));
    assert!(stopped.stderr.contains("line 1: "), "{}", stopped.text());
    let relay = setup.start().await;
    let running = relay.setup().run_with_input(&import, &input).await;
    assert!(
        running
            .assert_success()
            .stdout
            .contains("0 stored, 1 had before")
    );
    assert!(running.stderr.contains("line 1: "), "{}", running.text());
}

#[tokio::test]
async fn c21_a_command_on_a_stopped_store_does_nothing_else_to_it() {
    let author = Author::new();
    // Asked for once: two that a second passes between would be the same event.
    let newest = now() - 100_000;
    let aged = |n: u64| author.draft(7001).at(newest - n).sign();
    let old: Vec<_> = (0..300).map(aged).collect();
    let relay = trellis_probe!().start().await;
    Client::connect(&relay).await.store_all(&old).await;
    let (_, setup) = relay.stop().await;
    let rules = "[data]\nretention_interval = \"1ms\"\n[[retention]]\nmax_age = \"1h\"\n\
                 [operation]\nnotice = \"moving on Thursday\"\n";
    let setup = setup.config(&(rules.to_owned() + &probe::table(&["guard_removal"], "")));
    let words = delete(&setup, &[]).await;
    assert!(words.contains("0 events removed, 0 kept"), "{words}");
    let file = setup.config_file().display().to_string();
    let import = ["import", "-c", &file, "-"];
    let note = author.note("imported");
    let imported = setup.run_with_input(&import, &note.as_json()).await;
    assert!(imported.assert_success().stdout.contains("1 stored"));
    setup.run(&["run", "-c", &file]).await.assert_success();
    let exported = setup.run(&["export", "-c", &file]).await;
    let lines = exported.assert_success().stdout.lines();
    assert_eq!(lines.count(), old.len() + 1);
    // What was left alone goes when the relay runs.
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    wait::until("the sweep", async || {
        let left = client.query(json!({"kinds": [1, 7001]})).await;
        (left == [note.clone()]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn c26_warnings_left_out_of_an_import_are_told_at_its_end() {
    let setup = trellis_probe!().config(&probe::table(&["commit"], ""));
    let file = setup.config_file().display().to_string();
    let author = Author::new();
    // Good answers between the faults, or the hook would be skipped.
    let input: String = (0..15)
        .flat_map(|n| {
            let draft = || author.draft(7000).content(&n.to_string());
            let bad = draft().probe("commit", "error").sign();
            [bad.as_json() + "\n", draft().sign().as_json() + "\n"]
        })
        .collect();
    let import = ["import", "-c", &file, "-"];
    let imported = setup.run_with_input(&import, &input).await;
    let faults = imported.stderr.matches("a hook is at fault").count();
    assert_eq!(faults, 10, "{}", imported.text());
    assert!(imported.stderr.contains("left_out=5"), "{imported:?}");
}
