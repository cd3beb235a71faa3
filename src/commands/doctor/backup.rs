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
    use std::time::Duration;
    use trellis_relay::backup::{Target, by_hand};
    use trellis_relay::config::Config;
    use trellis_relay::extension::Findings;

    /// What is written for a moment. No lineage is named like this.
    const PROBE: &str = "written-by-doctor";

    /// For writing, reading, deleting and listing together.
    const PATIENCE: Duration = Duration::from_secs(40);

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
            Ok(Ok(Ok(lineages))) => found.ok(
                "backup",
                match lineages {
                    0 => format!("{} takes and gives back; nothing is in it yet", config.backup.url),
                    _ => format!("{} takes and gives back, and has copies", config.backup.url),
                },
            ),
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

    /// Writes, reads and deletes a small object; gives the number of lineages that are there.
    fn try_out(url: &str) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
        const WORDS: &[u8] = b"written by trellis doctor, which deletes it again";
        let target = Target::open(url)?;
        target.put(PROBE, WORDS)?;
        let read = target.get(PROBE);
        target.delete(vec![PROBE.to_owned()])?;
        if read?.as_deref() != Some(WORDS) {
            return Err("what was written did not come back".into());
        }
        Ok(by_hand::list(&target)?.len())
    }

    fn in_full(error: &(dyn std::error::Error + 'static)) -> String {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
    }
}
