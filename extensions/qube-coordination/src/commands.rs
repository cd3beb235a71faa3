//! `trellis qube-audit`: whether both logs still are what was appended to them.

use crate::QubeCoordination;
use crate::log::{Chain, Head};
use std::fmt::Write as _;
use std::sync::Arc;
use trellis_qube_protocol::chain;
use trellis_relay::extension::prelude::*;

const USAGE: &str = "\
qube-audit               follow the hash chains of what was replaced and adopted, and print where they end;
                         what does not hold together is an error, and exit code 1";

/// Registers the command.
pub(crate) fn register(hooks: &mut Registrar<QubeCoordination>) {
    let about =
        "follows the hash chains of what was replaced and adopted, and prints where they end";
    hooks.command(
        "qube-audit",
        about,
        async |me: Arc<QubeCoordination>, words| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words[..] {
                [] => audit(&me).await,
                ["help" | "--help" | "-h"] => Ok(USAGE.to_owned()),
                _ => Err(format!(
                    "qube-audit cannot {:?}; it can:\n{USAGE}",
                    words.join(" ")
                )),
            }
        },
    );
}

async fn audit(me: &QubeCoordination) -> Result<String, String> {
    let mut text = String::new();
    for log in [Chain::Log, Chain::Adopted] {
        let (mut head, mut broken): (Head, _) = (None, None);
        let read = log.each_after(&me.host, 0, |entry| {
            if broken.is_none() {
                match chain::follow(head, entry) {
                    Ok(next) => head = Some(next),
                    Err(found) => broken = Some(found),
                }
            }
        });
        read.await
            .map_err(|error| format!("the {} could not be read: {error}", log.name()))?;
        if let Some(broken) = broken {
            return Err(format!(
                "the {} does not hold together: {broken}",
                log.name()
            ));
        }
        let told = match head {
            Some((seq, hash)) => {
                writeln!(text, "{}: {seq} entries, the last is {hash}", log.name())
            }
            None => writeln!(text, "{}: empty", log.name()),
        };
        told.map_err(|error| error.to_string())?;
    }
    Ok(text.trim_end().to_owned())
}
