//! The `trellis` program: the command line with the extensions of `extensions.rs` compiled in.

mod extensions;

use std::process::ExitCode;

fn main() -> ExitCode {
    trellis::main(extensions::EXTENSIONS)
}
