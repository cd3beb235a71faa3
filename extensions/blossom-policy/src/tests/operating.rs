//! What the operator does: bans, quarantine, modes, archives, marks.

use super::ground::*;
use serde_json::{Value, json};
use std::time::Duration;
use trellis_relay::testing::{Author, HttpCall, TestRelay};

const TOKEN: &str = "hR3kq0ZbT1mYw8vXo5Nc7LdJf2GsPa4E";

async fn operated() -> TestRelay {
    let admin = Author::new(9).pubkey().to_hex();
    relay(&format!(
        "admins = ['{admin}']\nservice_tokens = {{ desk = '{TOKEN}' }}"
    ))
    .await
}

fn order(relay: &TestRelay, action: &str, body: &Value) -> HttpCall {
    let call = relay.post(&format!("/admin/{action}")).json(body);
    call.nip98(&Author::new(9))
}

#[tokio::test]
async fn b14_who_is_no_operator_gives_no_orders() {
    let relay = operated().await;
    let body = json!({ "pubkey": Author::new(1).pubkey().to_hex(), "reason": "spam" });
    let unsigned = relay.post("/admin/ban").json(&body).await;
    assert_refused(&unsigned, 401, "Authorization");
    let stranger = relay.post("/admin/ban").json(&body).nip98(&Author::new(1));
    assert_refused(&stranger.await, 403, "operator alone");
    let wrong = relay
        .post("/admin/ban")
        .json(&body)
        .header("Authorization", "Bearer x");
    assert_refused(&wrong.await, 401, "token");
    assert_refused(
        &relay.get("/admin/blobs").nip98(&Author::new(1)).await,
        403,
        "",
    );
    let forged = order(&relay, "ban", &body).signed_url("https://evil.example/admin/ban");
    assert_refused(&forged.await, 403, "u tag");
}

#[tokio::test]
async fn b14_a_banned_hash_is_neither_shown_nor_stored_and_a_banned_key_stores_nothing() {
    let relay = operated().await;
    let alice = Author::new(1);
    let name = store(&relay, &alice, 1).await;
    let ban = json!({ "sha256": name, "reason": "reported as malware" });
    let done = order(&relay, "ban", &ban).await;
    assert_eq!(
        (done.status, done.json::<Value>()),
        (200, json!({ "changed": true }))
    );
    assert_refused(&relay.get(&format!("/{name}")).await, 451, "");
    let again = upload(&relay, &Author::new(2), "application/pdf", &pdf(1)).await;
    assert_refused(&again, 403, "not stored here");
    let bans: Value = relay.get("/admin/bans").nip98(&Author::new(9)).await.json();
    assert_eq!(bans["items"][0]["sha256"], name.to_string());
    assert_eq!(bans["items"][0]["reason"], "reported as malware");

    let back = json!({ "sha256": name, "reason": "a mistake" });
    assert_eq!(order(&relay, "unban", &back).await.status, 200);
    assert_eq!(relay.get(&format!("/{name}")).await.status, 200);

    let whom = json!({ "pubkey": alice.pubkey().to_hex(), "reason": "spam" });
    let by_service = relay.post("/admin/ban").json(&whom);
    let by_service = by_service.header("Authorization", &format!("Bearer {TOKEN}"));
    assert_eq!(by_service.await.status, 200);
    let late = upload(&relay, &alice, "application/pdf", &pdf(2)).await;
    assert_refused(&late, 403, "banned");

    let book: Value = relay
        .get("/admin/decisions")
        .nip98(&Author::new(9))
        .await
        .json();
    let book = book["items"].as_array().unwrap();
    let told: Vec<_> = book.iter().map(|it| (&it["action"], &it["by"])).collect();
    let admin = json!(Author::new(9).pubkey().to_hex());
    assert_eq!(told[0], (&json!("ban"), &json!("desk")));
    assert_eq!(told[1], (&json!("unban"), &admin));
    assert_eq!(told.len(), 3);
}

