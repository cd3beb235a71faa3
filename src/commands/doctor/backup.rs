//! The place to which backups go.

use trellis_relay::config::Config;
use trellis_relay::extension::Findings;

/// Where backups are made by others, only they know.
pub(super) fn look(_config: &Config, found: &mut Findings) {
    found.by_hand(
        "backup",
        "nothing here says where copies of the data directory go",
        "see that there is a copy on another machine, and restore one (docs/runbooks/restore.md)",
    );
}
