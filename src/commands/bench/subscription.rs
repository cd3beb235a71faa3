//! Opening subscriptions that wait for what is published, and asking whether they are still there.

use super::answer::{self, Answer};
use super::socket::Socket;
use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// Subscribes on a connection, and waits until stored events have been sent; there must be none.
pub(super) async fn subscribe(
    socket: &mut Socket,
    subscriptions: &[(String, Value)],
) -> anyhow::Result<()> {
    for (sub, filter) in subscriptions {
        socket
            .send_text(&format!("[\"REQ\",\"{sub}\",{filter}]"))
            .await?;
    }
    let mut waiting = subscriptions.len();
    while waiting > 0 {
        let message = socket.message().await?;
        match Answer::read(socket.text(&message)) {
            Answer::EndOfStored { .. } => waiting -= 1,
            Answer::Event { .. } => bail!("an event came to a subscription that none is for yet"),
            Answer::Closed { words, .. } | Answer::Notice { words } => {
                bail!(
                    "the relay keeps no such subscription: {:?}",
                    String::from_utf8_lossy(words)
                );
            }
            Answer::Ok { .. } | Answer::Other => {}
        }
    }
    Ok(())
}

/// The next event that comes, and the subscription it comes for.
pub(super) async fn next_event(socket: &mut Socket) -> anyhow::Result<(String, [u8; 32])> {
    socket.wait_anew();
    loop {
        let message = socket.message().await?;
        match Answer::read(socket.text(&message)) {
            Answer::Event { sub, json } => {
                let sub = String::from_utf8_lossy(sub).into_owned();
                let id = answer::event_id(json).context("an event without an id")?;
                return Ok((sub, id));
            }
            Answer::Closed { words, .. } | Answer::Notice { words } => {
                bail!("the relay says {:?}", String::from_utf8_lossy(words));
            }
            _ => {}
        }
    }
}

/// Everything that has come to a connection, when another question of it has been answered: ids of events and the
/// subscriptions they came for.
pub(super) async fn arrived(
    socket: &mut Socket,
    closing: &str,
) -> anyhow::Result<Vec<(String, [u8; 32])>> {
    // Some relays allow no more subscriptions than there are.
    socket
        .send_text(&format!("[\"CLOSE\",\"{closing}\"]"))
        .await?;
    let nobody = "0".repeat(64);
    socket
        .send_text(&format!("[\"REQ\",\"fence\",{{\"ids\":[\"{nobody}\"]}}]"))
        .await?;
    let mut events = Vec::new();
    loop {
        let message = socket.message().await?;
        match Answer::read(socket.text(&message)) {
            Answer::EndOfStored { sub: b"fence" } => return Ok(events),
            // Where nothing can follow, an end is as good.
            Answer::Closed {
                sub: b"fence",
                words: b"",
            } => return Ok(events),
            Answer::Event { sub, json } => {
                let sub = String::from_utf8_lossy(sub).into_owned();
                events.extend(answer::event_id(json).map(|id| (sub, id)));
            }
            Answer::Closed { sub, words } => {
                ensure!(
                    sub == closing.as_bytes(),
                    "the relay closed a subscription: {:?}",
                    String::from_utf8_lossy(words)
                );
            }
            _ => {}
        }
    }
}
