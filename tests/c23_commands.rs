//! C23: the command line: help, exit codes, errors that say what to do, and a start without any configuration.

use std::fs;
use trellis_test_support::{Author, Client, Front, Setup, http, json, trellis};

fn setup() -> Setup {
    trellis!().front(Front::Server)
}

const COMMANDS: [&str; 12] = [
    "serve",
    "health",
    "doctor",
    "import",
    "export",
    "delete",
    "check",
    "compact",
    "run",
    "extensions",
    "config",
    "bench",
];

#[tokio::test]
async fn c23_help_names_every_command() {
    for arguments in [&["--help"][..], &["help"][..]] {
        let help = setup().run(arguments).await;
        help.assert_success();
        for word in COMMANDS {
            assert!(
                help.stdout.contains(word),
                "{word} is not in {}",
                help.stdout
            );
        }
    }
    for command in COMMANDS {
        let help = setup().run(&[command, "--help"]).await;
        help.assert_success();
        assert!(help.stdout.contains("Usage"), "{}", help.stdout);
    }
    let version = setup().run(&["--version"]).await;
    assert!(
        version
            .assert_success()
            .stdout
            .contains(env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test]
async fn c23_help_breaks_lines_only_where_the_terminal_ends() {
    let setup = setup().env("COLUMNS", "2000");
    let nested = [
        &["extensions", "list"][..],
        &["config", "schema"],
        &["bench", "gen"],
        &["bench", "ingest"],
        &["bench", "query"],
        &["bench", "fanout"],
        &["bench", "idle"],
        &["bench", "micro"],
        &["sync"],
        &[],
    ];
    for command in COMMANDS
        .each_ref()
        .map(std::slice::from_ref)
        .into_iter()
        .chain(nested)
    {
        let help = setup.run(&[command, &["--help"]].concat()).await;
        let help = &help.assert_success().stdout;
        let prose = help.split("\n\n").filter(|text| {
            let begins = text.trim_start_matches('\n');
            !begins.starts_with(' ')
                && !begins
                    .lines()
                    .next()
                    .is_some_and(|line| line.ends_with(':'))
        });
        for paragraph in prose {
            assert_eq!(
                paragraph.trim().lines().count(),
                1,
                "{command:?}: {paragraph}"
            );
        }
    }
}

#[tokio::test]
async fn c23_misuse_ends_with_code_2_and_a_hint() {
    for arguments in [
        &["sevre"][..],
        &["serve", "--wacth"],
        &["config"],
        &["import"],
        &["delete"],
        &["extensions"],
        &["--no-such"],
    ] {
        let output = setup().run(arguments).await;
        assert_eq!(output.code, Some(2), "{arguments:?}: {}", output.text());
        assert!(output.stdout.is_empty(), "errors belong on standard error");
        assert!(!output.stderr.is_empty());
    }
}

#[tokio::test]
async fn c23_a_missing_configuration_file_is_named() {
    let output = setup().run(&["serve", "-c", "no/such/file.toml"]).await;
    output.assert_failure(&["no/such/file.toml"]);
    let output = setup()
        .run(&["config", "check", "-c", "no/such/file.toml"])
        .await;
    output.assert_failure(&["no/such/file.toml"]);
    assert_eq!(output.stderr.matches("No such file").count(), 1);
}

#[tokio::test]
async fn c23_a_bad_key_stops_the_start_with_file_key_and_nearest() {
    for (toml, words) in [
        (
            "[limitation]\nmax_subscription = 3",
            &["max_subscription", "max_subscriptions"][..],
        ),
        ("[limitation]\nmax_limit = \"many\"", &["max_limit", "many"]),
        ("[limitation]\nmax_limit = -1", &["max_limit", "-1"]),
        ("[netwrok]\nport = 1", &["netwrok", "network"]),
        (
            "[extensions.no_such_extension]\na = 1",
            &["no_such_extension"],
        ),
        ("[limitation\n", &[":1"]),
    ] {
        let setup = setup().config(toml);
        let file = setup.config_file().display().to_string();
        let words = [words, &["config.toml"]].concat();
        setup.serve_to_end().await.assert_failure(&words);
        setup
            .run(&["config", "check", "-c", &file])
            .await
            .assert_failure(&words);
    }
}

#[tokio::test]
async fn c23_all_problems_are_told_at_once() {
    let setup = setup().config(
        "[limitation]\nmax_limit = \"x\"\n[network]\nprot = 1\n[data]\ndb_query_timeout = 5.5",
    );
    setup
        .serve_to_end()
        .await
        .assert_failure(&["max_limit", "prot", "db_query_timeout"]);
}

#[tokio::test]
async fn c23_the_first_command_of_the_readme_runs_with_extensions_on() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/quickstart.toml");
    let text = fs::read_to_string(file).expect("config/quickstart.toml");
    let relay = setup().config(&text).start().await;
    let health = http::get(&relay, "/health", &[]).await;
    assert_eq!(health.status, 200);
    for extension in ["blossom_policy", "groups", "mls_gateway"] {
        assert!(health.body.contains(extension), "{}", health.body);
    }
    // What one table asks for, no other cuts short.
    let log = relay.log();
    assert!(!log.contains("outbound."), "{log}");
}

#[tokio::test]
async fn c23_a_good_configuration_passes_the_check() {
    let setup = setup().config("[information]\nname = \"x\"");
    let file = setup.config_file().display().to_string();
    setup
        .run(&["config", "check", "-c", &file])
        .await
        .assert_success();
    let explained = setup.run(&["config", "explain", "-c", &file]).await;
    assert!(
        explained
            .assert_success()
            .stdout
            .contains("max_subscriptions")
    );
}

#[tokio::test]
async fn c23_without_configuration_it_serves_on_loopback_and_says_what_it_chose() {
    let relay = setup()
        .without_config()
        .without_env("TRELLIS_DATA__PATH")
        .start()
        .await;
    assert!(relay.address().ip().is_loopback());
    relay.wait_for_log(0, "127.0.0.1").await;
    relay.wait_for_log(0, "data").await;
    let mut client = Client::connect(&relay).await;
    let event = Author::new().note("hello");
    client.store(&event).await;
    assert_eq!(client.query(json!({"kinds": [1]})).await, [event]);
}

#[tokio::test]
async fn c23_explain_shows_the_order_of_hooks() {
    let setup = setup().config(&format!(
        "[extensions.members_only]\nmembers = [\"{}\"]\nprivate = [445]\nmessage = \"join\"",
        Author::new().pubkey()
    ));
    let file = setup.config_file().display().to_string();
    let explained = setup
        .run(&["config", "explain", "--hooks", "-c", &file])
        .await;
    let text = &explained.assert_success().stdout;
    let hooks = text.split_once("hooks, in the order").expect("hooks").1;
    let order = ["admit", "request", "deliver"].map(|hook| hooks.find(hook).expect(hook));
    assert!(order.is_sorted(), "{hooks}");
    assert!(hooks.contains("members_only"), "{hooks}");
    // Extensions are built for it, and leave nothing behind.
    assert!(!setup.home().join("data").exists());
}

#[tokio::test]
async fn c23_relay_is_another_name_for_serve() {
    let setup = setup().config("[limitation]\nmax_limit = \"x\"");
    let file = setup.config_file().display().to_string();
    let relay = setup.run(&["relay", "-c", &file]).await;
    let serve = setup.run(&["serve", "-c", &file]).await;
    relay.assert_failure(&["max_limit"]);
    assert_eq!(relay.code, serve.code);
}

#[tokio::test]
async fn c23_a_port_that_is_taken_is_named() {
    let relay = setup().start().await;
    let port = relay.address().port().to_string();
    let second = setup().env("TRELLIS_NETWORK__PORT", &port);
    second.serve_to_end().await.assert_failure(&[&port]);
}

#[tokio::test]
async fn c23_export_and_import_carry_events_between_relays() {
    let relay = setup().start().await;
    let mut client = Client::connect(&relay).await;
    let mut events = Author::new().notes(50);
    events.push(
        Author::new()
            .draft(0)
            .content("{\"name\":\"ann\\n\"}")
            .sign(),
    );
    client.store_all(&events).await;
    let (_, source) = relay.stop().await;
    let file = source.config_file().display().to_string();
    let exported = source.run(&["export", "-c", &file]).await;
    exported.assert_success();
    assert_eq!(exported.stdout.lines().count(), events.len());

    let target = setup();
    let file = target.config_file().display().to_string();
    let dump = target.home().join("dump.jsonl");
    fs::write(&dump, &exported.stdout).expect("write");
    let dump = dump.display().to_string();
    target
        .run(&["import", "-c", &file, &dump])
        .await
        .assert_success();
    let again = target
        .run_with_input(&["import", "-c", &file, "-"], &exported.stdout)
        .await;
    again.assert_success();
    let relay = target.start().await;
    let mut client = Client::connect(&relay).await;
    let found = client.query(json!({})).await;
    assert_eq!(found.len(), events.len());
    for event in &events {
        assert!(found.contains(event), "{}", event.as_json());
    }
}

#[tokio::test]
async fn c23_export_makes_no_database_and_refuses_to_search() {
    let setup = setup();
    let file = setup.config_file().display().to_string();
    let data = setup.home().join("mistyped");
    let path = data.display().to_string();
    let setup = setup.env("TRELLIS_DATA__PATH", &path);
    let refused = setup.run(&["export", "-c", &file]).await;
    refused.assert_failure(&[&path, "data.path"]);
    assert!(!data.exists());
    let search = ["export", "-c", &file, "-f", r#"{"search":"zebra"}"#];
    setup.run(&search).await.assert_failure(&["search"]);
}

#[tokio::test]
async fn c23_import_reports_bad_lines_by_number_and_skips_them() {
    let setup = setup();
    let file = setup.config_file().display().to_string();
    let author = Author::new();
    let (one, two) = (author.note("one"), author.note("two"));
    let forged = author.note("three").as_json().replace("three", "tree!");
    let input = format!("{}\nnot json\n\n{forged}\n{}", one.as_json(), two.as_json());
    let imported = setup
        .run_with_input(&["import", "-c", &file, "-"], &input)
        .await;
    for line in ["line 2", "line 4"] {
        assert!(
            imported.text().contains(line),
            "{line}: {}",
            imported.text()
        );
    }
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    let mut found = client.query(json!({})).await;
    let mut expected = vec![one, two];
    found.sort_by_key(|event| event.id);
    expected.sort_by_key(|event| event.id);
    assert_eq!(found, expected);
}
