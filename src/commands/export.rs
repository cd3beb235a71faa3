//! x
use clap::Args;
#[derive(Debug, Args)]
pub(super) struct Export {}
impl Export {
    pub(super) fn run(self) -> anyhow::Result<()> {
        anyhow::bail!("later")
    }
}
