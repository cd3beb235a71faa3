//! A corpus on the disk: JSON lines, one event each. Errors name the line.

use anyhow::Context as _;
use clap::Args;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

#[derive(Clone, Debug, Args)]
pub(super) struct Lines {
    /// The events, as `trellis bench gen` or `trellis export` writes them.
    #[arg(short, long, value_name = "FILE")]
    events: PathBuf,
    /// Only the first so many of them.
    #[arg(short = 'n', long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

impl Lines {
    /// Calls with each line's number, from 1, and its text without the line's end. Empty lines are passed over.
    pub(super) fn each(
        &self,
        mut call: impl FnMut(u64, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let path = self.events.display();
        let file = File::open(&self.events).with_context(|| format!("read {path}"))?;
        let mut file = BufReader::with_capacity(1 << 20, file);
        let (mut line, mut number, mut events) = (Vec::new(), 0, 0);
        while self.count.is_none_or(|count| events < count) {
            line.clear();
            if file
                .read_until(b'\n', &mut line)
                .with_context(|| format!("read {path}"))?
                == 0
            {
                break;
            }
            number += 1;
            let text = line.trim_ascii();
            if text.is_empty() {
                continue;
            }
            events += 1;
            call(number, text).with_context(|| format!("{path}, line {number}"))?;
        }
        anyhow::ensure!(events > 0, "{path} holds no event");
        if let Some(count) = self.count {
            anyhow::ensure!(
                events == count,
                "{path} holds {events} events, fewer than the {count} of -n"
            );
        }
        Ok(())
    }

    /// How large the file is. Bytes.
    pub(super) fn bytes(&self) -> anyhow::Result<u64> {
        let metadata = std::fs::metadata(&self.events);
        Ok(metadata
            .with_context(|| format!("read {}", self.events.display()))?
            .len())
    }
}
