//! Times filters, and the reading of everything.

use crate::filters::filters;
use std::time::{Duration, Instant};
use trellis_relay::filter::Filter;
use trellis_relay::store::lmdb::LmdbStore;
use trellis_relay::store::{Budget, Order, Scan, Store};

pub(crate) fn query(store: &LmdbStore) {
    println!("query                              first us   us       events  calls");
    for (name, mut filter) in filters(store.last_row().unwrap()) {
        filter.normalize();
        let run = || {
            let mut scan = Scan {
                filter: &filter,
                order: Order::NewestFirst,
                resume: None,
                max_row: u64::MAX,
                now: 0,
                budget: Budget {
                    events: 50,
                    entries: 20_000,
                    bytes: usize::MAX,
                    time: Duration::from_millis(5),
                },
            };
            let (mut found, mut calls) = (0, 0);
            loop {
                let page = store.scan(&scan).unwrap();
                found += page.events.len();
                calls += 1;
                scan.resume = page.next;
                scan.budget.events = 50usize.saturating_sub(found);
                if found >= 50 || page.next.is_none() {
                    return (found, calls);
                }
            }
        };
        let since = Instant::now();
        let (found, calls) = run();
        let first = since.elapsed();
        let rounds = (50_000 / (first.as_micros() + 1)).clamp(1, 500) as u32;
        let since = Instant::now();
        for _ in 0..rounds {
            run();
        }
        let us = since.elapsed().as_secs_f64() * 1e6 / f64::from(rounds);
        println!(
            "{name:<34} {:<10} {us:<8.1} {found:<7} {calls}",
            first.as_micros()
        );
    }
}

pub(crate) fn export(store: &LmdbStore) {
    let mut scan = Scan {
        filter: &Filter::default(),
        order: Order::OldestFirst,
        resume: None,
        max_row: u64::MAX,
        now: 0,
        budget: Budget {
            events: 500,
            entries: 20_000,
            bytes: 8 << 20,
            time: Duration::from_secs(1),
        },
    };
    for order in [Order::OldestFirst, Order::NewestFirst] {
        scan.order = order;
        scan.resume = None;
        let (since, mut found) = (Instant::now(), 0);
        loop {
            let page = store.scan(&scan).unwrap();
            found += page.events.len();
            scan.resume = page.next;
            if page.next.is_none() {
                break;
            }
        }
        let rate = found as f64 / since.elapsed().as_secs_f64();
        println!("{order:?}: {rate:.0} events/s");
    }
}
