//! M34: however much is logged, nothing of what the gateway is trusted with is.

use std::fs;
use trellis_test_support::{Author, Client, Front, Relay, http, json, trellis};

const PREFIX: &str = "/api/v1/mls";
const TOKEN: &str = "canary-token-hR3kq0ZbT1mYw8vXo5Nc7LdJf2GsPa4E";
/// `canary-secret` in base64, which is what boxes hold.
const CONTENT_B64: &str = "Y2FuYXJ5LXNlY3JldA==";
const GROUP: &str = "00cafe00445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Everything that was sent and must not be found.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    async fn call(
        &mut self,
        relay: &Relay,
        who: Option<&Author>,
        method: &str,
        path: &str,
        body: &str,
    ) -> u16 {
        let path = format!("{PREFIX}{path}");
        let authorization = match who {
            Some(author) => {
                author.authorization(method, &format!("{}{path}", relay.http_url()), body)
            }
            None => format!("Bearer {TOKEN}"),
        };
        self.0.push(
            authorization
                .split_once(' ')
                .expect("two words")
                .1
                .to_owned(),
        );
        let headers = [
            ("Content-Type", "application/json"),
            ("Authorization", authorization.as_str()),
        ];
        http::send_body(relay, method, &path, &headers, body)
            .await
            .status
    }
}

#[tokio::test]
async fn m34_a_log_at_its_loudest_holds_nothing_of_groups_and_mailboxes() {
    let (admin, alice, bob) = (Author::new(), Author::new(), Author::new());
    let setup = trellis!().env("RUST_LOG", "trace");
    let database = setup.home().join("canary-database.db");
    let relay = setup
        .config(&format!(
            "[extensions.mls_gateway]\ndatabase_url = \"sqlite://{}\"\nadmin_pubkeys = [\"{}\"]\n\
             service_tokens.backend = \"{TOKEN}\"\nkeypackage_low_stock = 3",
            database.display(),
            admin.pubkey()
        ))
        .start()
        .await;
    let mut secrets = Secrets::default();

    // Events of every kind, right ones and wrong ones, and each way to ask for them.
    let mut by_admin = Client::connect(&relay).await;
    by_admin.login(&admin).await;
    let mut by_bob = Client::connect(&relay).await;
    by_bob.login(&bob).await;
    for kind in [443, 30443, 444, 445, 446, 447, 450, 1059] {
        let draft = || {
            admin
                .draft(kind)
                .tag(&["h", GROUP])
                .tag(&["p", &bob.pubkey()])
        };
        let own = admin
            .draft(kind)
            .tag(&["d", "canary-device"])
            .tag(&["kpr", "canary-reference"]);
        let roster = draft().tag(&["seq", "1"]).tag(&["op", "bootstrap"]);
        for event in [
            roster.content(CONTENT_B64).sign(),
            own.content(CONTENT_B64).sign(),
            draft().content("canary-content").sign(),
        ] {
            secrets.0.push(event.sig.to_string());
            by_admin.publish(&event).await;
            by_bob.publish(&event).await;
        }
        let filter = json!({"kinds": [kind], "#h": [GROUP]});
        let filters = [filter.clone()];
        for client in [&mut by_admin, &mut by_bob] {
            // Some are closed, which is told in words.
            let _ = client.ask(&filters).await;
            let _ = client.count(&filters).await;
        }
    }

    // The routes, as a service, as the right one and as the wrong one.
    let to_bob = |key: &str| {
        json!({"recipient": bob.pubkey(), "sender": alice.pubkey(), key: CONTENT_B64, "group_id": GROUP,
            "ratchet_tree_b64": CONTENT_B64})
    };
    let package =
        json!({"recipient": bob.pubkey(), "sender": alice.pubkey(), "content_b64": CONTENT_B64,
        "tags": [["canary", "tag"]]})
        .to_string();
    let welcome = to_bob("welcome_b64").to_string();
    let group =
        json!({"group_id": GROUP, "display_name": "canary-name", "owner_pubkey": alice.pubkey()});
    let ack = json!({"recipient": bob.pubkey(), "sig": "canary-signature"}).to_string();
    let own = format!("recipient={}", bob.pubkey());
    let mut statuses = Vec::new();
    for who in [Some(&alice), Some(&bob), Some(&admin), None] {
        for (method, path, body) in [
            ("POST", "/keypackages".to_owned(), package.as_str()),
            ("POST", "/welcome".to_owned(), &welcome),
            ("POST", "/groups".to_owned(), &group.to_string()),
            ("POST", "/keypackages/canary-id/ack".to_owned(), &ack),
            ("POST", "/welcome/canary-id/ack".to_owned(), &ack),
            ("POST", "/messages/missed".to_owned(), "{}"),
            (
                "POST",
                "/messages/group".to_owned(),
                &json!({"group_id": GROUP}).to_string(),
            ),
            ("POST", "/keypackages".to_owned(), "{canary-json"),
            ("GET", format!("/keypackages?{own}"), ""),
            ("GET", format!("/keypackages?owner={}", bob.npub()), ""),
            ("GET", format!("/welcome?{own}"), ""),
            ("GET", format!("/groups/{GROUP}"), ""),
            ("GET", "/groups?canary=query".to_owned(), ""),
        ] {
            statuses.push(secrets.call(&relay, who, method, &path, body).await);
        }
    }
    for wanted in [200, 400, 403, 404] {
        assert!(statuses.contains(&wanted), "{wanted} in {statuses:?}");
    }

    export_and_import(&relay).await;

    let (_, log) = relay.stop_with_log().await;
    assert!(log.contains("TRACE"), "not at its loudest:\n{log}");
    secrets
        .0
        .extend(["canary", CONTENT_B64, GROUP].map(str::to_owned));
    for person in [&admin, &alice, &bob] {
        secrets
            .0
            .extend([person.secret(), person.pubkey(), person.npub()]);
    }
    for secret in &secrets.0 {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None, "{secret} is in the log");
    }
}

/// The operator's commands, which go through the running relay. An embedded one has no socket for them.
async fn export_and_import(relay: &Relay) {
    if Front::from_env() == Front::Embedded {
        return;
    }
    let setup = relay.setup();
    let config = setup.config_file().display().to_string();
    let file = setup.home().join("letters").display().to_string();
    let words = ["mls", "export", "--mailboxes", &file, "-c", &config];
    setup.run(&words).await.assert_success();
    let letters = fs::read_to_string(&file).expect("letters");
    assert!(letters.contains(CONTENT_B64));
    let wrong = json!({"content_b64": CONTENT_B64, "canary-key": "canary-value"});
    fs::write(&file, format!("{letters}{wrong}\n")).expect("letters");
    let words = ["mls", "import", "--mailboxes", &file, "-c", &config];
    assert_eq!(setup.run(&words).await.code, Some(1));
}

#[tokio::test]
async fn m34_a_database_that_cannot_be_reached_is_told_without_its_address() {
    let url = "postgresql://canary-user:canary-password@127.0.0.1:1/canary-database";
    let table = format!(
        "[extensions.mls_gateway]\nstorage_backend = \"postgres\"\ndatabase_url = \"{url}\""
    );
    let setup = trellis!().env("RUST_LOG", "trace").config(&table);
    let ended = setup.serve_to_end().await;
    assert_eq!(ended.code, Some(1), "{}", ended.text());
    let said = ended.text();
    assert!(said.contains("Failed to connect to database"), "{said}");
    for secret in ["canary-user", "canary-password", "canary-database"] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
}
