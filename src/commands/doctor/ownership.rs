//! Whose the files are: what another user has made, the relay may not be able to open.
//!
//! Not here: files of extensions, which look at their own in the same way, by the relay's `extension::ownership`.

use rustix::fs::{Access, access};
use rustix::process::geteuid;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use trellis_relay::extension::Findings;
pub(super) use trellis_relay::extension::ownership::{is_ours, nearest};

/// What lets the doctor look into what it left alone.
pub(super) const AS_ITS_USER: &str = "run trellis doctor as the user that the relay runs as";
/// What a start opens and does not make anew.
const OPENED: [&str; 4] = ["data.mdb", "lock.mdb", "trellis.lock", "relay.key"];

/// Files in the data directory that a command has made which ran as somebody else.
pub(super) fn look(data: &Path, found: &mut Findings) {
    const CHECK: &str = "files of the data directory";
    let us = geteuid();
    let files: Vec<(&str, u32)> = OPENED
        .into_iter()
        .filter_map(|name| Some((name, fs::metadata(data.join(name)).ok()?.uid())))
        .collect();
    let directory = fs::metadata(data).map(|it| it.uid());
    // Others may see the files without being whom the relay runs as.
    let is_relays_user = !us.is_root()
        && (directory.is_ok_and(|uid| uid == us.as_raw())
            || files.iter().any(|(_, uid)| *uid == us.as_raw()));
    let is_closed =
        |name: &str| access(data.join(name), Access::READ_OK | Access::WRITE_OK).is_err();
    let told: Vec<String> = files
        .iter()
        .map(|(name, uid)| format!("{name} is user {uid}'s"))
        .collect();
    let told = told.join(", ");
    let shown = data.display();
    if is_relays_user && files.iter().any(|(name, _)| is_closed(name)) {
        let advice = format!(
            "a command has run as another user: as root, chown -R {} {shown}, if that is whom the relay runs as",
            us.as_raw()
        );
        return found.fail(CHECK, told, advice);
    }
    let users: BTreeSet<u32> = files.iter().map(|(_, uid)| *uid).collect();
    if users.len() > 1 {
        let advice = format!(
            "a command has run as another user: chown -R USER {shown}, with the user that the relay runs as"
        );
        found.warn(CHECK, told, advice);
    }
}
