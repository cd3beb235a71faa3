//! Reservations of many at a time, against limits that they meet.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::ground::{Ground, WIDE, key};
use crate::index::Index;
use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use tokio::task::JoinSet;

async fn quota(limits: Limits) -> (Ground, Quota) {
    let ground = Ground::new(limits).await;
    let quota = ground.holdings.quota().clone();
    (ground, quota)
}

const CHARGED: Charge = Charge {
    is_new_to_owner: true,
    is_new: true,
};

#[tokio::test]
async fn b9_what_one_has_already_is_no_further_blob_until_it_turns_out_to_be_one() {
    let limits = Limits {
        blobs_per_pubkey: 2,
        ..WIDE
    };
    let (_ground, quota) = quota(limits).await;
    let alice = key(1);
    let reserve = async |bytes| quota.reserve(&alice, bytes, Kind::Plain, None).await;
    let held = [reserve(1).await.unwrap(), reserve(1).await.unwrap()];
    let error = reserve(1).await.unwrap_err();
    assert!(matches!(error, QuotaError::Blobs { limit: 2 }), "{error}");
    let mut again = reserve(0).await.unwrap();
    let error = again.fit(1, Kind::Plain, None).unwrap_err();
    assert!(matches!(error, QuotaError::Blobs { limit: 2 }), "{error}");
    drop(held);
    again.fit(1, Kind::Plain, None).unwrap();
    drop(again);
    assert_eq!(quota.used_bytes(), (0, 0));
}

#[tokio::test]
async fn b9_each_limit_holds_to_the_byte() {
    let limits = Limits {
        bytes_per_pubkey: 100,
        encrypted_bytes_per_pubkey: 30,
        blobs_per_pubkey: 3,
        total_bytes: Some(150),
        free_bytes: 10,
    };
    let (_ground, quota) = quota(limits).await;
    let (alice, bob) = (key(1), key(2));
    let plain = quota.reserve(&alice, 100, Kind::Plain, None).await.unwrap();
    let error = quota
        .reserve(&alice, 1, Kind::Plain, None)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            QuotaError::Bytes {
                used_bytes: 100,
                ..
            }
        ),
        "{error}"
    );
    let secret = quota.reserve(&alice, 30, Kind::Encrypted, None).await;
    let mut secret = secret.unwrap();
    let error = quota
        .reserve(&alice, 1, Kind::Encrypted, None)
        .await
        .unwrap_err();
    assert!(
        matches!(error, QuotaError::EncryptedBytes { .. }),
        "{error}"
    );
    let nothing = quota.reserve(&alice, 0, Kind::Plain, None).await.unwrap();
    let error = quota
        .reserve(&bob, 21, Kind::Plain, None)
        .await
        .unwrap_err();
    assert!(matches!(error, QuotaError::Full), "{error}");
    let rest = quota.reserve(&bob, 20, Kind::Plain, None).await.unwrap();

    // What is over is given back, and what is too much is not taken.
    secret.fit(10, Kind::Encrypted, None).unwrap();
    let error = secret.fit(31, Kind::Encrypted, None).unwrap_err();
    assert!(matches!(
        error,
        QuotaError::Full | QuotaError::EncryptedBytes { .. }
    ));
    let error = secret.fit(10, Kind::Plain, None).unwrap_err();
    assert!(matches!(error, QuotaError::Bytes { .. }), "{error}");
    assert_eq!(quota.used_bytes(), (0, 130));
    drop((plain, nothing, rest));
    secret.fit(10, Kind::Plain, None).unwrap();
    assert_eq!(quota.used_bytes(), (0, 10));
    secret.settle(CHARGED);
    assert_eq!(quota.used_bytes(), (10, 0));
}

