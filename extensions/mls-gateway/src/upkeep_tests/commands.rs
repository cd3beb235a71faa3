//! `mls import`, `export`, `rebuild`, `groups` and `stock`, as the program calls them.

use super::ground::{ADMIN, Database, GROUP, hex};
use crate::roster::Role;
use crate::storage::{Group, LetterBox, Page};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use trellis_relay::event::Event;
use trellis_relay::store::Write;
use trellis_relay::store::memory::MemoryStore;
use trellis_relay::testing::{Author, HookHarness, START_S, json};

async fn run(hooks: &HookHarness, words: &[&str]) -> Result<String, String> {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    hooks.hooks().call_command("mls", words).unwrap().await
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn lines(values: &[serde_json::Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

/// Groups and letters as another server has them.
fn write_old_server(database: &Database) -> (String, String) {
    let groups = [
        json!({"group_id": "grp_abc", "display_name": "Team", "owner_pubkey": hex(1), "last_epoch": 7,
               "last_event_ts": START_S - 5, "relays": "[]", "created_at": 1_600_000_000,
               "updated_at": 1_650_000_000, "members": [hex(2), {"pubkey": hex(3), "role": "admin"}]}),
        json!({"group_id": GROUP, "created_at": 1_600_000_000}),
    ];
    let letter = |id: &str| {
        json!({"id": id, "recipient_pubkey": hex(2), "sender_pubkey": hex(3), "created_at": START_S - 9,
               "expires_at": START_S + 9_999})
    };
    let with = |mut line: serde_json::Value, key: &str, value: serde_json::Value| {
        line[key] = value;
        line
    };
    let package = with(letter("k1"), "content_b64", json!("aGVsbG8="));
    let welcome = with(letter("w1"), "welcome_b64", json!("aGVsbG8="));
    let mailboxes = [
        with(package, "tags", json!([["cs", "1"]])),
        with(welcome, "group_id", json!("grp_abc")),
    ];
    let files = (
        database.path("groups.jsonl"),
        database.path("mailboxes.jsonl"),
    );
    fs::write(&files.0, lines(&groups)).unwrap();
    fs::write(&files.1, lines(&mailboxes)).unwrap();
    (files.0.display().to_string(), files.1.display().to_string())
}

async fn all_groups(database: &Database) -> Vec<Group> {
    let page = Page {
        after: None,
        max: 100,
    };
    database.storage.groups(None, page).await.unwrap()
}

#[tokio::test]
async fn m32_an_import_takes_everything_once_and_export_gives_it_back() {
    let database = Database::new("").await;
    let hooks = database.hooks(Arc::default()).await;
    let (groups, mailboxes) = write_old_server(&database);
    let words = ["import", "--groups", &groups, "--mailboxes", &mailboxes];
    let dry = run(&hooks, &[&words[..], &["--dry-run"]].concat())
        .await
        .unwrap();
    assert!(
        dry.contains("2 lines: 2 new") && dry.contains("nothing was written"),
        "{dry}"
    );
    assert_eq!(all_groups(&database).await, []);

    let done = run(&hooks, &words).await.unwrap();
    assert_eq!(
        done.matches("2 lines: 2 new, 0 there before, 0 left out, 0 wrong")
            .count(),
        2,
        "{done}"
    );
    let stored = all_groups(&database).await;
    assert_eq!(stored.len(), 2);
    let team = &stored[1];
    assert_eq!((team.group_id.as_str(), team.member_count), ("grp_abc", 3));
    assert_eq!(
        (team.created_at_s, team.updated_at_s),
        (1_600_000_000, 1_650_000_000)
    );
    assert_eq!(team.owner, Some(Author::new(1).pubkey()));
    let again = run(&hooks, &words).await.unwrap();
    assert_eq!(again.matches("0 new, 2 there before").count(), 2, "{again}");
    assert_eq!(all_groups(&database).await, stored);

    let export = |name: &str| {
        let files = [format!("{name}-groups"), format!("{name}-boxes")];
        files.map(|file| database.path(&file).display().to_string())
    };
    let files = export("first");
    let words = ["export", "--groups", &files[0], "--mailboxes", &files[1]];
    let said = run(&hooks, &words).await.unwrap();
    assert!(said.contains("2 lines in"), "{said}");
    let other = Database::new("").await;
    let other_hooks = other.hooks(Arc::default()).await;
    let words = ["import", "--groups", &files[0], "--mailboxes", &files[1]];
    run(&other_hooks, &words).await.unwrap();
    assert_eq!(all_groups(&other).await, stored);
    let second = export("second");
    let words = ["export", "--groups", &second[0], "--mailboxes", &second[1]];
    run(&other_hooks, &words).await.unwrap();
    for (first, second) in files.iter().zip(&second) {
        assert_eq!(text(Path::new(first)), text(Path::new(second)));
    }
    let printed = run(&other_hooks, &["export", "--groups", "-"])
        .await
        .unwrap();
    assert_eq!(printed, text(Path::new(&files[0])));
    hooks.host.shutdown().await;
    other_hooks.host.shutdown().await;
}

#[tokio::test]
async fn m32_wrong_lines_are_named_and_the_others_taken() {
    let database = Database::new("").await;
    let hooks = database.hooks(Arc::default()).await;
    let file = database.path("groups.jsonl");
    let long = "x".repeat(5 << 20);
    let mut text = lines(&[
        json!({"group_id": "one", "created_at": 1}),
        json!({"group_id": "two"}),
        json!({"group_id": "three", "created_at": 1, "colour": "red"}),
    ]);
    text.push_str(&format!("\n{{not json\n{long}\n"));
    text.push_str(&json!({"group_id": "six", "created_at": 1}).to_string());
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let said = run(&hooks, &["import", "--groups", &file])
        .await
        .unwrap_err();
    for (number, words) in [
        (2, "created_at"),
        (3, "colour"),
        (5, "key must be"),
        (6, "longer than"),
    ] {
        let line = said
            .lines()
            .find(|line| line.contains(&format!("{file}:{number}:")));
        assert!(
            line.is_some_and(|line| line.contains(words)),
            "{number}: {said}"
        );
    }
    assert!(
        said.contains("6 lines: 2 new, 0 there before, 0 left out, 4 wrong"),
        "{said}"
    );
    assert_eq!(all_groups(&database).await.len(), 2);
    // A roster that has changed since is not taken back, which is no mistake of the line's.
    let line = |members: &[&str]| {
        let line =
            json!({"group_id": "g", "created_at": 1, "owner_pubkey": hex(1), "members": members});
        fs::write(&file, line.to_string()).unwrap();
    };
    line(&[&hex(2)]);
    run(&hooks, &["import", "--groups", &file]).await.unwrap();
    line(&[&hex(3)]);
    let said = run(&hooks, &["import", "--groups", &file]).await.unwrap();
    assert!(
        said.contains("1 left out") && said.contains("another roster"),
        "{said}"
    );
    // Letters that have expired are left out, and said to be.
    let expired = json!({"id": "k", "recipient_pubkey": hex(2), "sender_pubkey": hex(3), "content_b64": "aGVsbG8=",
        "created_at": 1, "expires_at": START_S});
    fs::write(&file, expired.to_string()).unwrap();
    let said = run(&hooks, &["import", "--mailboxes", &file])
        .await
        .unwrap();
    assert!(said.contains("it has expired"), "{said}");
    let letter = database.storage.letter(LetterBox::KeyPackages, "k").await;
    assert_eq!(letter.unwrap(), None);
    for (words, wanted) in [
        (&["import"][..], "--groups FILE"),
        (&["import", "--groups", "/no/such/file"], "/no/such/file"),
        (&["import", "--groups", "no-such-file"], "whole path"),
        (&["import", "--groups", &file, "--dryrun"], "--dryrun"),
        (
            &["export", "--groups", &file, "--mailboxes", &file],
            "same file",
        ),
        (&["imprt"], "mls import"),
        (&[], "mls import"),
    ] {
        let said = run(&hooks, words).await.unwrap_err();
        assert!(said.contains(wanted), "{words:?}: {said}");
    }
    hooks.host.shutdown().await;
}

#[tokio::test]
async fn m32_a_row_that_the_database_refuses_is_its_lines_error_and_the_others_are_taken() {
    let database = Database::new("").await;
    let hooks = database.hooks(Arc::default()).await;
    database
        .sql(
            "CREATE TRIGGER picky BEFORE INSERT ON groups WHEN NEW.group_id = 'two' \
             BEGIN SELECT RAISE(ABORT, 'not this one'); END",
        )
        .await;
    let file = database.path("groups.jsonl");
    let group = |id: &str| json!({"group_id": id, "created_at": 1});
    fs::write(&file, lines(&["one", "two", "three"].map(group))).unwrap();
    let file = file.display().to_string();
    let said = run(&hooks, &["import", "--groups", &file])
        .await
        .unwrap_err();
    assert!(said.contains(&format!("{file}:2: ")), "{said}");
    assert!(said.contains("3 lines: 2 new"), "{said}");
    assert!(said.contains("1 wrong"), "{said}");
    assert_eq!(all_groups(&database).await.len(), 2);
    // One that is away ends it.
    database.sql("ALTER TABLE groups RENAME TO away").await;
    let said = run(&hooks, &["import", "--groups", &file])
        .await
        .unwrap_err();
    assert!(said.contains(&format!("{file}:1: stopped")), "{said}");
    hooks.host.shutdown().await;
}

#[tokio::test]
async fn m32_an_owner_without_a_roster_comes_back_and_founds_nothing() {
    let (first, second) = (Database::new("").await, Database::new("").await);
    let group = Group {
        group_id: "old".to_owned(),
        owner: Some(Author::new(1).pubkey()),
        created_at_s: 1,
        updated_at_s: 2,
        ..Group::default()
    };
    first.storage.import_group(&group).await.unwrap();
    let file = first.path("groups.jsonl").display().to_string();
    for (database, command) in [(&first, "export"), (&second, "import")] {
        let hooks = database.hooks(Arc::default()).await;
        run(&hooks, &[command, "--groups", &file]).await.unwrap();
        hooks.host.shutdown().await;
    }
    assert_eq!(all_groups(&second).await, [group]);
    let rosters = second.storage.rosters(&["old".to_owned()]).await.unwrap();
    assert_eq!(rosters, []);
}

fn roster(by: u64, seq: u64, op: &str, members: &[u64]) -> Event {
    let draft = Author::new(by).draft(450).tag(["h", GROUP]);
    let draft = draft.tag(["seq", &seq.to_string()]).tag(["op", op]);
    let named = members
        .iter()
        .fold(draft, |draft, it| draft.tag(["p", &hex(*it)]));
    named.sign()
}

#[tokio::test]
async fn m17_rebuild_computes_rosters_from_events_and_writes_when_told_to() {
    let database = Database::new("").await;
    let store = Arc::new(MemoryStore::default());
    let hooks = database.hooks(store).await;
    let stranger = roster(9, 2, "add", &[9]);
    let events = [
        roster(ADMIN, 3, "remove", &[2]),
        roster(ADMIN, 1, "bootstrap", &[2]),
        roster(ADMIN, 2, "add", &[3, 4]),
        stranger.clone(),
    ];
    let writes: Vec<Write> = events.into_iter().map(Arc::new).map(Write::Put).collect();
    hooks.core.commit(&writes).unwrap();
    let members = async || {
        let groups = [GROUP.to_owned()];
        let rosters = database.storage.rosters(&groups).await.unwrap();
        let roster = rosters.into_iter().next().map(|(_, it)| it.roster);
        roster.map(|roster| (roster.seq, roster.members.len()))
    };
    let shown = run(&hooks, &["rebuild"]).await.unwrap();
    for words in [
        format!("+ {} owner", hex(ADMIN)),
        format!("+ {} member", hex(3)),
        "seq 0 -> 3".to_owned(),
        format!("event {} (seq 2) changes nothing", stranger.id().to_hex()),
        "1 groups with roster events: 0 as they should be, 0 written".to_owned(),
    ] {
        assert!(shown.contains(&words), "{words}: {shown}");
    }
    assert_eq!(members().await, None, "shown and not written");
    let written = run(&hooks, &["rebuild", "--apply", GROUP]).await.unwrap();
    assert!(written.contains("1 written"), "{written}");
    assert_eq!(members().await, Some((3, 3)));
    let again = run(&hooks, &["rebuild", "--apply"]).await.unwrap();
    assert!(again.contains("1 as they should be, 0 written"), "{again}");

    // A later roster than the events tell of is left alone.
    let rosters = database.storage.rosters(&[GROUP.to_owned()]).await.unwrap();
    let (_, known) = rosters.into_iter().next().unwrap();
    let mut later = known.roster.clone();
    later.seq = 8;
    let put = database
        .storage
        .put_roster(GROUP, &later, Some(known.revision), START_S);
    put.await.unwrap();
    let left = run(&hooks, &["rebuild", "--apply"]).await.unwrap();
    assert!(left.contains("later roster"), "{left}");
    assert_eq!(members().await, Some((8, 3)));
    // Nor is one whose beginning is gone.
    let unknown = run(&hooks, &["rebuild", "--apply", "another"])
        .await
        .unwrap();
    assert!(unknown.contains("no event founds it"), "{unknown}");
    hooks.host.shutdown().await;
}

#[tokio::test]
async fn m17_rebuild_adds_nobody_across_gaps_and_keeps_whom_gift_wraps_added() {
    let database = Database::new("").await;
    let hooks = database.hooks(Arc::new(MemoryStore::default())).await;
    let key = |number| Author::new(number).pubkey();
    let store = |events: Vec<Event>| {
        let writes: Vec<Write> = events.into_iter().map(Arc::new).map(Write::Put).collect();
        hooks.core.commit(&writes).unwrap();
    };
    let stored = async || {
        let rosters = database.storage.rosters(&[GROUP.to_owned()]).await.unwrap();
        rosters.into_iter().next().unwrap().1
    };
    store(vec![roster(ADMIN, 1, "bootstrap", &[2])]);
    run(&hooks, &["rebuild", "--apply"]).await.unwrap();
    // By a gift wrap comes 7.
    let known = stored().await;
    let mut with_guest = known.roster.clone();
    with_guest.members.insert(key(7), Role::Member);
    let put = database
        .storage
        .put_roster(GROUP, &with_guest, Some(known.revision), START_S);
    put.await.unwrap();
    let left = run(&hooks, &["rebuild", "--apply"]).await.unwrap();
    assert!(left.contains("changes by other ways"), "{left}");
    assert_eq!(stored().await.roster, with_guest);
    // A later event is applied to what is there.
    store(vec![roster(ADMIN, 2, "add", &[3])]);
    let written = run(&hooks, &["rebuild", "--apply"]).await.unwrap();
    assert!(written.contains("1 written"), "{written}");
    let after = stored().await.roster;
    assert_eq!((after.seq, after.members.len()), (2, 4));
    assert_eq!(after.role(&key(7)), Some(Role::Member));
    // The third is gone, which may have taken somebody out.
    store(vec![roster(ADMIN, 4, "add", &[4])]);
    let left = run(&hooks, &["rebuild", "--apply"]).await.unwrap();
    assert!(left.contains("missing between seq 2 and 4"), "{left}");
    assert!(left.contains(&format!("+ {} member", hex(4))), "{left}");
    assert_eq!(stored().await.roster, after);
    hooks.host.shutdown().await;
}

#[tokio::test]
async fn m32_groups_and_stock_are_listed() {
    let database = Database::new("keypackage_low_stock = 2").await;
    let hooks = database.hooks(Arc::default()).await;
    let (groups, _) = write_old_server(&database);
    run(&hooks, &["import", "--groups", &groups]).await.unwrap();
    let listed = run(&hooks, &["groups"]).await.unwrap();
    assert!(
        listed.contains("grp_abc\t3\t7\t5 s ago\tTeam\n"),
        "{listed}"
    );
    assert!(
        listed.contains(&format!("{GROUP}\t-\t-\t-\t-\n")),
        "{listed}"
    );
    let package = crate::storage::Package {
        id: *Author::new(2).note("a package").id(),
        owner: Author::new(2).pubkey(),
        reference: None,
        ciphersuite: None,
        created_at_s: START_S,
        expires_at_s: START_S + 9,
    };
    database.storage.put_package(&package).await.unwrap();
    let listed = run(&hooks, &["stock"]).await.unwrap();
    assert!(
        listed.contains(&format!("{}\t1\tlow\n", hex(2))),
        "{listed}"
    );
    hooks.host.shutdown().await;
}
