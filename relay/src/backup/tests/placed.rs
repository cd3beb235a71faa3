//! Files of extensions that are put back.

use super::super::manifest::{FORMAT, FileList, ListedFile, sha256, to_json};
use super::super::placing;
use super::super::plan::Point;
use super::*;

#[test]
fn d4_hooks_go_back_even_where_another_file_is_in_the_way() {
    let ground = Ground::new();
    let (_store, _noted, shipper) = ground.writing();
    let lineage = shipper.opened.lineage.clone();
    let target = Target::open(&ground.config.url).unwrap();
    let list = FileList {
        format: FORMAT,
        extension: "diary".to_owned(),
        sequence: 1,
        at_ms: 1,
        cursors: serde_json::from_str(r#"{"0": 7}"#).unwrap(),
        files: vec![ListedFile {
            restore_to: "diary.db".to_owned(),
            sha256: sha256(b"as it was"),
            raw_bytes: 9,
        }],
    };
    let name = names::file_list(&lineage, 1, "diary");
    target.put(&name, to_json(&list)).unwrap();
    let data = ground.home.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("diary.db"), b"another").unwrap();
    let point = Point {
        lineage: lineage.clone(),
        sequence: 1,
        row: 40,
        at_ms: 1,
        sha256: None,
    };
    let history = target.history(&lineage).unwrap();
    let (placed, rows) = placing::place(&target, &history, &point, &data).unwrap();
    assert_eq!((placed.files, placed.left_out), (0, 1));
    assert_eq!(std::fs::read(data.join("diary.db")).unwrap(), b"another");
    let [
        Write::Kv {
            extension,
            key,
            value,
        },
    ] = &rows[..]
    else {
        panic!("{rows:?}");
    };
    let cursor = 7_u64.to_be_bytes().to_vec();
    assert_eq!((&extension[..], &key[..]), ("diary@stored", &b"0"[..]));
    assert_eq!(value, &Some(cursor));
}
