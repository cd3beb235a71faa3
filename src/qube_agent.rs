//! The program `qube-agent`; all of it is in the crate of that name.

use std::process::ExitCode;

fn main() -> ExitCode {
    trellis_qube_agent::main()
}
