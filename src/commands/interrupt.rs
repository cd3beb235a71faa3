//! Ctrl-C and SIGTERM for commands that work for long: the first asks to end tidily, the second ends at once.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// As shells report a program that Ctrl-C ended.
const EXIT_CODE: i32 = 130;

/// Whether the user asked to end.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes the signals from now on.
    pub(super) fn listen() -> io::Result<Self> {
        let interrupt = Interrupt::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        // Registered here, so that none is missed.
        let entered = runtime.enter();
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        drop(entered);
        let told = interrupt.clone();
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                runtime.block_on(async {
                    loop {
                        tokio::select! {
                            _ = interrupts.recv() => {}
                            _ = terminations.recv() => {}
                        }
                        if told.0.swap(true, Ordering::Relaxed) {
                            std::process::exit(EXIT_CODE);
                        }
                        // It ends as tidily when nobody listens.
                        let _ = writeln!(
                            io::stderr(),
                            "trellis: ending tidily; once more ends at once"
                        );
                    }
                });
            })?;
        Ok(interrupt)
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
