//! A reboot: the node begins anew from the signed genesis (rule A5).

use super::{Change, Source};
use crate::config::Network;
use crate::placement::Placement;
use crate::task::Task;
use std::path::Path;
use url::Url;

/// What is to be replaced by what.
pub(super) fn change<'a>(
    network: &'a Network,
    task: &Task,
    genesis_url: &Url,
    early: &'a Path,
) -> Result<Change<'a>, String> {
    let reboot = network
        .reboot
        .as_ref()
        .ok_or("this node is not set up for reboots")?;
    if reboot.require_genesis_hash && task.genesis_hash.is_none() {
        return Err("the signals have no genesis_hash, which this node asks for".to_owned());
    }
    let directive = &task.directive;
    Ok(Change {
        placement: Placement::new(&reboot.genesis_path, task.key, false),
        urls: Source {
            url: genesis_url.clone(),
            expected: task.genesis_hash,
            early: Some(early),
        },
        max_bytes: reboot.max_bytes.0,
        command: &reboot.command,
        within: reboot.command_within.0,
        probe: reboot.probe.as_ref(),
        environment: vec![
            ("QUBE_ACTION", "reboot".to_owned()),
            ("QUBE_NETWORK", directive.network.to_string()),
            ("QUBE_VERSION", directive.version.to_string()),
            ("QUBE_GENESIS", reboot.genesis_path.display().to_string()),
        ],
    })
}
