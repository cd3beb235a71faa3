//! What an operator should know of an extension before clients come, found out without running it: `trellis doctor`.
//!
//! Invariant: an examination changes nothing and needs no running relay, nor a stopped one. One that panics or hangs is
//! itself what is found.

use super::compiled::Compiled;
use super::{panics, table};
use crate::config::Config;
use crate::reason::presentable;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// An examination may take so long altogether, whatever time the doctor gives each server that it asks itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// How good something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// It works, and will not always.
    Warn,
    /// It does not work.
    Fail,
    /// No program can tell; a person has to look.
    ByHand,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub check: String,
    /// How good it is.
    pub grade: Grade,
    /// What was found. No secret, and no word of a server that may hold one.
    pub found: String,
    /// What would be right, and how it becomes so; for [`Grade::ByHand`] where to look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// An address at which clients reach a part of what the operator runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What is there, in a word or two.
    pub name: String,
    /// Its URL: `https`, `wss`, `http` or `ws`.
    pub url: String,
}

/// What was found, in the order in which it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Each thing that was looked at.
    pub all: Vec<Finding>,
    /// Addresses that clients are told: whoever asked looks at their certificates.
    pub endpoints: Vec<Endpoint>,
}

impl Findings {
    /// Something is as it should be.
    pub fn ok(&mut self, check: &str, found: impl Into<String>) {
        self.add(check, Grade::Ok, found.into(), None);
    }

    /// Something works, and will not always.
    pub fn warn(&mut self, check: &str, found: impl Into<String>, advice: impl Into<String>) {
        self.add(check, Grade::Warn, found.into(), Some(advice.into()));
    }

    /// Something does not work.
    pub fn fail(&mut self, check: &str, found: impl Into<String>, advice: impl Into<String>) {
        self.add(check, Grade::Fail, found.into(), Some(advice.into()));
    }

    /// Something has to be looked at by a person; `where_to_look` says how.
    pub fn by_hand(
        &mut self,
        check: &str,
        found: impl Into<String>,
        where_to_look: impl Into<String>,
    ) {
        self.add(
            check,
            Grade::ByHand,
            found.into(),
            Some(where_to_look.into()),
        );
    }

    /// Clients are told this address.
    pub fn endpoint(&mut self, name: &str, url: &str) {
        self.endpoints.push(Endpoint {
            name: name.to_owned(),
            url: url.to_owned(),
        });
    }

    fn add(&mut self, check: &str, grade: Grade, found: String, advice: Option<String>) {
        // Whoever wrote it: a server's words, or a name out of the configuration.
        let shown = |text: String| presentable(text.into()).into_owned();
        self.all.push(Finding {
            check: shown(check.to_owned()),
            grade,
            found: shown(found),
            advice: advice.map(shown),
        });
    }
}

/// What an extension's `examine` is told of the relay.
#[derive(Clone, Debug)]
pub struct Examination {
    config: Arc<Config>,
}

impl Examination {
    /// Of a relay with this configuration.
    pub fn new(config: Arc<Config>) -> Self {
        Examination { config }
    }

    /// The relay's data directory (`data.path`), which may not be there yet.
    pub fn data_dir(&self) -> &Path {
        &self.config.data.path
    }

    /// The address by which clients know the relay (`network.relay_url`).
    pub fn relay_url(&self) -> Option<&str> {
        self.config.network.relay_url.as_deref()
    }
}

/// Examines an extension by its table, if that switches it on.
pub async fn examine(
    compiled: &Compiled,
    table: table::Table,
    examination: Examination,
) -> Option<Findings> {
    examine_within(PATIENCE, compiled, table, examination).await
}

