//! Writes events line by line, page after page.

use crate::filter::Filter;
use crate::store::{Budget, Order, Scan, Store, StoreError};
use std::io::{self, Write};
use std::time::Duration;

/// A read transaction is open for one page only.
const PAGE: Budget = Budget {
    events: 1_000,
    entries: 10_000,
    bytes: 4 << 20,
    time: Duration::from_millis(5),
};

/// What to export.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// Which events, and with its `limit` how many of them.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// Seconds since 1970: what has expired then stays out.
    pub now: u64,
}

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The output broke; a closed pipe shows as [`io::ErrorKind::BrokenPipe`].
    #[error("writing failed: {0}")]
    Write(#[from] io::Error),
    /// The store broke.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Exports what is stored now and gives the number of events. What comes in meanwhile stays out; what is removed
/// meanwhile may be missing.
pub fn export(
    store: &dyn Store,
    options: &ExportOptions,
    mut writer: impl Write,
) -> Result<u64, ExportError> {
    let limit = options.filter.limit.map_or(u64::MAX, |limit| limit as u64);
    let mut scan = Scan {
        filter: &options.filter,
        order: options.order,
        resume: None,
        max_row: store.last_row()?,
        now: options.now,
        budget: PAGE,
    };
    let mut written = 0;
    while written < limit {
        let page = store.scan(&scan)?;
        for stored in page.events {
            if written == limit {
                break;
            }
            writer.write_all(stored.event.json())?;
            writer.write_all(b"\n")?;
            written += 1;
        }
        match page.next {
            Some(_) => scan.resume = page.next,
            None => break,
        }
    }
    writer.flush()?;
    Ok(written)
}
