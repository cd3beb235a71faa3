//! An upgrade: the program of the signed version takes the place of the one that runs (rule A4).

use super::{Change, Source};
use crate::config::Network;
use crate::placement::Placement;
use crate::task::Task;
use url::Url;

/// What is to be replaced by what.
pub(super) fn change<'a>(network: &'a Network, task: &Task) -> Result<Change<'a>, String> {
    let upgrade = network
        .upgrade
        .as_ref()
        .ok_or("this node is not set up for upgrades")?;
    let directive = &task.directive;
    let version = directive.version.to_string();
    let url = upgrade
        .url_template
        .replace("{version}", &version)
        .replace("{hash}", &directive.hash.to_string())
        .replace("{os}", std::env::consts::OS)
        .replace("{arch}", std::env::consts::ARCH);
    let url = Url::parse(&url).map_err(|error| format!("the URL of this version: {error}"))?;
    Ok(Change {
        placement: Placement::new(&upgrade.binary, task.key, true),
        urls: Source {
            url,
            expected: Some(directive.hash),
            early: None,
        },
        max_bytes: upgrade.max_bytes.0,
        command: &upgrade.restart,
        within: upgrade.restart_within.0,
        probe: upgrade.probe.as_ref(),
        environment: vec![
            ("QUBE_ACTION", "upgrade".to_owned()),
            ("QUBE_NETWORK", directive.network.to_string()),
            ("QUBE_VERSION", version),
            ("QUBE_BINARY", upgrade.binary.display().to_string()),
        ],
    })
}
