//! Shows that a new configuration is taken whole or not at all.

use super::*;
use crate::config::{self, Environment};
use futures_util::StreamExt;
use std::os::unix::fs::symlink;

const TICK: Duration = Duration::from_millis(5);

fn loaded(text: &str) -> Loaded {
    config::load_text(Path::new("t.toml"), text, &Environment::new()).expect(text)
}

#[test]
fn c14_changed_keys_are_named_and_those_that_need_a_restart_marked() {
    let old = loaded("[network]\nport = 1\n[limitation]\nmax_limit = 5\n[thread]\nhttp = 1");
    let new = loaded(
        "[network]\nport = 2\n[limitation]\nmax_limit = 6\nmax_filters = 20\n[thread]\nhttp = 1\nreader = 3\n[log]\nfilter = \"warn\"",
    );
    let found: Vec<_> = changes(&old, &new)
        .into_iter()
        .map(|change| (change.key, change.needs_restart))
        .collect();
    let expected = [
        ("limitation.max_limit", false),
        ("log.filter", true),
        ("network.port", true),
        ("thread.reader", true),
    ];
    assert_eq!(
        found,
        expected.map(|(key, restart)| (key.to_owned(), restart))
    );
    assert_eq!(changes(&old, &old), []);
}

#[test]
fn c14_the_same_value_in_other_words_is_no_change() {
    let words = loaded("[data]\ndb_query_timeout = \"1m\"\n[server]\nport = 8080");
    let seconds = loaded("[data]\ndb_query_timeout = 60");
    assert_eq!(changes(&words, &seconds), []);
}

#[test]
fn c14_a_new_secret_is_a_change() {
    let (old, new) = (
        loaded("[metrics]\nauth = \"one\""),
        loaded("[metrics]\nauth = \"two\""),
    );
    let expected = Change {
        key: "metrics.auth".to_owned(),
        needs_restart: false,
    };
    assert_eq!(changes(&old, &new), [expected]);
}

#[test]
fn c14_extensions_with_a_new_table_are_named() {
    let old = loaded("[extensions.a]\nx = 1\n[extensions.b]\n[extensions.c]");
    let new = loaded("[extensions.a]\nx = 2\n[extensions.c]\n[extensions.d]");
    assert_eq!(changed_extensions(&old, &new), ["a", "b", "d"]);
}

#[test]
fn c14_keys_that_need_a_restart_exist() {
    let defaults = Loaded::defaults().leaves();
    for restart in RESTART_KEYS {
        assert!(
            defaults.keys().any(|key| key.starts_with(restart)),
            "{restart}"
        );
    }
}

/// Whether a change is reported at last.
async fn reported(stream: &mut (impl Stream<Item = ()> + Unpin)) -> bool {
    tokio::time::timeout(Duration::from_secs(20), stream.next())
        .await
        .is_ok()
}

async fn silent(stream: &mut (impl Stream<Item = ()> + Unpin)) -> bool {
    tokio::time::timeout(TICK * 20, stream.next())
        .await
        .is_err()
}

#[tokio::test]
async fn c14_rewriting_replacing_and_coming_back_are_noticed() {
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("trellis.toml");
    fs::write(&file, "a = 1").expect("write");
    let mut changes = Box::pin(watch(&file, TICK));
    assert!(silent(&mut changes).await);

    fs::write(&file, "a = 12").expect("rewrite");
    assert!(reported(&mut changes).await, "rewritten in place");
    assert!(silent(&mut changes).await);

    let other = directory.path().join(".trellis.toml.swp");
    fs::write(&other, "a = 13").expect("write");
    fs::rename(&other, &file).expect("rename");
    assert!(
        reported(&mut changes).await,
        "replaced by another of the same length"
    );

    fs::remove_file(&file).expect("remove");
    assert!(silent(&mut changes).await, "gone is no change");
    fs::write(&file, "a = 13").expect("write");
    assert!(reported(&mut changes).await, "back again");
}

#[tokio::test]
async fn c14_swapped_links_are_noticed() {
    let directory = tempfile::tempdir().expect("directory");
    let at = |name: &str| directory.path().join(name);
    for (version, text) in [("v1", "a = 1"), ("v2", "a = 2")] {
        fs::create_dir(at(version)).expect("directory");
        fs::write(at(version).join("trellis.toml"), text).expect("write");
    }
    symlink("v1", at("..data")).expect("link");
    symlink("..data/trellis.toml", at("trellis.toml")).expect("link");
    let mut changes = Box::pin(watch(at("trellis.toml"), TICK));
    assert!(silent(&mut changes).await);
    symlink("v2", at("..data_tmp")).expect("link");
    fs::rename(at("..data_tmp"), at("..data")).expect("swap");
    assert!(reported(&mut changes).await);
    assert!(silent(&mut changes).await);
}
