//! Genesis files.

use crate::blob_server::BlobServer;
use crate::ground::{Ground, secret_file, tool};
use std::fs;
use tempfile::TempDir;
use trellis_test_support::command::run;
use trellis_test_support::{Author, Output, Value, blob, trellis};

/// Addresses of users, as go-zenon's own genesis has them.
const ADDRESSES: [&str; 5] = [
    "z1qpecepafw0m6pyxd9lx0vngpqkrsd6f44gjx2v",
    "z1qz3n2ezt9uxk2zeus3sy550tyr8la4vhgfq48v",
    "z1qzt4at0mp2wzrd5hj2pp47du5rgrwph9atmk07",
    "z1qqtzmgfhd8q9f6revg2987j0wlpzs94k2ak08g",
    "z1qr7urykpjth3w9lcl66atgvu5fc0ywawzha220",
];
const SPORK: &str = "z1qpxswrfnlll355wrx868xh58j7e2gu2n2u5czv";

async fn new(home: &TempDir, template: &str, pillars: usize, more: &[&str]) -> Output {
    let mut command = tool(home);
    command.args([
        "genesis",
        "new",
        "--template",
        template,
        "--chain-id",
        "77",
        "--spork",
        SPORK,
    ]);
    for (number, address) in ADDRESSES.iter().enumerate().take(pillars) {
        command
            .arg("--pillar")
            .arg(format!("pillar-{number}={address}"));
    }
    command.args(more);
    run(command, "").await
}

#[tokio::test]
async fn t1_genesis_templates_add_up() {
    let home = TempDir::new().expect("a folder");
    let treasury = format!("{}=1000000,2000000", ADDRESSES[0]);
    let cases = [
        ("single", 1, &[][..]),
        ("five-validators", 5, &[]),
        ("sidechain", 3, &["--treasury", &treasury]),
    ];
    for (template, pillars, more) in cases {
        let file = home.path().join(template).display().to_string();
        let more: Vec<&str> = more
            .iter()
            .copied()
            .chain(["--begins", "1790000000", "--out", &file])
            .collect();
        let made = new(&home, template, pillars, &more).await;
        let genesis: Value =
            serde_json::from_str(&fs::read_to_string(&file).expect("a genesis")).expect("JSON");
        assert_eq!(genesis["ChainIdentifier"], 77);
        assert_eq!(
            genesis["PillarConfig"]["Pillars"].as_array().map(Vec::len),
            Some(pillars)
        );
        let mut hash = tool(&home);
        hash.args(["genesis", "hash", &file]);
        let hash = run(hash, "").await;
        assert_eq!(
            hash.assert_success().stdout.trim(),
            blob::sha256(&fs::read(&file).expect("a genesis"))
        );
        assert!(made.assert_success().stdout.contains(hash.stdout.trim()));
        let damaged = home.path().join("damaged").display().to_string();
        let text = fs::read_to_string(&file).expect("a genesis").replacen(
            "1500000000000",
            "1500000000001",
            1,
        );
        fs::write(&damaged, text).expect("written");
        let mut hash = tool(&home);
        hash.args(["genesis", "hash", &damaged]);
        run(hash, "").await.assert_failure(&["the pillars hold"]);
    }
}

#[tokio::test]
async fn t1_genesis_refuses_wrong_addresses_and_numbers_of_pillars() {
    let home = TempDir::new().expect("a folder");
    new(&home, "five-validators", 4, &[])
        .await
        .assert_failure(&["found 4 of --pillar", "has 5"]);
    new(&home, "sidechain", 2, &[])
        .await
        .assert_failure(&["--treasury"]);
    let mistyped = ADDRESSES[0].replace("gjx2v", "gjx2w");
    let pillar = format!("other={mistyped}");
    new(&home, "single", 0, &["--pillar", &pillar])
        .await
        .assert_failure(&["a typing error?"]);
    let mut main_network = tool(&home);
    main_network.args([
        "genesis",
        "new",
        "--template",
        "single",
        "--chain-id",
        "1",
        "--spork",
        SPORK,
    ]);
    main_network.args(["--pillar", &format!("one={}", ADDRESSES[0])]);
    run(main_network, "")
        .await
        .assert_failure(&["1 is not in 2.."]);
}

#[tokio::test]
async fn t1_genesis_is_published_where_nodes_get_the_same_bytes() {
    let ground = Ground::new().await;
    let file = ground.path("genesis.json").display().to_string();
    new(&ground.home, "single", 1, &["--out", &file])
        .await
        .assert_success();
    let hash = blob::sha256(&fs::read(&file).expect("a genesis"));

    let folder = ground.path("served");
    fs::create_dir(&folder).expect("a folder");
    let to = folder.display().to_string();
    let copied = ground
        .tool(&["genesis", "publish", &file, "--to", &to])
        .await;
    assert!(copied.assert_success().stdout.contains(&hash));
    assert_eq!(
        fs::read(folder.join(format!("{hash}.json"))).expect("a copy"),
        fs::read(&file).expect("it")
    );

    let uploader = Author::new();
    let key = secret_file(&ground.home, "uploader", &uploader.secret())
        .display()
        .to_string();
    let server = BlobServer::start();
    let uploaded = ground
        .tool(&[
            "genesis",
            "publish",
            &file,
            "--to",
            &server.url(),
            "--key",
            &key,
        ])
        .await;
    let words = format!(
        "--genesis-url {}/{hash} --genesis-hash {hash}",
        server.url()
    );
    assert!(
        uploaded.assert_success().stdout.contains(&words),
        "{}",
        uploaded.text()
    );
    assert_eq!(server.uploader(), Some(uploader.pubkey()));
}

#[tokio::test]
async fn t1_genesis_that_a_server_refuses_is_said_with_its_reason() {
    let ground = Ground::new().await;
    let file = ground.path("genesis.json").display().to_string();
    new(&ground.home, "single", 1, &["--out", &file])
        .await
        .assert_success();
    // The relay's own Blossom server stores no text, whatever it is called.
    let blobs = ground.path("blobs").display().to_string();
    let config = format!("[extensions.blossom_policy]\npath = '{blobs}'\n");
    let server = trellis!().config(&config).start().await;
    let key = ground.path("key-0").display().to_string();
    let refused = ground
        .tool(&[
            "genesis",
            "publish",
            &file,
            "--to",
            &server.http_url(),
            "--key",
            &key,
        ])
        .await;
    refused.assert_failure(&["answered 4"]);
    assert!(
        !refused.stderr.contains("no reason given"),
        "{}",
        refused.text()
    );
}