#[tokio::test]
async fn b9_the_disk_keeps_what_it_must() {
    let limits = Limits {
        free_bytes: 50,
        ..WIDE
    };
    let (_ground, quota) = quota(limits).await;
    let room = Some(Room {
        free_bytes: 100,
        total_bytes: 1_000,
    });
    let held = quota.reserve(&key(1), 30, Kind::Plain, room).await.unwrap();
    let error = quota
        .reserve(&key(2), 21, Kind::Plain, room)
        .await
        .unwrap_err();
    assert!(matches!(error, QuotaError::Full), "{error}");
    let beside = quota.reserve(&key(2), 20, Kind::Plain, room).await.unwrap();
    drop((held, beside));
    assert!(quota.reserve(&key(2), 50, Kind::Plain, room).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b9_reservations_at_the_same_time_never_overshoot() {
    let limits = Limits {
        bytes_per_pubkey: 1_000,
        total_bytes: Some(2_500),
        ..WIDE
    };
    let (_ground, quota) = quota(limits).await;
    let held = Arc::new([const { AtomicU64::new(0) }; 4]);
    let mut tasks = JoinSet::new();
    for number in 0..200_u16 {
        let (quota, held) = (quota.clone(), held.clone());
        tasks.spawn(async move {
            let (owner, whose) = (usize::from(number % 4), key(number % 4));
            let mut won = 0;
            for round in 0..20_u64 {
                let bytes = 1 + (u64::from(number) * 37 + round * 101) % 400;
                let reserved = quota.reserve(&whose, bytes, Kind::Plain, None);
                let Ok(reservation) = reserved.await else {
                    tokio::task::yield_now().await;
                    continue;
                };
                won += 1;
                let own = held[owner].fetch_add(bytes, SeqCst) + bytes;
                let all: u64 = held.iter().map(|it| it.load(SeqCst)).sum();
                assert!(own <= 1_000, "{own} bytes of one key");
                assert!(all <= 2_500, "{all} bytes of all");
                tokio::task::yield_now().await;
                held[owner].fetch_sub(bytes, SeqCst);
                drop(reservation);
            }
            won
        });
    }
    let won: usize = tasks.join_all().await.into_iter().sum();
    assert!(won > 100, "somebody could store");
    assert_eq!(quota.used_bytes(), (0, 0));
}

/// One thing that somebody does.
#[derive(Clone, Debug)]
enum Step {
    Reserve {
        owner: u16,
        bytes: u64,
        encrypted: bool,
    },
    Fit {
        which: usize,
        bytes: u64,
        encrypted: bool,
    },
    Settle {
        which: usize,
        is_new: bool,
    },
    SettleUnsure {
        which: usize,
    },
    Drop {
        which: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..8_usize;
    prop_oneof![
        3 => (0..3_u16, 0..60_u64, any::<bool>())
            .prop_map(|(owner, bytes, encrypted)| Step::Reserve { owner, bytes, encrypted }),
        2 => (which.clone(), 0..60_u64, any::<bool>())
            .prop_map(|(which, bytes, encrypted)| Step::Fit { which, bytes, encrypted }),
        2 => (which.clone(), any::<bool>())
            .prop_map(|(which, is_new)| Step::Settle { which, is_new }),
        1 => which.clone().prop_map(|which| Step::SettleUnsure { which }),
        2 => which.prop_map(|which| Step::Drop { which }),
    ]
}

async fn run(quota: &Quota, index: &Index, steps: Vec<Step>) {
    let kind = Kind::of;
    let mut open: Vec<Reservation> = Vec::new();
    let pick = |open: &mut Vec<Reservation>, which: usize| {
        (!open.is_empty()).then(|| open.swap_remove(which % open.len()))
    };
    for step in steps {
        match step {
            Step::Reserve {
                owner,
                bytes,
                encrypted,
            } => {
                let owner = key(owner);
                let reserved = quota.reserve(&owner, bytes, kind(encrypted), None);
                open.extend(reserved.await.ok());
            }
            Step::Fit {
                which,
                bytes,
                encrypted,
            } => {
                if let Some(mut reservation) = pick(&mut open, which) {
                    let _ = reservation.fit(bytes, kind(encrypted), None);
                    open.push(reservation);
                }
            }
            Step::Settle { which, is_new } => {
                let charge = Charge {
                    is_new,
                    is_new_to_owner: true,
                };
                if let Some(reservation) = pick(&mut open, which) {
                    reservation.settle(charge);
                }
            }
            Step::SettleUnsure { which } => {
                if let Some(reservation) = pick(&mut open, which) {
                    reservation.settle_unsure();
                }
            }
            Step::Drop { which } => drop(pick(&mut open, which)),
        }
        let (stored, reserved) = quota.used_bytes();
        let total = quota.limits().total_bytes.unwrap();
        assert!(
            stored + reserved <= total,
            "{stored} + {reserved} > {total}"
        );
    }
    drop(open);
    assert_eq!(quota.used_bytes().1, 0, "nothing stays reserved");
    assert_eq!(index.totals().await.unwrap().bytes, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn b9_no_order_of_steps_overshoots(steps in prop::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let limits = Limits {
                bytes_per_pubkey: 100,
                encrypted_bytes_per_pubkey: 50,
                blobs_per_pubkey: 5,
                total_bytes: Some(200),
                free_bytes: 0,
            };
            let (ground, quota) = quota(limits).await;
            run(&quota, ground.holdings.index(), steps).await;
        });
    }
}
