//! x
use clap::Args;
#[derive(Debug, Args)]
pub(super) struct Import {}
impl Import {
    pub(super) fn run(self) -> anyhow::Result<()> {
        anyhow::bail!("later")
    }
}
