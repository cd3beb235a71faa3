//! The same of every place: a directory, and the buckets that `tests/run` starts.
#![allow(clippy::unwrap_used)]

use super::bucket::PART_BYTES;
use super::{Object, Target};
use std::fs;
use std::io::Read as _;

#[test]
fn d4_a_directory_is_a_place() {
    let home = tempfile::tempdir().unwrap();
    let url = format!("file://{}", home.path().display());
    is_a_place(&Target::open(&url).unwrap());
}

#[test]
fn d4_a_bucket_that_speaks_s3_is_a_place() {
    let Ok(url) = std::env::var("TEST_S3_URL") else {
        eprintln!("TEST_S3_URL is not set: S3 is not tested");
        return;
    };
    let (endpoint, bucket) = url.rsplit_once('/').unwrap();
    let environment = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
    ];
    is_a_place(&bucket_of("s3", bucket, &environment));
}

#[test]
fn d4_a_bucket_of_google_is_a_place() {
    let Ok(url) = std::env::var("TEST_GCS_URL") else {
        eprintln!("TEST_GCS_URL is not set: Google Cloud Storage is not tested");
        return;
    };
    let (endpoint, bucket) = url.rsplit_once('/').unwrap();
    is_a_place(&bucket_of(
        "gs",
        bucket,
        &[("STORAGE_EMULATOR_HOST", endpoint)],
    ));
}

fn bucket_of(scheme: &str, bucket: &str, environment: &[(&str, &str)]) -> Target {
    let owned = environment.iter();
    let owned: Vec<_> = owned
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    let url = format!("{scheme}://{bucket}/place-{:016x}", rand::random::<u64>());
    Target::open_with(&url, &owned).unwrap()
}

fn is_a_place(target: &Target) {
    assert_eq!(target.get("a/1.json").unwrap(), None);
    assert!(target.put_new("a/1.json", "one").unwrap());
    assert!(!target.put_new("a/1.json", "two").unwrap());
    assert_eq!(target.get("a/1.json").unwrap().unwrap(), "one");
    target.put("a/1.json", "three").unwrap();
    assert_eq!(target.get("a/1.json").unwrap().unwrap(), "three");
    assert_eq!(target.size("a/1.json").unwrap(), Some(5));
    assert_eq!(target.size("a/2.json").unwrap(), None);
    target.put("a/empty", "").unwrap();
    assert_eq!(target.get("a/empty").unwrap().unwrap(), "");

    let names: Vec<String> = (0..40).map(|number| format!("b/c/{number:04}")).collect();
    for name in &names {
        target.put(name, name.clone()).unwrap();
    }
    let listed = |after: Option<&str>| -> Vec<String> {
        let listed = target.list("b", after).unwrap().into_iter();
        listed.map(|object| object.name).collect()
    };
    assert_eq!(listed(None), names);
    assert_eq!(listed(Some("b/c/0036")), names[37..]);
    assert_eq!(target.folders("").unwrap(), ["a", "b"]);
    assert_eq!(target.folders("b").unwrap(), ["c"]);
    let mut wanted = names[..3].to_vec();
    wanted.push("b/c/none".to_owned());
    let read = target.get_all(&wanted).unwrap();
    assert_eq!(read[2].as_ref().unwrap(), "b/c/0002");
    assert_eq!(read[3], None);

    // More than two parts, and none of them like another.
    let home = tempfile::tempdir().unwrap();
    let (from, to) = (home.path().join("from"), home.path().join("to"));
    let bytes: Vec<u8> = (0..PART_BYTES / 2 * 5 / 4)
        .flat_map(|number| (number as u32).to_le_bytes())
        .collect();
    fs::write(&from, &bytes).unwrap();
    assert_eq!(target.put_file("long", &from).unwrap(), bytes.len() as u64);
    assert!(target.get_file("long", &to).unwrap());
    assert!(fs::read(&to).unwrap() == bytes);
    assert!(target.get("long").unwrap().unwrap() == bytes);
    let (mut reading, mut read) = (target.open_object("long").unwrap().unwrap(), Vec::new());
    assert_eq!(reading.read_to_end(&mut read).unwrap(), bytes.len());
    assert!(read == bytes);
    assert!(target.open_object("none").unwrap().is_none());
    assert!(!target.get_file("none", &home.path().join("none")).unwrap());

    target.delete(wanted).unwrap();
    let object = Object {
        name: "b/c/0003".to_owned(),
        bytes: 8,
    };
    assert_eq!(target.list("b", None).unwrap()[0], object);
    let all = target.list("", None).unwrap().into_iter();
    target.delete(all.map(|it| it.name).collect()).unwrap();
    assert!(target.list("", None).unwrap().is_empty());
    assert!(target.folders("").unwrap().is_empty());
}
