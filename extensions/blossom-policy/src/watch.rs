//! What is counted, for operators: the names, labels and meanings of this extension's metrics.
//!
//! Invariant: no label holds a key, an address or a hash, so the number of series is bounded by this file. `docs/metrics.md`
//! holds the table, and a test compares them.

use crate::refusal::Refusal;
use metrics::{counter, gauge};
use trellis_relay::metrics::{Described, Kind};

/// Every metric of the extension, by name.
#[rustfmt::skip]
pub(crate) const TABLE: &[Described] = &[
    Described::new(Kind::Gauge, BLOBS, &[], "Blobs that are stored, those in quarantine among them."),
    Described::new(Kind::Counter, DOWNLOADED, &[], "Bytes of blobs that were sent, parts of blobs included."),
    Described::new(Kind::Counter, DOWNLOADS, &["result"], "Requests for blobs: `sent`, `unchanged`, `lost` (stored by the index, and not to be found), or why not, as for uploads."),
    Described::new(Kind::Gauge, LIST_HASHES, &[], "Hashes on the block lists that are in force."),
    Described::new(Kind::Counter, LIST_RELOADS, &["result"], "Block lists that were read again because they had changed: `changed`, `unchanged`, `failed` (those from before stay in force)."),
    Described::new(Kind::Counter, PREFIX_CHECKS, &["result"], "Blobs that `prefix_check.url` was asked about, or that an answer from before told of: `clean`, `known` (refused), `failed` (`prefix_check.on_failure` decides)."),
    Described::new(Kind::Counter, QUARANTINED, &[], "Stored blobs that a block list came to have, and that are shown to nobody since."),
    Described::new(Kind::Counter, REMOVED, &["cause"], "Blobs that were removed: by their `owner`, an `operator`, a `report`, or by `retention`."),
    Described::new(Kind::Gauge, REPORTS, &[], "Reports that wait for review."),
    Described::new(Kind::Gauge, LIMIT, &[], "Bytes that may be stored in all; 0 where nobody can tell."),
    Described::new(Kind::Gauge, MARK, &[], "The mark that what is stored has passed, in percent of what may be: 0, 70 (warning) or 90 (critical)."),
    Described::new(Kind::Gauge, STORED, &[], "Bytes that are stored."),
    Described::new(Kind::Counter, UPLOADED, &[], "Bytes that were received and taken."),
    Described::new(Kind::Counter, UPLOADS, &["route", "result"], "Uploads by route (`upload`, `media`, `mirror`) and what came of them: `new`, `known`, or why not: `bad_request`, `blocked`, `failed`, `forbidden`, `full`, `late`, `not_found`, `origin_failed`, `other_hash`, `payment_required`, `quota`, `rate_limited`, `too_large`, `unauthorized`, `unavailable`, `unprocessable`, `unsupported_type`."),
];

const BLOBS: &str = "trellis_blossom_blobs";
const DOWNLOADED: &str = "trellis_blossom_downloaded_bytes_total";
const DOWNLOADS: &str = "trellis_blossom_downloads_total";
const LIST_HASHES: &str = "trellis_blossom_list_hashes";
const LIST_RELOADS: &str = "trellis_blossom_list_reloads_total";
const PREFIX_CHECKS: &str = "trellis_blossom_prefix_checks_total";
const QUARANTINED: &str = "trellis_blossom_quarantined_total";
const REMOVED: &str = "trellis_blossom_removed_total";
const REPORTS: &str = "trellis_blossom_reports_waiting";
const LIMIT: &str = "trellis_blossom_storage_limit_bytes";
const MARK: &str = "trellis_blossom_storage_mark_percent";
const STORED: &str = "trellis_blossom_stored_bytes";
const UPLOADED: &str = "trellis_blossom_uploaded_bytes_total";
const UPLOADS: &str = "trellis_blossom_uploads_total";

/// What came of an upload by a route: `upload`, `media` or `mirror`.
pub(crate) fn uploaded(route: &'static str, result: &Result<crate::intake::Kept, Refusal>) {
    let result = match result {
        Ok(kept) if kept.is_new => "new",
        Ok(_) => "known",
        Err(refusal) => refusal.label(),
    };
    counter!(UPLOADS, "route" => route, "result" => result).increment(1);
}

/// Bytes of a blob that was taken.
pub(crate) fn received_bytes(bytes: u64) {
    counter!(UPLOADED).increment(bytes);
}

/// What came of a request for a blob: `sent`, `unchanged`, or a refusal's label.
pub(crate) fn asked_for(result: &'static str) {
    counter!(DOWNLOADS, "result" => result).increment(1);
}

/// Bytes of a blob that were sent.
pub(crate) fn sent_bytes(bytes: u64) {
    counter!(DOWNLOADED).increment(bytes);
}

/// A blob is gone: `owner`, `operator`, `report` or `retention`.
pub(crate) fn removed(cause: &'static str) {
    counter!(REMOVED, "cause" => cause).increment(1);
}

/// Block lists were read again: `changed`, `unchanged` or `failed`.
pub(crate) fn lists_read(result: &'static str) {
    counter!(LIST_RELOADS, "result" => result).increment(1);
}

/// Hashes in force.
pub(crate) fn list_hashes(hashes: usize) {
    gauge!(LIST_HASHES).set(hashes as f64);
}

/// A service was asked about a blob: `clean`, `known` or `failed`.
pub(crate) fn prefix_checked(result: &'static str) {
    counter!(PREFIX_CHECKS, "result" => result).increment(1);
}

/// A list came to have a blob.
pub(crate) fn quarantined() {
    counter!(QUARANTINED).increment(1);
}

/// What is stored, and what may be.
pub(crate) fn stored(blobs: u64, bytes: u64, limit_bytes: Option<u64>, mark_percent: u8) {
    gauge!(BLOBS).set(blobs as f64);
    gauge!(STORED).set(bytes as f64);
    gauge!(LIMIT).set(limit_bytes.unwrap_or(0) as f64);
    gauge!(MARK).set(f64::from(mark_percent));
}

/// Reports that wait.
pub(crate) fn reports_waiting(reports: u64) {
    gauge!(REPORTS).set(reports as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b15_the_page_of_documentation_is_this_table() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        let page = include_str!("../../../docs/metrics.md");
        let rows: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("| `trellis_blossom_"))
            .collect();
        let table: Vec<String> = TABLE.iter().map(ToString::to_string).collect();
        assert_eq!(rows, table);
    }
}
