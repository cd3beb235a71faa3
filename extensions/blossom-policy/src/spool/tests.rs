//! Files that come in whole, and files that do not.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::ground::{Ground, WIDE, anything, hash_of, noise, spooled};
use futures_util::{StreamExt, stream};
use md5::Md5;
use sha1::Sha1;
use sha2::Digest;
use std::io::Read;
use trellis_relay::testing::until;

type Piece = Result<Bytes, &'static str>;

fn pieces(count: usize) -> impl Stream<Item = Piece> {
    stream::iter((0..count).map(|_| Ok(Bytes::from_static(&[1; 1_000]))))
}

#[tokio::test]
async fn b6_what_comes_in_is_written_and_hashed_byte_for_byte() {
    let ground = Ground::new(WIDE).await;
    let block = 256 << 10;
    for bytes in [
        0,
        1,
        40_961,
        block - 1,
        block,
        block + 1,
        3 * block,
        2_000_003,
    ] {
        let sent = noise(bytes as u64, bytes);
        let spooled = ground.spooled(&sent).await;
        let mut written = Vec::new();
        spooled.open().unwrap().read_to_end(&mut written).unwrap();
        assert!(written == sent, "{bytes} bytes");
        assert_eq!(spooled.size_bytes(), bytes as u64);
        assert_eq!(spooled.sha256(), hash_of(&sent));
        assert_eq!(spooled.md5().unwrap()[..], Md5::digest(&sent)[..]);
        assert_eq!(spooled.sha1().unwrap()[..], Sha1::digest(&sent)[..]);
        assert_eq!(spooled.head(), &sent[..bytes.min(HEAD_BYTES)]);
        assert_eq!(spooled.tail(), &sent[bytes - bytes.min(TAIL_BYTES)..]);
    }
    until("nothing is left", async || ground.incoming() == 0).await;
}

#[tokio::test]
async fn b6_a_file_that_breaks_off_leaves_nothing() {
    let ground = Ground::new(WIDE).await;
    let broken = pieces(1_000).chain(stream::iter([Err("gone")]));
    let error = ground.spool.receive(broken, &anything()).await.unwrap_err();
    assert!(
        matches!(&error, SpoolError::Broken(why) if why == "gone"),
        "{error}"
    );
    until("nothing is left", async || ground.incoming() == 0).await;

    // Whoever waits for it goes away, as a worker does whose client is gone.
    let (sender, sent) = tokio::sync::oneshot::channel();
    let hangs = pieces(1_000).chain(stream::once(async {
        sender.send(()).unwrap();
        std::future::pending::<Piece>().await
    }));
    let spool = ground.spool.clone();
    let receiving = tokio::spawn(async move { spool.receive(hangs, &anything()).await.map(drop) });
    sent.await.unwrap();
    until("it is on the disk", async || ground.incoming() == 1).await;
    receiving.abort();
    until("nothing is left", async || ground.incoming() == 0).await;
    until("its place is free", async || {
        ground.spool.free_places() == 128
    })
    .await;
}

#[tokio::test]
async fn b6_a_length_that_is_not_true_is_found_out() {
    let ground = Ground::new(WIDE).await;
    let receive = async |count, declared_bytes, max_bytes| {
        let wanted = Receive {
            declared_bytes,
            max_bytes,
            ..anything()
        };
        let received = ground.spool.receive(pieces(count), &wanted).await;
        received.map(|spooled| spooled.size_bytes())
    };
    assert_eq!(receive(3, Some(3_000), 3_000).await.unwrap(), 3_000);
    for declared in [2_999, 3_001] {
        let error = receive(3, Some(declared), 10_000).await.unwrap_err();
        assert!(
            matches!(error, SpoolError::WrongLength { declared_bytes, .. } if declared_bytes == declared),
            "{error}"
        );
    }
    for declared in [None, Some(3_000), Some(10)] {
        let error = receive(3, declared, 2_999).await.unwrap_err();
        let is_told = matches!(error, SpoolError::TooLarge { max_bytes: 2_999 });
        let is_found = matches!(error, SpoolError::WrongLength { .. }) && declared == Some(10);
        assert!(is_told || is_found, "{error}");
    }
    until("nothing is left", async || ground.incoming() == 0).await;
}

#[tokio::test]
async fn b6_what_stands_still_or_takes_too_long_is_given_up() {
    let ground = Ground::new(WIDE).await;
    let short = Duration::from_millis(20);
    for (idle_timeout, total_timeout) in [
        (short, Duration::from_secs(600)),
        (Duration::from_secs(600), short),
    ] {
        let wanted = Receive {
            idle_timeout,
            total_timeout,
            ..anything()
        };
        let hangs = pieces(10).chain(stream::pending());
        let error = ground.spool.receive(hangs, &wanted).await.unwrap_err();
        assert!(matches!(error, SpoolError::TooSlow), "{error}");
    }
    until("nothing is left", async || ground.incoming() == 0).await;
}

#[tokio::test]
async fn b6_so_many_come_in_at_a_time_and_no_more() {
    let ground = Ground::new(WIDE).await;
    let spool = Spool::new(&ground.folder.path().join("incoming"), 2);
    let first = spooled(&spool, b"one").await.unwrap();
    let second = spooled(&spool, b"two").await.unwrap();
    let error = spooled(&spool, b"three").await.unwrap_err();
    assert!(matches!(error, SpoolError::Busy), "{error}");
    drop(first);
    let third = spooled(&spool, b"three").await.unwrap();
    drop((second, third));
    until("nothing is left", async || ground.incoming() == 0).await;
}

#[tokio::test]
async fn b6_a_disk_that_fails_is_said_so() {
    let ground = Ground::new(WIDE).await;
    let spool = Spool::new(&ground.folder.path().join("nowhere"), 2);
    let error = spooled(&spool, &noise(1, 3 << 20)).await.unwrap_err();
    assert!(matches!(error, SpoolError::Disk(_)), "{error}");
    until("its place is free", async || spool.free_places() == 2).await;
}

#[tokio::test]
async fn b6_what_trickles_in_is_given_up_as_what_stands_still_is() {
    let ground = Ground::new(WIDE).await;
    let wanted = Receive {
        idle_timeout: Duration::from_secs(30),
        min_bytes_per_s: 1_000,
        ..anything()
    };
    // 1000 bytes in each second are enough, and at the beginning nobody counts.
    let after = |bytes, taken_s| check_pace(bytes, Duration::from_secs(taken_s), &wanted).is_ok();
    assert!(after(1, 30) && after(31_000, 31) && after(1 << 40, 3_600));
    assert!(!after(30_999, 31) && !after(3, 60));
    let trickling = stream::repeat_with(|| Ok::<_, &str>(Bytes::from_static(&[1])));
    let trickling = trickling.then(async |byte| {
        tokio::time::sleep(Duration::from_millis(5)).await;
        byte
    });
    let wanted = Receive {
        idle_timeout: Duration::from_secs(1),
        min_bytes_per_s: 1 << 30,
        ..wanted
    };
    let received = ground.spool.receive(trickling, &wanted).await;
    assert!(matches!(received.unwrap_err(), SpoolError::TooSlow));
    until("nothing is left", async || ground.incoming() == 0).await;
}
