//! Whose the files are: what another user has made, the relay may not be able to open.
//!
//! Not here: what any user may read, and what groups allow, which the system judges by trying.

use rustix::fs::{Access, access};
use rustix::process::geteuid;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use trellis_relay::extension::Findings;

/// What lets the doctor look into what it left alone.
pub(super) const AS_ITS_USER: &str = "run trellis doctor as the user that the relay runs as";
/// What a start opens and does not make anew.
const OPENED: [&str; 4] = ["data.mdb", "lock.mdb", "trellis.lock", "relay.key"];

/// Whether this process runs as whom a file or directory belongs to.
pub(super) fn is_ours(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.uid() == geteuid().as_raw())
}

/// Files in the data directory that a command has made which ran as somebody else.
pub(super) fn look(data: &Path, found: &mut Findings) {
    const CHECK: &str = "files of the data directory";
    let Ok(directory) = fs::metadata(data) else {
        return;
    };
    let strange: Vec<&str> = OPENED
        .into_iter()
        .filter(|name| {
            let file = fs::metadata(data.join(name));
            file.is_ok_and(|file| file.uid() != directory.uid())
        })
        .collect();
    if strange.is_empty() {
        return;
    }
    let is_closed =
        |name: &&str| access(data.join(name), Access::READ_OK | Access::WRITE_OK).is_err();
    let told = format!("not of the directory's user: {}", strange.join(", "));
    let shown = data.display();
    let advice = format!("a command has run as another user; chown --reference={shown} {shown}/*");
    match is_ours(data) && strange.iter().any(is_closed) {
        true => found.fail(CHECK, told, advice),
        false => found.warn(CHECK, told, advice),
    }
}
