//! The command line of the relay, for a program that says which extensions are compiled in.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong arguments or configuration. Errors go to stderr, results to stdout.

mod commands;
#[cfg(doctest)]
mod guide;

use clap::Parser as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use trellis_relay::extension::Compiled;

/// Does what the process's arguments say, with these extensions compiled in.
///
/// A program of one's own is this call and a list:
///
/// ```no_run
/// use std::process::ExitCode;
/// use trellis_relay::extension::Compiled;
///
/// const EXTENSIONS: &[Compiled] = &[Compiled::of::<members_only::MembersOnly>()];
///
/// fn main() -> ExitCode {
///     trellis::main(EXTENSIONS)
/// }
/// ```
pub fn main(extensions: &'static [Compiled]) -> ExitCode {
    let arguments = commands::Arguments::parse();
    match arguments.run(extensions) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(misuse) = error.downcast_ref::<clap::Error>() {
                misuse.exit();
            }
            // The exit code tells those who closed it.
            let _ = writeln!(io::stderr(), "trellis: {error:#}");
            let is_misuse = error.is::<commands::WrongConfig>()
                || error.is::<commands::UnknownCommand>()
                || error.is::<commands::WrongArguments>();
            #[cfg(feature = "qube_coordination")]
            let is_misuse = is_misuse || error.is::<trellis_qube_tools::Misuse>();
            if is_misuse {
                ExitCode::from(2)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
