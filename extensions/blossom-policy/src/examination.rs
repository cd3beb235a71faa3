//! What an operator should know before media come (`trellis doctor`): where blobs go, whether that place is there, and which
//! types are taken.
//!
//! Invariant: no key and no word of a server's is told; nothing is made.

use crate::config::{Backend, Config, MIME_TYPES};
use crate::storage::S3;
use rustix::fs::{Access, access};
use rustix::process::geteuid;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use tokio::runtime::Handle;
use trellis_relay::extension::ownership::{is_ours, nearest};
use trellis_relay::extension::prelude::*;

pub(crate) async fn examine(config: Config, at: Examination) -> Findings {
    let mut found = Findings::default();
    if let Err(problem) = config.check() {
        found.fail("configuration", problem, "mend [extensions.blossom_policy]");
        return found;
    }
    let host = config.host.as_ref().map(|host| format!("https://{host}"));
    if let Some(url) = config.url.clone().or(host) {
        found.endpoint("media", &url);
    }
    let folder = config.path.as_ref().map(PathBuf::from);
    is_writable(
        &folder.unwrap_or_else(|| at.data_dir().join("blobs")),
        &mut found,
    );
    storage(&config, &mut found).await;
    types(&config, &mut found);
    found
}

/// The directory of the index, and with the backend "filesystem" of the blobs.
fn is_writable(folder: &Path, found: &mut Findings) {
    const CHECK: &str = "directory";
    let shown = folder.display();
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let of_another = |found: &mut Findings| {
        found.warn(
            CHECK,
            format!("{shown} is another user's, or in another user's directory"),
            "run trellis doctor as the user that the relay runs as",
        );
    };
    let there = match nearest(&absolute) {
        Ok(there) => there.unwrap_or(Path::new("/")),
        // In a directory that only its user enters; whether it is there cannot be seen.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return of_another(found),
        Err(error) => return found.fail(CHECK, format!("{shown}: {error}"), "mend path"),
    };
    match may_hold(there) {
        Err(error) if there != absolute => found.fail(
            CHECK,
            format!(
                "{shown} is not there, and cannot be made in {}: {error}",
                there.display()
            ),
            "make it, and give it to the user that the relay runs as",
        ),
        Ok(()) if there != absolute => found.ok(
            CHECK,
            format!("{shown} is not there yet; it is made at the first start"),
        ),
        Ok(()) if is_ours(there) => found.ok(CHECK, format!("{shown} can be written")),
        Err(error) if is_of_this_user(there) => found.fail(
            CHECK,
            format!("{shown}: {error}"),
            "give it to the user that the relay runs as",
        ),
        Ok(()) | Err(_) => of_another(found),
    }
}

/// Whether a folder can be written, or made there.
fn may_hold(folder: &Path) -> std::io::Result<()> {
    if !folder.is_dir() {
        return Err(std::io::ErrorKind::NotADirectory.into());
    }
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// What this user may not write in, they have closed themselves.
fn is_of_this_user(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.uid() == geteuid().as_raw())
}

async fn storage(config: &Config, found: &mut Findings) {
    const CHECK: &str = "storage";
    match config.backend {
        Backend::Filesystem => found.ok(CHECK, "files of this machine"),
        Backend::S3 => match S3::reach(&config.s3, Handle::current()).await {
            Ok(()) => found.ok(
                CHECK,
                "the object store answers, and lets the relay list the bucket",
            ),
            Err(why) => found.fail(
                CHECK,
                format!("the object store: {why}"),
                "mend s3.endpoint, s3.bucket or the keys, or start it",
            ),
        },
        Backend::Upstream => found.by_hand(
            CHECK,
            "another Blossom server, which is asked with the relay's own bounds on requests",
            "see /health of the running relay",
        ),
    }
}

fn types(config: &Config, found: &mut Findings) {
    const CHECK: &str = "types";
    let beyond: Vec<&str> = config
        .mime_types
        .iter()
        .map(String::as_str)
        .filter(|it| !MIME_TYPES.contains(it))
        .collect();
    if !beyond.is_empty() {
        let advice = "take them out of mime_types, unless you have thought of what they can hold";
        found.warn(
            CHECK,
            format!("beyond the operators' guide: {}", beyond.join(", ")),
            advice,
        );
    } else if config.encrypted.allow {
        let advice =
            "that is what encrypted.allow is for; set it to false unless private groups need it";
        found.warn(
            CHECK,
            "blobs that nobody here can look into are taken as well",
            advice,
        );
    } else {
        found.ok(CHECK, config.mime_types.join(", "));
    }
}
