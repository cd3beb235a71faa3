//! Which alerts are open, and the log of their beginnings and ends: in rows, with a copy in memory.
//!
//! Invariant: a beginning or end is durable in the log before anything else follows from it, so each is told once, whenever
//! the relay stops. The log is bounded; what is cut off at its old end was not told to servers that did not answer for so
//! long. What reports raise ends only after a while, so that nobody fills the log by reporting this and that in turns.

use super::alert::{Alert, News, Turn};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

const LOG: &str = "alert/log/";
const OPEN: &str = "alert/open/";
const SCAN_ROWS: usize = 1_000;
/// What reports raise is over when it has not held for so long. Seconds.
pub(super) const REST_S: u64 = 600;

/// Alerts by id, which is a hash and computed once a look.
pub(super) type ById = BTreeMap<String, Alert>;

/// These alerts by id.
pub(super) fn by_id(alerts: impl IntoIterator<Item = Alert>) -> ById {
    alerts.into_iter().map(|it| (it.id(), it)).collect()
}

/// An alert that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Open {
    #[serde(flatten)]
    pub(crate) alert: Alert,
    /// When it began, in seconds since 1970.
    pub(crate) since: u64,
}

/// What is open, by id, and what was told, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    pub(crate) open: BTreeMap<String, Open>,
    pub(crate) log: VecDeque<Arc<News>>,
    next_seq: u64,
    /// Since when open alerts do not hold that may be over soon, by id. Unix seconds.
    resting: BTreeMap<String, u64>,
}

impl Books {
    /// As they were left. The log decides: a crash may have kept a row from following it.
    pub(super) async fn load(host: &Host) -> Result<Books, StoreError> {
        let mut books = Books {
            next_seq: 1,
            ..Books::default()
        };
        let rows = rows(host, OPEN).await?;
        let read = rows.into_iter().filter_map(|(key, value)| {
            let id = key.get(OPEN.len()..)?.to_owned();
            Some((id, serde_json::from_slice(&value).ok()?))
        });
        books.open = read.collect();
        let found: BTreeSet<String> = books.open.keys().cloned().collect();
        for (_, value) in self::rows(host, LOG).await? {
            if let Ok(news) = serde_json::from_slice::<News>(&value) {
                books.take(Arc::new(news));
            }
        }
        let left: BTreeSet<String> = books.open.keys().cloned().collect();
        for id in found.symmetric_difference(&left) {
            save_open(host, id, books.open.get(id)).await?;
        }
        Ok(books)
    }

    /// What follows from some news, in memory.
    pub(super) fn take(&mut self, news: Arc<News>) {
        match news.status {
            Turn::Firing => {
                let open = Open {
                    alert: news.alert.clone(),
                    since: news.since,
                };
                self.open.insert(news.id.clone(), open);
            }
            Turn::Resolved => {
                self.open.remove(&news.id);
            }
        }
        self.next_seq = news.seq + 1;
        self.log.push_back(news);
    }

    /// Adds open alerts that held until a moment ago, where a node's next report may raise them again.
    pub(super) fn hold(&mut self, now: &mut ById, now_s: u64) {
        let open = &self.open;
        self.resting
            .retain(|id, _| open.contains_key(id) && !now.contains_key(id));
        for (id, open) in &self.open {
            if now.contains_key(id) || !open.alert.kind.is_of_reports() {
                continue;
            }
            let since_s = *self.resting.entry(id.clone()).or_insert(now_s);
            if now_s < since_s.saturating_add(REST_S) {
                now.insert(id.clone(), open.alert.clone());
            }
        }
    }

    /// Takes out what would begin because something is not there, and was not there already at the start: it may be on its way.
    pub(super) fn put_off(&self, now: &mut ById, at_the_start: impl FnOnce() -> ById) {
        let waits =
            |id: &String, it: &Alert| it.kind.is_of_absence() && !self.open.contains_key(id);
        if now.iter().any(|(id, it)| waits(id, it)) {
            let before = at_the_start();
            now.retain(|id, it| !waits(id, it) || !before.contains_key(id));
        }
    }

    /// What begins and what ends if these are all alerts that hold; ends come first.
    pub(super) fn compare(&self, now: &ById, now_s: u64) -> Vec<News> {
        let ended = self.open.iter().filter(|(id, _)| !now.contains_key(*id));
        let ended = ended.map(|(id, open)| (id, Turn::Resolved, &open.alert, open.since));
        let begun = now.iter().filter(|(id, _)| !self.open.contains_key(*id));
        let begun = begun.map(|(id, alert)| (id, Turn::Firing, alert, now_s));
        let all = ended.chain(begun).zip(self.next_seq..);
        all.map(|((id, status, alert, since), seq)| News {
            seq,
            id: id.clone(),
            status,
            alert: alert.clone(),
            since,
            at: now_s,
        })
        .collect()
    }

    /// Puts what alerts that go on say now in the place of what they said at their beginning.
    pub(super) fn reword(&mut self, now: &ById) {
        for (id, alert) in now {
            if let Some(open) = self.open.get_mut(id) {
                open.alert.summary.clone_from(&alert.summary);
            }
        }
    }

    /// The first that comes after this one.
    pub(super) fn after(&self, seq: u64) -> Option<Arc<News>> {
        let place = self.log.partition_point(|news| news.seq <= seq);
        self.log.get(place).cloned()
    }

    /// The number of the last one; 0 where there was none yet.
    pub(super) fn last_seq(&self) -> u64 {
        self.next_seq.saturating_sub(1)
    }

    /// How many came after this one and are still there.
    pub(super) fn waiting(&self, seq: u64) -> usize {
        self.log.len() - self.log.partition_point(|news| news.seq <= seq)
    }
}

/// Makes the row of an open alert what memory says.
pub(super) async fn save_open(
    host: &Host,
    id: &str,
    open: Option<&Open>,
) -> Result<(), StoreError> {
    host.kv_put(format!("{OPEN}{id}").as_bytes(), open.map(json))
        .await
}

/// Makes some news durable.
pub(super) async fn append(host: &Host, news: &News) -> Result<(), StoreError> {
    host.kv_put(log_key(news.seq).as_bytes(), Some(json(news)))
        .await
}

/// Takes a row out of the log.
pub(super) async fn cut(host: &Host, seq: u64) -> Result<(), StoreError> {
    host.kv_put(log_key(seq).as_bytes(), None).await
}

/// In the order of numbers.
fn log_key(seq: u64) -> String {
    format!("{LOG}{seq:020}")
}

/// Values of these types are always JSON.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

async fn rows(host: &Host, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let mut rows: Vec<(String, Vec<u8>)> = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = host
            .kv_scan(prefix.as_bytes(), after.as_deref(), SCAN_ROWS)
            .await?;
        let is_last = page.len() < SCAN_ROWS;
        after = page.last().map(|(key, _)| key.clone());
        let texts = page.into_iter();
        rows.extend(texts.filter_map(|(key, value)| Some((String::from_utf8(key).ok()?, value))));
        if is_last {
            return Ok(rows);
        }
    }
}
