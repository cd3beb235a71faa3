//! A relay with this extension compiled in: `cargo run -- serve -c trellis.toml`.

use std::process::ExitCode;
use trellis_relay::extension::Compiled;

use new_extension::NewExtension;

const EXTENSIONS: &[Compiled] = &[
    Compiled::of::<NewExtension>(),
    // Those of others, one line each.
];

fn main() -> ExitCode {
    trellis::main(EXTENSIONS)
}
