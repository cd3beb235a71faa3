//! What is counted, for operators; `docs/metrics.md` explains each name.

use std::future::Future;
use std::time::Instant;

/// The buckets of [`database`], in seconds.
pub(crate) const DATABASE_BUCKETS_S: [f64; 8] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Takes the time of one operation on the database.
pub(crate) async fn database<T>(operation: &'static str, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let result = work.await;
    metrics::histogram!("mls_gateway_db_operation_duration_seconds", "operation" => operation)
        .record(begun.elapsed().as_secs_f64());
    result
}
