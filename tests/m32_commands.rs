//! M32: `trellis mls ...` by the program itself, on a relay that is stopped and on one that runs.

use std::fs;
use trellis_test_support::{Author, Front, Setup, json, trellis};

fn setup() -> Setup {
    trellis!()
        .front(Front::Server)
        .config("[extensions.mls_gateway]")
}

#[tokio::test]
async fn m32_the_commands_work_whether_the_relay_runs_or_not() {
    let setup = setup();
    let owner = Author::new();
    let line = json!({"group_id": "grp_abc", "display_name": "Team", "owner_pubkey": owner.npub(),
        "created_at": 1_600_000_000, "updated_at": 1_600_000_000});
    let file = setup.home().join("groups.jsonl");
    fs::write(&file, format!("{line}\n{{}}\n")).expect("a file");
    let file = file.display().to_string();
    let config = setup.config_file().display().to_string();

    let words = ["mls", "import", "--groups", &file, "-c", &config];
    let imported = setup.run(&words).await;
    assert_eq!(imported.code, Some(1), "one line is wrong");
    imported.assert_failure(&["2 lines: 1 new", "group_id"]);
    let stopped = setup.run(&["run", "-c", &config, "mls", "groups"]).await;
    let stopped = stopped.assert_success().stdout.clone();
    assert!(stopped.contains("grp_abc\t1\t"), "{stopped}");

    let relay = setup.start().await;
    let setup = relay.setup();
    let running = setup.run(&["mls", "groups", "-c", &config]).await;
    assert_eq!(running.assert_success().stdout, stopped);
    let out = setup.home().join("exported.jsonl");
    let out = out.display().to_string();
    let exported = setup
        .run(&["mls", "-c", &config, "export", "--groups", &out])
        .await;
    exported.assert_success();
    let exported = fs::read_to_string(&out).expect("the export");
    assert!(exported.contains(&owner.pubkey()), "{exported}");
    let again = setup
        .run(&["mls", "import", "--groups", &out, "-c", &config])
        .await;
    assert!(again.assert_success().stdout.contains("1 there before"));
    let unknown = setup.run(&["mls", "gruops", "-c", &config]).await;
    unknown.assert_failure(&["gruops", "mls groups"]);
}
