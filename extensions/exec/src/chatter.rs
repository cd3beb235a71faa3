//! What a program writes to its standard error, in the relay's log.
//!
//! Invariant: short lines, and not too many of them; what is left out is counted. Beyond that the words are the program's:
//! whoever writes one decides what of an event may stand in a log.

use crate::lines::Lines;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStderr;
use trellis_relay::extension::RateLimiter;

/// Of a line so many bytes are shown.
const LINE_BYTES_MAX: usize = 500;

/// Writes the lines of all processes of one program.
#[derive(Debug)]
pub(crate) struct Chatter {
    program: String,
    limiter: RateLimiter,
    left_out: Mutex<u64>,
}

impl Chatter {
    /// The limiter says how many lines there may be.
    pub(crate) fn new(program: &str, limiter: RateLimiter) -> Arc<Self> {
        Arc::new(Chatter {
            program: program.to_owned(),
            limiter,
            left_out: Mutex::new(0),
        })
    }

    /// Until the process closes its end.
    pub(crate) async fn listen(self: Arc<Self>, mut stderr: ChildStderr) {
        let mut lines = Lines::new(LINE_BYTES_MAX);
        // Behind a line that was too long, up to its end.
        let mut is_cut = false;
        loop {
            match lines.next() {
                Ok(Some(line)) => match is_cut {
                    true => is_cut = false,
                    false => self.say(&line),
                },
                Err(_) => {
                    let (beginning, has_end) = lines.cut();
                    if !is_cut {
                        self.say(&beginning);
                    }
                    is_cut = !has_end;
                }
                Ok(None) => match stderr.read_buf(&mut lines.bytes).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                },
            }
        }
        let rest = lines.rest();
        if !rest.is_empty() && !is_cut {
            self.say(&rest);
        }
    }

    fn say(&self, line: &[u8]) {
        let program = &self.program;
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        if self.limiter.try_take("").is_err() {
            *left_out += 1;
            return;
        }
        let left_out = std::mem::take(&mut *left_out);
        if left_out > 0 {
            tracing::warn!(program, left_out, "it says too much");
        }
        let line = String::from_utf8_lossy(line);
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        tracing::info!(program, "says: {line}");
    }
}