#[tokio::test]
async fn b14_quarantine_hides_and_removal_removes_whoever_owns_it() {
    let relay = operated().await;
    let name = store(&relay, &Author::new(1), 1).await;
    let body = json!({ "sha256": name, "reason": "to be looked at" });
    assert_eq!(
        order(&relay, "quarantine", &body).await.json::<Value>()["changed"],
        true
    );
    let body = json!({ "sha256": name, "reason": "once more" });
    assert_eq!(
        order(&relay, "quarantine", &body).await.json::<Value>()["changed"],
        false
    );
    assert_refused(&relay.get(&format!("/{name}")).await, 451, "");
    let blobs: Value = relay
        .get("/admin/blobs")
        .nip98(&Author::new(9))
        .await
        .json();
    assert_eq!(blobs["items"][0]["quarantined_for"], "to be looked at");
    let body = json!({ "sha256": name, "reason": "it is fine" });
    order(&relay, "unquarantine", &body).await;
    assert_eq!(relay.get(&format!("/{name}")).await.status, 200);
    let body = json!({ "sha256": name, "reason": "by order of a court" });
    assert_eq!(
        order(&relay, "remove", &body).await.json::<Value>()["changed"],
        true
    );
    assert_refused(&relay.get(&format!("/{name}")).await, 404, "");
    let wrong = json!({ "sha256": "x", "reason": "why" });
    assert_refused(&order(&relay, "remove", &wrong).await, 400, "64 hex");
    let wordless = json!({ "sha256": name, "reason": "" });
    assert_refused(&order(&relay, "remove", &wordless).await, 400, "reason");
}

#[tokio::test]
async fn b14_what_is_quarantined_stays_so_whatever_else_is_said() {
    let relay = operated().await;
    let alice = Author::new(1);
    let name = store(&relay, &alice, 1).await;
    let body = json!({ "sha256": name, "reason": "to be looked at" });
    for action in ["quarantine", "ban", "unban"] {
        assert_eq!(order(&relay, action, &body).await.status, 200);
        assert_refused(&relay.get(&format!("/{name}")).await, 451, "");
        // A signature is good for one request.
        relay.clock().advance(Duration::from_secs(1));
    }
    let given_up = relay
        .delete(&format!("/{name}"))
        .header("Authorization", &token(&alice, "delete", &[name]));
    assert_eq!(given_up.await.status, 204);
    let anew = upload(&relay, &alice, "application/pdf", &pdf(1)).await;
    assert_refused(&anew, 403, "not stored here");
    assert_refused(&relay.get(&format!("/{name}")).await, 451, "");

    let shown = order(&relay, "unquarantine", &body).await;
    assert_eq!(shown.json::<Value>()["changed"], true);
    assert_refused(&relay.get(&format!("/{name}")).await, 404, "");
    store(&relay, &alice, 1).await;
}

#[tokio::test]
async fn b14_the_management_api_does_the_same() {
    let admin = Author::new(9);
    let table = format!("[information]\npubkey = '{}'", admin.pubkey().to_hex());
    let relay = TestRelay::of::<crate::BlossomPolicy>()
        .config(&table)
        .start()
        .await;
    let name = store(&relay, &Author::new(1), 1).await.to_string();
    let done = relay
        .manage(&admin, "banblob", json!([name, "malware"]))
        .await;
    assert_eq!(done, Ok(json!(true)));
    assert_refused(&relay.get(&format!("/{name}")).await, 451, "");
    let bans = relay
        .manage(&admin, "listblobbans", json!([]))
        .await
        .unwrap();
    assert_eq!(bans[0]["sha256"], name);
    let wrong = relay
        .manage(&admin, "banblob", json!(["x", "malware"]))
        .await;
    assert!(wrong.unwrap_err().contains("64 hex"));
    let totals = relay
        .manage(&admin, "blossomtotals", json!([]))
        .await
        .unwrap();
    assert_eq!(
        (&totals["blobs"], &totals["quarantined"]),
        (&json!(1), &json!(1))
    );
    let whom = Author::new(1).pubkey().to_hex();
    let done = relay
        .manage(&admin, "banblobuploader", json!([whom, "spam"]))
        .await;
    assert_eq!(done, Ok(json!(true)));
    let late = upload(&relay, &Author::new(1), "application/pdf", &pdf(2)).await;
    assert_refused(&late, 403, "banned");
}

