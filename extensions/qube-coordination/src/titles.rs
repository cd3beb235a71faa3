//! What an action is called where people read of it.

use trellis_qube_protocol::{ActionKind, Directive};

/// `Upgrade to v1.2.3`, `Reboot to v1.2.3`.
pub(crate) fn title(directive: &Directive) -> String {
    let word = match directive.action.kind() {
        ActionKind::Upgrade => "Upgrade",
        ActionKind::Reboot => "Reboot",
    };
    format!("{word} to v{}", directive.version)
}