async fn examine_within(
    patience: Duration,
    compiled: &Compiled,
    table: table::Table,
    examination: Examination,
) -> Option<Findings> {
    let (keys, own) = match table::split(table) {
        Ok(split) => split,
        Err(problem) => return Some(broken(&problem)),
    };
    if !keys.enabled {
        return None;
    }
    panics::install();
    let (tell, told) = tokio::sync::oneshot::channel();
    let compiled = *compiled;
    // A thread that is nobody's: one that never ends keeps nobody from ending.
    let thread = std::thread::Builder::new().name(compiled.name().to_owned());
    let started = thread.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return drop(tell.send(broken(&error.to_string()))),
        };
        let examined = panics::contain_as(compiled.name(), || {
            let examining = compiled.examine(own, examination)?;
            Ok::<_, String>(runtime.block_on(examining))
        });
        // Dropped, it would wait for what blocks, such as a name server that does not answer.
        runtime.shutdown_background();
        // Nobody may be waiting any more.
        let _ = tell.send(match examined {
            Ok(Ok(findings)) => findings,
            Ok(Err(problem)) => broken(&problem),
            Err(_) => broken("it panicked"),
        });
    });
    if let Err(error) = started {
        return Some(broken(&error.to_string()));
    }
    let examined = tokio::time::timeout(patience, told).await;
    Some(match examined {
        Ok(Ok(findings)) => findings,
        Ok(Err(_)) => broken("it ended early"),
        Err(_) => broken("it does not end"),
    })
}

fn broken(found: &str) -> Findings {
    let mut findings = Findings::default();
    findings.fail(
        "examination",
        found,
        "this is a fault of the extension; tell its author",
    );
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extension::prelude::*;

    struct Patient;

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Ills {
        ill: String,
    }

    impl Extension for Patient {
        const NAME: &'static str = "patient";
        type Config = Ills;

        async fn build(_: Ills, _: Host) -> Result<Self, BuildError> {
            Ok(Patient)
        }

        fn register(&self, _: &mut Registrar<Self>) {}

        async fn examine(config: Ills, at: Examination) -> Findings {
            let mut found = Findings::default();
            match config.ill.as_str() {
                "panics" => panic!("in an examination"),
                "hangs" => std::future::pending().await,
                "leaves work" => {
                    // As a name is looked up that no server knows: it ends when it ends.
                    drop(tokio::task::spawn_blocking(|| {
                        std::thread::park_timeout(2 * PATIENCE)
                    }));
                    found.ok("ill", "well");
                }
                "leaves work and panics" => {
                    drop(tokio::task::spawn_blocking(|| {
                        std::thread::park_timeout(2 * PATIENCE)
                    }));
                    panic!("in an examination");
                }
                ill => found.warn("ill", format!("{ill}\n{}", at.data_dir().display()), "rest"),
            }
            found
        }
    }

    async fn examined(table: &str, patience: Duration) -> Option<Findings> {
        let table = table.parse().expect("a table");
        let at = Examination::new(Arc::default());
        examine_within(patience, &Compiled::of::<Patient>(), table, at).await
    }

    #[tokio::test]
    async fn d9_an_extension_is_examined_by_its_table_alone() {
        let found = examined("ill = 'cold'\npriority = 3", PATIENCE).await;
        let found = found.expect("it is on");
        assert_eq!(found.all.len(), 1);
        assert_eq!(found.all[0].grade, Grade::Warn);
        assert_eq!(found.all[0].found, "cold ./data");
        assert_eq!(
            examined("ill = 'cold'\nenabled = false", PATIENCE).await,
            None
        );
    }

    #[tokio::test]
    async fn d9_what_an_examination_leaves_behind_is_not_waited_for() {
        let found = examined("ill = 'leaves work'", PATIENCE).await;
        assert_eq!(found.expect("it is on").all[0].grade, Grade::Ok);
    }

    #[test]
    fn d9_no_word_of_a_finding_moves_the_cursor() {
        let mut found = Findings::default();
        found.warn("a\u{1b}[2Jb", "c\nd", "e\u{202e}f");
        let Finding {
            check,
            found,
            advice,
            ..
        } = found.all.remove(0);
        assert_eq!((check.as_str(), found.as_str()), ("a [2Jb", "c d"));
        assert_eq!(advice.as_deref(), Some("e f"));
    }

    #[tokio::test]
    async fn d9_an_examination_that_fails_is_what_is_found() {
        let soon = Duration::from_millis(50);
        for (table, patience, found) in [
            ("ill = 'panics'", PATIENCE, "it panicked"),
            ("ill = 'leaves work and panics'", PATIENCE, "it panicked"),
            ("ill = 'hangs'", soon, "it does not end"),
            ("il = 1", PATIENCE, "il"),
        ] {
            let examined = examined(table, patience).await.expect("it is on");
            assert_eq!(examined.all[0].grade, Grade::Fail, "{table}");
            assert!(examined.all[0].found.contains(found), "{examined:?}");
        }
    }
}
