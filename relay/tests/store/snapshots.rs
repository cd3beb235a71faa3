//! Readers beside a writer: a page shows whole batches or nothing of them.

use crate::draft::Draft;
use crate::subject::{NOW, Subject, for_every_store, scan_of};
use std::sync::atomic::{AtomicBool, Ordering};
use trellis_relay::filter::Filter;
use trellis_relay::store::{NoPolicy, Write};

for_every_store!(
    c3_readers_see_whole_batches,
    c3_a_boundary_hides_what_is_committed_later,
);

const BATCHES: u64 = 40;
const BATCH_EVENTS: u64 = 10;

fn batch(n: u64) -> Vec<Write> {
    (0..BATCH_EVENTS)
        .map(|m| {
            let draft = Draft::of(1).by((m % 3) as u8).at(NOW - n);
            Write::Put(draft.tag(&["t", "cats"]).content(m.to_string()).build())
        })
        .collect()
}

fn c3_readers_see_whole_batches(subject: &Subject) {
    let is_done = AtomicBool::new(false);
    let mut filter = Filter::default();
    filter.tags.insert(b't', vec!["cats".to_owned()]);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut last = 0;
                while last < BATCHES * BATCH_EVENTS && !is_done.load(Ordering::Relaxed) {
                    let page = subject.store.scan(&scan_of(&filter)).unwrap();
                    let events = page.events.len() as u64;
                    assert!(page.next.is_none());
                    assert!(events.is_multiple_of(BATCH_EVENTS) && events >= last);
                    last = events;
                }
            });
        }
        for n in 0..BATCHES {
            subject.commit_with(&batch(n), &NoPolicy);
        }
        is_done.store(true, Ordering::Relaxed);
    });
    assert_eq!(subject.count("{}"), BATCHES * BATCH_EVENTS);
}

fn c3_a_boundary_hides_what_is_committed_later(subject: &Subject) {
    subject.commit_with(&batch(5), &NoPolicy);
    let filter = Filter::default();
    let mut scan = scan_of(&filter);
    scan.max_row = subject.store.last_row().unwrap();
    scan.budget.events = 1;
    let mut seen = 0;
    // Newer and older events come in between every two pages.
    for n in 0.. {
        let page = subject.store.scan(&scan).unwrap();
        seen += page.events.len() as u64;
        scan.resume = page.next;
        if page.next.is_none() {
            break;
        }
        subject.commit_with(&batch(if n % 2 == 0 { 10 + n } else { 4 }), &NoPolicy);
    }
    assert_eq!(seen, BATCH_EVENTS);
}
