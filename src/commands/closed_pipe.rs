//! Whoever reads what a command prints may have read enough, as `head` does: that is no failure.

use std::io::{self, ErrorKind};

/// The result, but success where standard output was closed.
pub(super) fn forgive<E: Into<anyhow::Error>>(result: Result<(), E>) -> anyhow::Result<()> {
    match result.map_err(Into::into) {
        Err(error) if is_cause_of(&error) => Ok(()),
        result => result,
    }
}

fn is_cause_of(error: &anyhow::Error) -> bool {
    let mut kinds = error.chain().filter_map(|cause| {
        let json = cause.downcast_ref::<serde_json::Error>();
        let kind = cause.downcast_ref().map(io::Error::kind);
        kind.or_else(|| json?.io_error_kind())
    });
    kinds.any(|kind| kind == ErrorKind::BrokenPipe)
}
