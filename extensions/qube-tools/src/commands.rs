//! One file a command; here only the words that select one.

mod acks;
mod audit;
mod fleet;
mod genesis;
mod health;
mod history;
mod keygen;
mod launch;
mod onboard;
mod quorum;
mod rollback;
mod signal;
mod verify;
mod watch;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a secret key, encrypted with a passphrase (NIP-49) or plain.
    Keygen(keygen::Keygen),
    /// Sign a directive, which is a vote, and publish it.
    #[command(subcommand)]
    Signal(Box<signal::SignalCommand>),
    /// Show the nodes: versions, last reports, who is overdue.
    Fleet(fleet::Fleet),
    /// Show who votes for what, and what is missing.
    Quorum(quorum::Quorum),
    /// Show the nodes' reports on an action.
    Acks(acks::Acks),
    /// Show the actions of a network and what became of them.
    History(history::History),
    /// Look into the retained directives, or export all that was signed.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Go over an export again, offline: signatures, quorum, chain.
    Verify(verify::Verify),
    /// Make, hash and publish genesis files.
    #[command(subcommand)]
    Genesis(genesis::GenesisCommand),
    /// Sign a directive and see it through: quorum, reports, health; or take it back.
    Launch(Box<launch::Launch>),
    /// Write what a new node needs: configuration, key and service of its agent.
    Onboard(Box<onboard::Onboard>),
    /// Ask relays, fleet and endpoints whether all is well.
    Health(health::Health),
    /// Sign the way back to what was agreed on before.
    Rollback(rollback::Rollback),
}

impl Command {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Keygen(command) => command.run(),
            Self::Signal(command) => command.run().await,
            Self::Fleet(command) => command.run().await,
            Self::Quorum(command) => command.run().await,
            Self::Acks(command) => command.run().await,
            Self::History(command) => command.run().await,
            Self::Audit(command) => command.run().await,
            Self::Verify(command) => command.run(),
            Self::Genesis(command) => command.run().await,
            Self::Launch(command) => command.run().await,
            Self::Onboard(command) => command.run(),
            Self::Health(command) => command.run().await,
            Self::Rollback(command) => command.run().await,
        }
    }
}
