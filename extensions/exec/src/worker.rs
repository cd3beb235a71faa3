//! Keeps one process of a program running: starts it again after a while when it fails, replaces it when its file has
//! changed, and ends it when told.
//!
//! Invariant: a new version is started before the old one is let go, which answers what it was asked.

use crate::conversation::{Conversation, Pause};
use crate::process::{self, Process};
use crate::program::{Program, Stage};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Until the program stops and nothing waits any more. Should a worker panic another takes its place.
pub(crate) async fn keep(program: Arc<Program>) {
    let replaced = || {
        let wait = program.failed("had a worker that panicked");
        tracing::error!(
            program = program.name(),
            "a worker panicked and is replaced"
        );
        wait
    };
    go_on_despite_panics(|| work(program.clone()), replaced).await;
}

/// Runs a task again, after a while, until it ends otherwise than by a panic.
async fn go_on_despite_panics<F>(work: impl Fn() -> F, panicked: impl Fn() -> Duration)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    tasks.spawn(work());
    while let Some(ended) = tasks.join_next().await {
        if ended.is_err_and(|error| error.is_panic()) {
            tokio::time::sleep(panicked()).await;
            tasks.spawn(work());
        }
    }
}

async fn work(program: Arc<Program>) {
    let mut stage = program.stage();
    let mut retired = JoinSet::new();
    while !program.is_drained() {
        let why = match Process::spawn(&program.config, &program.chatter) {
            Ok(process) => {
                program.take_version();
                let running = program.started();
                let conversation = Conversation::new(process, &program);
                let ended = talk(conversation, &program, &mut retired).await;
                drop(running);
                match ended {
                    None => break,
                    Some(why) => why,
                }
            }
            Err(error) => format!("cannot be started: {error}"),
        };
        let wait = program.failed(&why);
        let wait_ms = wait.as_millis() as u64;
        tracing::warn!(
            program = program.name(),
            file = ?process::file_of(&program.config),
            wait_ms,
            "it {why}; starting it again"
        );
        tokio::select! {
            // An error means that nobody is left to say so.
            _ = stage.wait_for(|stage| *stage >= Stage::Draining) => break,
            () = tokio::time::sleep(wait) => {}
        }
    }
    while retired.join_next().await.is_some() {}
}

/// Talks to a process and those that replace it. `None` when all is said, or why the last one failed.
async fn talk(
    mut conversation: Conversation,
    program: &Arc<Program>,
    retired: &mut JoinSet<()>,
) -> Option<String> {
    loop {
        while retired.try_join_next().is_some() {}
        match conversation.go_on(program, false).await {
            Pause::Finished => {
                conversation.dismiss().await;
                return None;
            }
            Pause::Failed(why) => return Some(conversation.put_down(program, why).await),
            Pause::Outdated(version) => match Process::spawn(&program.config, &program.chatter) {
                Ok(process) => {
                    program.take_version();
                    program.counts.reloads.increment(1);
                    tracing::info!(
                        program = program.name(),
                        "its file changed: a new process takes over"
                    );
                    let old =
                        std::mem::replace(&mut conversation, Conversation::new(process, program));
                    retired.spawn(retire(old, program.clone()));
                }
                Err(error) => {
                    program.refuse_version(version, error.to_string());
                    tracing::error!(
                        program = program.name(),
                        "its file changed, but cannot be started: {error}; the old process goes on"
                    );
                }
            },
        }
    }
}

/// Lets a process answer what it was asked, and ends it.
async fn retire(mut conversation: Conversation, program: Arc<Program>) {
    match conversation.go_on(&program, true).await {
        Pause::Failed(why) => {
            let why = conversation.put_down(&program, why).await;
            tracing::warn!(
                program = program.name(),
                "while it was being replaced it {why}"
            );
        }
        Pause::Finished | Pause::Outdated(_) => conversation.dismiss().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    #[tokio::test]
    async fn e12_a_worker_that_panics_is_replaced() {
        let (begun, panics) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
        let work = || {
            let begun = begun.clone();
            async move { assert_eq!(begun.fetch_add(1, Relaxed), 2, "as asked") }
        };
        let panicked = || {
            panics.fetch_add(1, Relaxed);
            Duration::ZERO
        };
        go_on_despite_panics(work, panicked).await;
        assert_eq!((begun.load(Relaxed), panics.load(Relaxed)), (3, 2));
    }
}
