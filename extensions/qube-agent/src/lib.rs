//! The node's side of a fleet: acts when a quorum of developers has signed, and reports.

use std::process::ExitCode;

/// The program.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
