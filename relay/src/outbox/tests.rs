//! Order, bounds and memory of what waits for a client, however much of it is written at a time.

#![allow(clippy::unwrap_used)]
use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

const CAP: usize = 1024 * 1024;

fn outbox() -> (Outbox, Rc<Spare>) {
    let spare = Rc::new(Spare::default());
    (Outbox::new(CAP, spare.clone()), spare)
}

/// Takes what waits, so many bytes at a time.
fn drain(outbox: &mut Outbox, step: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while !outbox.is_empty() {
        let pending: Vec<u8> = outbox.pending().iter().flat_map(|p| p.to_vec()).collect();
        assert!(
            !pending.is_empty(),
            "something waits but nothing is pending"
        );
        let taken = step.min(pending.len());
        all.extend_from_slice(&pending[..taken]);
        outbox.advance(taken);
    }
    all
}

/// The payloads of unmasked frames.
fn payloads(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    while !bytes.is_empty() {
        let (head, length) = match bytes[1] {
            126 => (4, u16::from_be_bytes([bytes[2], bytes[3]]) as usize),
            127 => (
                10,
                u64::from_be_bytes(bytes[2..10].try_into().unwrap()) as usize,
            ),
            short => (2, usize::from(short)),
        };
        payloads.push(bytes[head..head + length].to_vec());
        bytes = &bytes[head + length..];
    }
    payloads
}

#[test]
fn v5_shared_and_own_frames_leave_in_the_order_of_their_pushing() {
    let bodies: Vec<Bytes> = (0..100)
        .map(|n| Bytes::from(vec![b'a' + (n % 26) as u8; 200 + 37 * n]))
        .collect();
    for step in [97, 300, 5_000, usize::MAX] {
        let (mut outbox, _) = outbox();
        let mut expected = Vec::new();
        let mut got = Vec::new();
        for (n, body) in bodies.iter().enumerate() {
            if n % 3 == 0 {
                outbox.push_text(&[b"own ", body]);
                expected.push([b"own ", &body[..]].concat());
            }
            outbox.push_shared_text(&[b"head ", b"id "], body, b" tail");
            expected.push([b"head id ", &body[..], b" tail"].concat());
            if n % 10 == 0 && step != usize::MAX {
                // Half written while more comes.
                let pending: Vec<u8> = outbox.pending().iter().flat_map(|p| p.to_vec()).collect();
                let taken = step.min(pending.len());
                got.extend_from_slice(&pending[..taken]);
                outbox.advance(taken);
            }
        }
        got.extend(drain(&mut outbox, step));
        assert_eq!(payloads(&got), expected, "in steps of {step}");
    }
}

#[test]
fn v5_what_is_shared_is_not_copied() {
    let (mut outbox, _) = outbox();
    let body = Bytes::from(vec![b'x'; 4_000]);
    outbox.push_shared_text(&[b"head"], &body, b"tail");
    let pending = outbox.pending();
    assert_eq!(pending[1].as_ptr(), body.as_ptr());
}

#[test]
fn c18_the_cap_counts_shared_bytes_too() {
    let spare = Rc::new(Spare::default());
    let mut outbox = Outbox::new(10_000, spare);
    let body = Bytes::from(vec![b'x'; 4_000]);
    for _ in 0..2 {
        outbox.push_shared_text(&[], &body, b"");
        assert!(!outbox.overflowed());
    }
    assert!(!outbox.has_room());
    outbox.push_shared_text(&[], &body, b"");
    assert!(outbox.overflowed());
    assert!(outbox.waiting_bytes() <= 10_000);
}

#[test]
fn v6_an_outbox_that_is_empty_again_keeps_no_large_buffer() {
    let (mut outbox, spare) = outbox();
    outbox.push_text(&[&[b'x'; 100_000]]);
    drain(&mut outbox, 1_000);
    assert_eq!(outbox.own.capacity(), 0);
    assert!(spare.kept_bytes() >= 100_000, "the next one takes it over");
    let (kept, pushed) = (spare.kept_bytes(), vec![b'y'; 50_000]);
    outbox.push_text(&[&pushed]);
    assert_eq!((outbox.own.capacity(), spare.kept_bytes()), (kept, 0));
    drain(&mut outbox, usize::MAX);
    assert_eq!((outbox.own.capacity(), spare.kept_bytes()), (0, kept));
}

#[test]
fn v6_a_buffer_larger_than_its_outbox_may_be_is_left_to_others() {
    let spare = Rc::new(Spare::default());
    spare.give(Vec::with_capacity(100_000));
    let mut small = Outbox::new(10_000, spare.clone());
    small.push_text(&[b"a word"]);
    assert!(small.own.capacity() <= 10_000);
    assert_eq!(spare.kept_bytes(), 100_000);
}

#[test]
fn v6_a_blocked_outbox_in_which_little_waits_hands_its_large_buffer_on() {
    let (mut outbox, spare) = outbox();
    spare.give(Vec::with_capacity(400_000));
    let body = Bytes::from(vec![b'x'; 300]);
    outbox.push_text(&[b"written"]);
    outbox.push_shared_text(&[b"head ", b"id "], &body, b" tail");
    outbox.push_text(&[b"last"]);
    outbox.advance(9);
    assert!(outbox.own.capacity() >= 400_000);
    outbox.shrink();
    assert!(outbox.own.capacity() <= SMALL_BYTES);
    assert_eq!(spare.kept_bytes(), 400_000);
    let got = payloads(&drain(&mut outbox, 50)[..]);
    assert_eq!(got[0], [b"head id ", &body[..], b" tail"].concat());
    assert_eq!(got[1], b"last");
}

#[test]
fn v6_a_blocked_outbox_in_which_much_waits_keeps_its_buffer() {
    let (mut outbox, spare) = outbox();
    spare.give(Vec::with_capacity(400_000));
    outbox.push_text(&[&[b'x'; 100_000]]);
    outbox.shrink();
    assert_eq!((outbox.own.capacity(), spare.kept_bytes()), (400_000, 0));
}

#[test]
fn c18_the_buffer_is_at_most_a_third_larger_than_the_cap() {
    const CAP: usize = 100_000;
    for left in [0, 1_000, 10_000, 50_000, 70_000, 90_000, 98_000] {
        let mut outbox = Outbox::new(CAP, Rc::new(Spare::default()));
        for n in 0..2_000 {
            if outbox.waiting_bytes() + 1_100 > CAP {
                outbox.advance(outbox.waiting_bytes() - left);
            }
            outbox.push_text(&[&vec![b'x'; 1 + n % 1_000]]);
            assert!(outbox.own.capacity() <= CAP + CAP / 3, "{left} left");
        }
        assert!(!outbox.overflowed());
    }
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn v3_a_front_that_runs_is_not_woken_by_its_own_answer() {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(count.clone());
    let (mut outbox, _) = outbox();
    outbox.wake_on_push(&waker);
    outbox.forget_front();
    outbox.push_text(&[b"an answer"]);
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    outbox.wake_on_push(&waker);
    outbox.push_text(&[b"an event"]);
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
}

#[test]
fn v4_a_front_is_woken_once_for_many_frames() {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let (mut outbox, _) = outbox();
    outbox.wake_on_push(&Waker::from(count.clone()));
    for _ in 0..50 {
        outbox.push_text(&[b"an event"]);
    }
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert_eq!(outbox.pending().len(), 1, "all of them in one piece");
}
