//! The place to which backups go: whether it can be written, read and tidied, and how new what is there is.

use trellis_relay::config::Config;
use trellis_relay::extension::Findings;

/// Looks at the place that `[backup] url` names.
pub(super) async fn look(config: &Config, found: &mut Findings) {
    if !config.backup.is_on() {
        // Where backups are made by others, only they know.
        return found.by_hand(
            "backup",
            "nothing here says where copies of the data directory go",
            "set [backup] url, or see that there is a copy on another machine, and restore one (docs/runbooks/restore.md)",
        );
    }
    #[cfg(feature = "backup")]
    place::look(config, found).await;
}

#[cfg(feature = "backup")]
mod place {
    use crate::commands::doctor::ownership::{AS_ITS_USER, is_ours, nearest};
    use rustix::fs::{Access, access};
    use std::path::Path;
    use std::time::Duration;
    use trellis_relay::backup::{Target, by_hand};
    use trellis_relay::config::{Config, Place};
    use trellis_relay::extension::Findings;

    /// What is written for a moment. No lineage is named like this.
    const PROBE: &str = "written-by-doctor";

    /// For writing, reading, deleting and listing together.
    const PATIENCE: Duration = Duration::from_secs(40);

    /// What came of looking.
    enum Tried {
        /// So many lineages are there.
        Well(usize),
        /// It is a directory that is made when the relay starts.
        NotThere,
        /// It is not there, and this user may not make it.
        NotMade,
        /// It is not this user's.
        OfAnother,
    }

    pub(super) async fn look(config: &Config, found: &mut Findings) {
        let url = config.backup.url.clone();
        let trying = tokio::task::spawn_blocking(move || try_out(&url));
        match tokio::time::timeout(PATIENCE, trying).await {
            Err(_) => found.fail(
                "backup",
                format!(
                    "{} has not answered in {} s",
                    config.backup.url,
                    PATIENCE.as_secs()
                ),
                "see that it can be reached from here",
            ),
            Ok(Ok(Ok(tried))) => tell(&tried, &config.backup.url, found),
            Ok(Ok(Err(error))) => found.fail(
                "backup",
                format!("{}: {}", config.backup.url, in_full(&*error)),
                "see that the place is there and that the credentials in the environment may list, read, write and delete \
                 (docs/deploying/backup.md)",
            ),
            Ok(Err(_)) => found.fail(
                "backup",
                "looking at the place broke off",
                "run this again, and tell the maintainers",
            ),
        }
    }

    fn tell(tried: &Tried, url: &str, found: &mut Findings) {
        match tried {
            Tried::Well(0) => {
                found.ok("backup", format!("{url} takes and gives back; nothing is in it yet"));
            }
            Tried::Well(_) => {
                found.ok("backup", format!("{url} takes and gives back, and has copies"));
            }
            Tried::NotThere => found.by_hand(
                "backup",
                format!("{url} is not there yet; the relay makes it when it starts"),
                "see that the disk or the share is mounted, and run this again after the first start",
            ),
            Tried::NotMade => found.fail(
                "backup",
                format!("{url} is not there, and this user may not make it"),
                "make it and give it to the relay's user, or run trellis doctor as that user",
            ),
            Tried::OfAnother => found.warn(
                "backup",
                format!("{url} is another user's, so nothing was written there"),
                AS_ITS_USER,
            ),
        }
    }

    /// A directory that the relay would have to make, or that is not ours, is left as it is: what is made there by another
    /// user, the relay may not be able to write.
    fn of_directory(path: &Path) -> Option<Tried> {
        match nearest(path) {
            Ok(Some(there)) if there == path => {
                let is_anothers = path.is_dir() && !is_ours(path);
                is_anothers.then_some(Tried::OfAnother)
            }
            Ok(Some(above)) if above.is_dir() => {
                match access(above, Access::WRITE_OK | Access::EXEC_OK) {
                    Ok(()) => Some(Tried::NotThere),
                    Err(_) => Some(Tried::NotMade),
                }
            }
            // Opening it says what is in the way.
            Ok(_) => None,
            Err(_) => Some(Tried::OfAnother),
        }
    }

    /// Writes, reads and deletes a small object.
    fn try_out(url: &str) -> Result<Tried, Box<dyn std::error::Error + Send + Sync>> {
        const WORDS: &[u8] = b"written by trellis doctor, which deletes it again";
        if let Some(Place::Directory(path)) = Place::parse(url)
            && let Some(tried) = of_directory(Path::new(path))
        {
            return Ok(tried);
        }
        let target = Target::open(url)?;
        target.put(PROBE, WORDS)?;
        let read = target.get(PROBE);
        target.delete(vec![PROBE.to_owned()])?;
        if read?.as_deref() != Some(WORDS) {
            return Err("what was written did not come back".into());
        }
        Ok(Tried::Well(by_hand::list(&target)?.len()))
    }

    fn in_full(error: &(dyn std::error::Error + 'static)) -> String {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
    }
}
