#![allow(clippy::unwrap_used)]

use super::*;
use crate::store::Write;
use crate::writer::Origin;

/// A row of the given size, from nobody who waits for an answer.
fn row(value_bytes: usize) -> Submission {
    Submission {
        write: Write::Kv {
            extension: "test".to_owned(),
            key: Vec::new(),
            value: Some(vec![0; value_bytes]),
        },
        origin: Origin::Internal(None),
        permit: None,
    }
}

/// A queue whose writer would wait for ever for those who approach.
fn patient() -> Arc<Queue> {
    let queue = Arc::new(Queue::default());
    queue.lock().patience = Duration::MAX;
    queue
}

fn is_due(queue: &Queue) -> bool {
    queue.lock().is_due()
}

fn fill(queue: &Queue, writes: usize) {
    for _ in 0..writes {
        queue.push(row(0)).unwrap();
    }
}

#[test]
fn v3_a_write_without_company_is_due_at_once() {
    let queue = patient();
    assert!(!is_due(&queue));
    queue.push(row(0)).unwrap();
    assert!(is_due(&queue));
}

#[test]
fn v3_a_writer_that_waits_is_woken_by_a_single_write() {
    let queue = Arc::new(Queue::default());
    let writer = {
        let queue = queue.clone();
        std::thread::spawn(move || queue.next_batch(Duration::ZERO, || false).unwrap().len())
    };
    while !queue.lock().writer_waits {
        std::thread::yield_now();
    }
    queue.push(row(0)).unwrap();
    assert_eq!(writer.join().unwrap(), 1);
}

#[test]
fn v2_writes_wait_until_nobody_approaches() {
    let queue = patient();
    let (one, other) = (Approach::begin(&queue), Approach::begin(&queue));
    fill(&queue, 3);
    assert!(!is_due(&queue));
    drop(one);
    assert!(!is_due(&queue));
    drop(other);
    assert!(is_due(&queue));
    assert_eq!(queue.lock().take_batch().len(), 3);
    assert!(!is_due(&queue));
}

#[test]
fn v2_who_approaches_for_ever_holds_nothing_up() {
    let queue = patient();
    let approach = Approach::begin(&queue);
    fill(&queue, 1);
    assert!(!is_due(&queue));
    queue.lock().patience = Duration::ZERO;
    assert!(is_due(&queue));
    drop(approach);
}

#[test]
fn v2_a_full_batch_waits_for_nobody_and_leaves_the_rest_for_the_next() {
    let queue = patient();
    let approach = Approach::begin(&queue);
    fill(&queue, BATCH_EVENTS - 1);
    assert!(!is_due(&queue));
    fill(&queue, 3);
    assert!(is_due(&queue));
    assert_eq!(queue.lock().take_batch().len(), BATCH_EVENTS);
    assert!(!is_due(&queue));
    drop(approach);
    assert_eq!(queue.lock().take_batch().len(), 2);
}

#[test]
fn v2_a_batch_is_full_by_its_bytes_too() {
    let queue = patient();
    let approach = Approach::begin(&queue);
    let half = BATCH_BYTES / 2 + 1;
    queue.push(row(half)).unwrap();
    assert!(!is_due(&queue));
    queue.push(row(half)).unwrap();
    queue.push(row(half)).unwrap();
    assert!(is_due(&queue));
    assert_eq!(queue.lock().take_batch().len(), 2);
    assert!(!is_due(&queue), "what is left is less than a batch");
    drop(approach);
}

#[test]
fn c27_a_writer_that_may_stop_takes_what_is_left_first() {
    let queue = Queue::default();
    queue.push(row(0)).unwrap();
    assert_eq!(queue.next_batch(Duration::ZERO, || true).unwrap().len(), 1);
    assert!(queue.next_batch(Duration::ZERO, || true).is_none());
}

#[test]
fn c27_nothing_is_taken_once_the_writer_is_gone() {
    let queue = Queue::default();
    queue.push(row(0)).unwrap();
    queue.close();
    assert!(queue.lock().submissions.is_empty());
    assert!(queue.push(row(0)).is_err());
}
