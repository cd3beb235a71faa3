//! Whether what an author gave to a backup can be taken, and put back.

use super::{BACKUP_FILES_MAX, BackupBlob, BackupFile};
use std::collections::HashSet;
use std::path::{Component, Path, PathBuf, absolute};

/// The files, each with its place as a backup keeps it. `into` is where they had to be written. Looks at the disk.
pub(super) fn files(
    mut files: Vec<BackupFile>,
    into: &Path,
    data_dir: &Path,
) -> Result<Vec<BackupFile>, String> {
    if files.len() > BACKUP_FILES_MAX {
        return Err(format!("it gave more than {BACKUP_FILES_MAX} files"));
    }
    for file in &mut files {
        file.restore_to = place(&file.restore_to, data_dir)?;
        if !is_below(&file.written, into) {
            return Err("it gave a file that is not in the directory for it".to_owned());
        }
        // A link would lead elsewhere.
        match file.written.symlink_metadata() {
            Ok(found) if found.is_file() => {}
            _ => return Err("it gave something that is not there or no file".to_owned()),
        }
    }
    all_differ(files.iter().map(|file| &file.restore_to))?;
    Ok(files)
}

/// One page of blobs, each with its place: at most `max`, by hash, from after `after` on.
pub(super) fn blobs(
    mut blobs: Vec<BackupBlob>,
    after: Option<[u8; 32]>,
    max: usize,
    data_dir: &Path,
) -> Result<Vec<BackupBlob>, String> {
    if blobs.len() > max {
        return Err("it gave more blobs than it was asked for".to_owned());
    }
    let hashes = after.iter().chain(blobs.iter().map(|blob| &blob.sha256));
    if !hashes.is_sorted_by(|one, next| one < next) {
        return Err("it gave blobs out of order".to_owned());
    }
    for blob in &mut blobs {
        blob.restore_to = place(&blob.restore_to, data_dir)?;
    }
    all_differ(blobs.iter().map(|blob| &blob.restore_to))?;
    Ok(blobs)
}

/// Where a file goes back to, relative to the data directory if that is where it is, however that is written.
fn place(restore_to: &Path, data_dir: &Path) -> Result<PathBuf, String> {
    let written = [
        Some(data_dir.to_owned()),
        data_dir.strip_prefix(".").ok().map(Path::to_owned),
        absolute(data_dir).ok(),
        data_dir.canonicalize().ok(),
    ];
    // In `.` everything relative is.
    let mut written = written
        .iter()
        .flatten()
        .filter(|it| !it.as_os_str().is_empty());
    let in_data_dir = written.find_map(|it| restore_to.strip_prefix(it).ok());
    let place = match in_data_dir {
        Some(place) => place.to_owned(),
        // What begins with a dot is meant from here; without one it would be from the data directory.
        None if restore_to.starts_with(".") => absolute(restore_to).unwrap_or_default(),
        None => restore_to.to_owned(),
    };
    match place.file_name().is_some() && is_plain(&place) {
        true => Ok(place),
        false => Err(format!("{restore_to:?} is no place to restore to")),
    }
}

/// Whether a file is in a directory; `./data` and the like name the same as without the dot.
fn is_below(file: &Path, directory: &Path) -> bool {
    match (absolute(file), absolute(directory)) {
        (Ok(file), Ok(directory)) => file.strip_prefix(&directory).is_ok_and(is_plain),
        _ => false,
    }
}

/// Leads nowhere but down.
fn is_plain(path: &Path) -> bool {
    path.components()
        .all(|part| matches!(part, Component::Normal(_) | Component::RootDir))
}

fn all_differ<'a>(mut places: impl Iterator<Item = &'a PathBuf>) -> Result<(), String> {
    let mut seen = HashSet::new();
    match places.find(|place| !seen.insert(*place)) {
        None => Ok(()),
        Some(twice) => Err(format!("{twice:?} would be restored twice")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d4_what_lies_in_the_data_directory_goes_back_into_any_data_directory() {
        for (given, kept) in [
            ("/data/blobs/index.db", "blobs/index.db"),
            ("blobs/index.db", "blobs/index.db"),
            ("/srv/blobs/index.db", "/srv/blobs/index.db"),
        ] {
            let found = place(Path::new(given), Path::new("/data"));
            assert_eq!(found, Ok(PathBuf::from(kept)));
        }
        let relative = Path::new("here");
        let own = absolute("here/a.db").expect("an absolute path");
        for given in [own.as_path(), Path::new("here/a.db")] {
            assert_eq!(place(given, relative), Ok(PathBuf::from("a.db")));
        }
        for given in [
            own.as_path(),
            Path::new("here/a.db"),
            Path::new("./here/a.db"),
        ] {
            let found = place(given, Path::new("./here"));
            assert_eq!(found, Ok(PathBuf::from("a.db")), "{given:?}");
        }
        for given in [absolute("a.db").expect("an absolute path"), "./a.db".into()] {
            assert_eq!(place(&given, Path::new(".")), Ok(PathBuf::from("a.db")));
        }
        let above = place(Path::new("../data/a.db"), Path::new("../data"));
        assert_eq!(above, Ok(PathBuf::from("a.db")));
        let elsewhere = absolute("media/a.db").expect("an absolute path");
        assert_eq!(place(Path::new("./media/a.db"), relative), Ok(elsewhere));
    }

    #[test]
    fn d4_a_directory_may_be_named_with_a_dot() {
        let into = Path::new("./data/backup/media");
        for below in ["./data/backup/media/a.db", "data/backup/media/a.db"] {
            assert!(is_below(Path::new(below), into), "{below}");
        }
        for elsewhere in ["./data/a.db", "./data/backup/media/../a.db", "/a.db"] {
            assert!(!is_below(Path::new(elsewhere), into), "{elsewhere}");
        }
        let above = Path::new("../data/backup/media");
        assert!(is_below(&above.join("a.db"), above));
    }

    #[test]
    fn d4_what_leads_elsewhere_is_no_place_to_restore_to() {
        for bad in ["", "/", "/data", "..", "../a", "/data/../a", "a/.."] {
            let found = place(Path::new(bad), Path::new("/data"));
            assert!(found.is_err(), "{bad}: {found:?}");
        }
    }

    #[test]
    fn d4_blobs_come_in_order_and_no_more_than_asked_for() {
        let blob = |byte: u8| BackupBlob {
            sha256: [byte; 32],
            path: format!("/data/{byte}").into(),
            restore_to: format!("/data/{byte}").into(),
        };
        let asked = |given: &[u8], after: Option<u8>| {
            let given = given.iter().map(|byte| blob(*byte)).collect();
            blobs(given, after.map(|byte| [byte; 32]), 2, Path::new("/data"))
        };
        assert_eq!(asked(&[3, 4], Some(2)).map(|blobs| blobs.len()), Ok(2));
        for (given, after) in [(&[3, 4, 5][..], None), (&[4, 3], None), (&[2, 3], Some(2))] {
            assert!(asked(given, after).is_err(), "{given:?}");
        }
        let mut twice = vec![blob(1), blob(2)];
        twice[1].restore_to = twice[0].restore_to.clone();
        assert!(blobs(twice, None, 2, Path::new("/data")).is_err());
    }
}
