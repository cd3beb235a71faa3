//! Whose the files are: what another user has made, the relay may not be able to open.
//!
//! The system judges what this process may do, groups and lists of access included. Root may do everything, so what root
//! may do tells nothing of another user's relay: there the numbers of users are compared.
//!
//! Not here: files of extensions, which look at their own.

use rustix::fs::{Access, access};
use rustix::process::geteuid;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use trellis_relay::extension::Findings;

/// What lets the doctor look into what it left alone.
pub(super) const AS_ITS_USER: &str = "run trellis doctor as the user that the relay runs as";
/// What a start opens and does not make anew.
const OPENED: [&str; 4] = ["data.mdb", "lock.mdb", "trellis.lock", "relay.key"];

/// Whether this process may read a file, or write into a directory, as the relay does.
pub(super) fn is_ours(path: &Path) -> bool {
    let Ok(metadata) = fs::metadata(path) else {
        return false;
    };
    if geteuid().is_root() {
        return metadata.uid() == 0;
    }
    let wanted = match metadata.is_dir() {
        true => Access::WRITE_OK | Access::EXEC_OK,
        false => Access::READ_OK,
    };
    access(path, wanted).is_ok()
}

/// The path itself or the nearest above it that is there; fails with what keeps this user from seeing it.
pub(super) fn nearest(path: &Path) -> io::Result<Option<&Path>> {
    for it in path.ancestors() {
        match it.metadata() {
            Ok(_) => return Ok(Some(it)),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                // A link that leads nowhere is in the way.
                if it.symlink_metadata().is_ok() {
                    return Ok(Some(it));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

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
