//! The examples of `docs/extensions/testing.md`, as an author would have them in files of their own.

mod alone;
mod backup;
mod clients;
mod faults;
#[allow(
    unreachable_pub,
    reason = "in an author's crate it stands in `src/lib.rs`"
)]
mod first;
mod http;
mod outbound;
mod people;
mod survive;
mod time;

const GUIDE: &str = include_str!("../../../docs/extensions/testing.md");
const FILES: [&str; 10] = [
    include_str!("alone.rs"),
    include_str!("backup.rs"),
    include_str!("clients.rs"),
    include_str!("faults.rs"),
    include_str!("first.rs"),
    include_str!("http.rs"),
    include_str!("outbound.rs"),
    include_str!("people.rs"),
    include_str!("survive.rs"),
    include_str!("time.rs"),
];

/// An example is shown as it is run here, to the letter.
#[test]
fn e14_the_guide_to_testing_shows_what_is_run() {
    let blocks = GUIDE.split("```rust\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap_or_default());
    let mut shown = 0;
    for block in blocks {
        let is_run = FILES.iter().any(|file| file.contains(block));
        assert!(is_run, "in no file of relay/tests/guide:\n{block}");
        shown += 1;
    }
    assert_eq!(shown, 11, "examples of the guide");
}
