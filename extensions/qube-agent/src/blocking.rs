//! Work with files that takes a while, on threads that serve nobody else.

use std::io;
use tokio::task::spawn_blocking;

/// Does it elsewhere. Once begun it is done to its end, whoever waits for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}
