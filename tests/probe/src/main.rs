//! The `trellis` program with the extension `probe` compiled in beside `members_only`.

use std::process::ExitCode;
use trellis_relay::extension::Compiled;

const EXTENSIONS: &[Compiled] = &[
    Compiled::of::<members_only::MembersOnly>(),
    Compiled::of::<probe::Probe>(),
];

fn main() -> ExitCode {
    trellis::main(EXTENSIONS)
}