#[tokio::test]
async fn b14_read_only_stores_nothing_and_export_gives_everybody_what_is_theirs() {
    let mut relay = relay("").await;
    let (alice, bob) = (Author::new(1), Author::new(2));
    let names = [
        store(&relay, &alice, 1).await,
        store(&relay, &alice, 2).await,
    ];
    store(&relay, &bob, 3).await;
    let export = |relay: &TestRelay| {
        let call = relay.get("/export");
        call.header("Authorization", &token(&alice, "list", &[]))
    };
    assert_refused(&export(&relay).await, 404, "not offer");
    relay
        .reconfigure("[extensions.blossom_policy]\nmode = 'read_only'")
        .await
        .unwrap();
    let late = upload(&relay, &alice, "application/pdf", &pdf(4)).await;
    assert_refused(&late, 403, "nothing new");
    assert_eq!(relay.get(&format!("/{}", names[0])).await.status, 200);

    relay
        .reconfigure("[extensions.blossom_policy]\nmode = 'export'")
        .await
        .unwrap();
    assert_refused(&relay.get("/export").await, 401, "");
    let archive = export(&relay).await;
    assert_eq!(archive.status, 200);
    assert_eq!(archive.header("content-type"), Some("application/x-tar"));
    let files = untarred(&archive.body);
    let mut wanted = [1, 2].map(|number| (format!("{}.pdf", hash(&pdf(number))), pdf(number)));
    wanted.sort();
    assert_eq!(files, wanted);
}

/// Names and contents of what the system's tar finds in an archive, by name.
fn untarred(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.tar");
    std::fs::write(&file, archive).unwrap();
    let mut tar = std::process::Command::new("tar");
    let done = tar
        .args(["-xf", "all.tar"])
        .current_dir(folder.path())
        .status();
    assert!(done.unwrap().success());
    std::fs::remove_file(file).unwrap();
    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read(entry.path()).unwrap())
    });
    let mut files: Vec<_> = files.collect();
    files.sort();
    files
}

#[tokio::test]
async fn b15_uploads_and_their_bytes_are_counted() {
    // Counters are the process's, so other tests add to them.
    let relay = relay("").await;
    let bytes = pdf(1);
    let counted = async |result: &'static str| {
        let labels = [("route", "upload"), ("result", result)];
        relay.metric("trellis_blossom_uploads_total", &labels).await
    };
    let taken = async || {
        relay
            .metric("trellis_blossom_uploaded_bytes_total", &[])
            .await
    };
    let before = (counted("new").await, counted("known").await, taken().await);
    let wrong_before = counted("unsupported_type").await;
    store(&relay, &Author::new(1), 1).await;
    store(&relay, &Author::new(1), 1).await;
    upload(&relay, &Author::new(1), "image/png", &bytes).await;
    assert!(counted("new").await >= before.0 + 1.0);
    assert!(counted("known").await >= before.1 + 1.0);
    assert!(taken().await >= before.2 + bytes.len() as f64);
    assert!(counted("unsupported_type").await >= wrong_before + 1.0);
}

#[tokio::test]
async fn b15_a_server_that_gets_full_says_so_before_it_is() {
    let bytes = pdf(1).len();
    // With one stored, 80 % are used.
    let relay = relay(&format!("quota = {{ total_bytes = {} }}", bytes * 5 / 4)).await;
    let standing = async |relay: &TestRelay| {
        let health: Value = relay.get("/health").await.json();
        health["extensions"]["blossom_policy"].clone()
    };
    assert_eq!(standing(&relay).await["reason"], Value::Null);
    store(&relay, &Author::new(1), 1).await;
    let relay = relay.restart().await;
    let told = standing(&relay).await;
    assert_eq!(told["status"], "degraded", "{told}");
    assert!(told.to_string().contains("70 %"), "{told}");
}
