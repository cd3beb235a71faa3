//! The `trellis` program: arguments to a command.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong arguments or configuration. Errors go to stderr, results to stdout.

mod commands;
mod extensions;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = commands::Arguments::parse();
    match arguments.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trellis: {error:#}");
            if error.is::<commands::WrongConfig>() {
                ExitCode::from(2)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
