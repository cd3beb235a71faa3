//! When a batch is due, and what is in it.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::store::Write;
use crate::writer::Origin;
use std::sync::mpsc::{Receiver, channel};

/// Longer than any of these tests: what waits for it was not woken.
const NEVER: Duration = Duration::from_secs(3_600);
/// So much time has a writer that is woken, on a machine that has other things to do.
const DEADLINE: Duration = Duration::from_secs(30);

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

/// A queue before which a writer waits for its first batch, and where the size of the batch arrives. Nothing but a wake-up
/// or the end of `patience` makes it look.
fn with_writer(patience: Duration) -> (Arc<Queue>, Receiver<usize>) {
    let times = Times {
        shortest_gathering: patience,
        longest_gathering: patience,
        look_up: NEVER,
    };
    let queue = Arc::new(Queue {
        times,
        ..Queue::default()
    });
    let (sender, batches) = channel();
    let writer = queue.clone();
    std::thread::spawn(move || {
        let batch = writer.next_batch(Duration::ZERO, || false);
        sender.send(batch.unwrap().len())
    });
    until_it_waits(&queue);
    (queue, batches)
}

/// After the first write too, of which the writer hears although it is not due.
fn until_it_waits(queue: &Queue) {
    let deadline = Instant::now() + DEADLINE;
    while !queue.lock().writer_waits {
        assert!(Instant::now() < deadline, "the writer does not wait");
        std::thread::yield_now();
    }
}

#[test]
fn v3_a_writer_that_waits_is_woken_by_a_lone_write() {
    let (queue, batches) = with_writer(NEVER);
    queue.push(row(0)).unwrap();
    assert_eq!(batches.recv_timeout(DEADLINE), Ok(1));
}

#[test]
fn v2_the_last_who_approaches_wakes_the_writer_by_going() {
    let (queue, batches) = with_writer(NEVER);
    let (one, other) = (Approach::begin(&queue), Approach::begin(&queue));
    fill(&queue, 3);
    until_it_waits(&queue);
    drop(one);
    assert!(batches.try_recv().is_err());
    drop(other);
    assert_eq!(batches.recv_timeout(DEADLINE), Ok(3));
}

#[test]
fn v2_the_write_that_fills_the_batch_wakes_the_writer() {
    let (queue, batches) = with_writer(NEVER);
    let approach = Approach::begin(&queue);
    fill(&queue, BATCH_EVENTS - 1);
    until_it_waits(&queue);
    assert!(batches.try_recv().is_err());
    fill(&queue, 1);
    assert_eq!(batches.recv_timeout(DEADLINE), Ok(BATCH_EVENTS));
    drop(approach);
}

#[test]
fn v2_a_pause_wakes_a_writer_that_has_waited_long_enough() {
    let (queue, batches) = with_writer(NEVER);
    let approach = Approach::begin(&queue);
    fill(&queue, 2);
    until_it_waits(&queue);
    approach.pause();
    assert!(batches.try_recv().is_err());
    queue.lock().patience = Duration::ZERO;
    approach.pause();
    assert_eq!(batches.recv_timeout(DEADLINE), Ok(2));
    drop(approach);
}

#[test]
fn v3_a_write_is_not_held_up_by_who_approaches_and_has_no_turn() {
    let (queue, batches) = with_writer(Duration::from_millis(2));
    let approach = Approach::begin(&queue);
    queue.push(row(0)).unwrap();
    assert_eq!(batches.recv_timeout(DEADLINE), Ok(1));
    drop(approach);
}
