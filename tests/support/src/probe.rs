//! The extension `probe` as tests see it: its table, and over HTTP what its hooks were told.

use crate::http;
use crate::relay::Relay;
use crate::wait;
use serde_json::Value;

/// The kinds that [`table`] has it asked about; 20,000 to 20,099 are ephemeral, 10,000 to 10,099 replaceable.
pub const KINDS: &str = "[5, [7000, 7100], [10000, 10100], [20000, 20100]]";

/// `[extensions.probe]` with these hooks, and further keys as TOML.
pub fn table(hooks: &[&str], more: &str) -> String {
    format!("[extensions.probe]\nhooks = {hooks:?}\nkinds = {KINDS}\n{more}\n")
}

/// How often a hook was called since the extension was built.
pub async fn calls(relay: &Relay, hook: &str) -> u64 {
    read(relay, "calls").await[hook].as_u64().unwrap_or(0)
}

/// Waits until a hook was called so often.
pub async fn wait_for_calls(relay: &Relay, hook: &str, at_least: u64) {
    wait::until(&format!("{at_least} calls of {hook}"), async || {
        (calls(relay, hook).await >= at_least).then_some(())
    })
    .await;
}

/// What its `stored` hook was told, in order: `stored ID`, `removed ID`.
pub async fn changes(relay: &Relay) -> Vec<String> {
    texts(read(relay, "changes").await)
}

/// Waits until its `stored` hook was told this.
pub async fn wait_for_change(relay: &Relay, change: &str) {
    wait::until(change, async || {
        changes(relay)
            .await
            .iter()
            .any(|seen| seen == change)
            .then_some(())
    })
    .await;
}

/// What its `session` hook was told, in order: `connected SESSION`, ...
pub async fn notes(relay: &Relay) -> Vec<String> {
    texts(read(relay, "notes").await)
}

/// Ids of the rows that its `commit` hook has written, in order.
pub async fn rows(relay: &Relay) -> Vec<String> {
    keys(&read(relay, "rows").await)
}

/// Ids of all events that its `stored` hook has ever been told of, in order.
pub async fn told(relay: &Relay) -> Vec<String> {
    keys(&read(relay, "told").await)
}

/// Lets go what waits, now and later.
pub async fn release(relay: &Relay) {
    let response = http::send(relay, "POST", "/probe/release", &[]).await;
    assert_eq!(response.status, 204, "{}", response.body);
}

/// What `/health` says of an extension; null where it is off.
pub async fn health(relay: &Relay, extension: &str) -> Value {
    http::get(relay, "/health", &[]).await.json()["extensions"][extension].clone()
}

async fn read(relay: &Relay, page: &str) -> Value {
    let response = http::get(relay, &format!("/probe/{page}"), &[]).await;
    assert_eq!(response.status, 200, "{page}: {}", response.body);
    response.json()
}

fn keys(rows: &Value) -> Vec<String> {
    let rows = rows.as_object().expect("an object");
    rows.keys().cloned().collect()
}

fn texts(list: Value) -> Vec<String> {
    let list = list.as_array().cloned().expect("a list");
    let texts = list
        .iter()
        .filter_map(|text| text.as_str().map(str::to_owned));
    texts.collect()
}
