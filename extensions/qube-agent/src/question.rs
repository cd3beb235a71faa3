//! Short questions to the node: is it well, which version runs, how high is its chain.

use crate::config::Probe;
use crate::download::Downloader;
use crate::stop::Stop;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What a program printed, trimmed, when it ended with 0.
pub(crate) async fn ask(argv: &[String]) -> Result<String, String> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err("no command".to_owned());
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = match timeout(ANSWER_WITHIN, command.output()).await {
        Err(_) => return Err(format!("{program} did not end in time")),
        Ok(Err(error)) => return Err(format!("{program}: {error}")),
        Ok(Ok(output)) => output,
    };
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(format!("{program} ended with {}", output.status)),
    }
}

/// Whether the node becomes well in time. None when the agent was asked to stop meanwhile.
pub(crate) async fn becomes_well(
    probe: &Probe,
    downloader: &Downloader,
    stop: &Stop,
) -> Option<Result<(), String>> {
    let deadline = Instant::now() + probe.within.0;
    loop {
        let answer = tokio::select! {
            () = stop.asked() => return None,
            answer = look(probe, downloader) => answer,
        };
        let Err(problem) = answer else {
            return Some(Ok(()));
        };
        if Instant::now() + probe.every.0 > deadline {
            let within = probe.within;
            return Some(Err(format!(
                "the node was not well within {within}: {problem}"
            )));
        }
        tokio::select! {
            () = stop.asked() => return None,
            () = sleep(probe.every.0) => {}
        }
    }
}

async fn look(probe: &Probe, downloader: &Downloader) -> Result<(), String> {
    match (&probe.command, &probe.url) {
        (Some(argv), _) => ask(argv).await.map(drop),
        (None, Some(url)) => downloader.is_well(url).await,
        (None, None) => Ok(()),
    }
}
