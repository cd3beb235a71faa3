//! Tells one server what begins and ends, in order, each until it is taken or was tried for too long.
//!
//! Invariant: how far a server was told is durable, and a number is never told after a greater one. Of the server nothing is
//! logged but its place in the configuration: its address may hold a token.

use super::alert::News;
use super::signature::{SIGNATURE, TIMESTAMP, sign};
use super::{Alerts, StoppedBy};
use crate::config::Webhook;
use crate::metering;
use serde::Serialize;
use std::time::Duration;
use trellis_qube_protocol::Digest;
use trellis_relay::extension::OutboundError;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

const SENT: &str = "alert/sent/";
/// Between the first attempt and the second; then twice as long each time.
const WAIT_MIN: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(300);
const PATIENCE: Duration = Duration::from_secs(10);
/// Of an answer nothing is read but its status.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// What a server is sent.
#[derive(Serialize)]
struct Message<'a> {
    /// The relay's key: numbers are each relay's own.
    relay: &'a str,
    #[serde(flatten)]
    news: &'a News,
}

/// One server, and how far it was told.
pub(super) struct Messenger<'a> {
    host: &'a Host,
    alerts: &'a Alerts,
    webhook: &'a Webhook,
    /// Its place in the configuration, from 1.
    number: usize,
    row: String,
    told: u64,
}

impl<'a> Messenger<'a> {
    /// A server that is new here is told nothing of what was before.
    pub(super) async fn open(
        host: &'a Host,
        alerts: &'a Alerts,
        webhook: &'a Webhook,
        number: usize,
    ) -> Result<Messenger<'a>, StoreError> {
        let id = Digest::of(webhook.url.reveal().as_bytes()).to_string();
        let row = format!("{SENT}{}", id.get(..32).unwrap_or(&id));
        let told = host.kv_get(row.as_bytes()).await?;
        let told = told.and_then(|value| String::from_utf8(value).ok()?.parse().ok());
        let mut messenger = Messenger {
            host,
            alerts,
            webhook,
            number,
            row,
            told: told.unwrap_or(0),
        };
        if told.is_none() {
            messenger.note(alerts.last_seq()).await?;
        }
        Ok(messenger)
    }

    /// Goes on until the relay stops.
    pub(super) async fn run(mut self, stop: &StopToken) -> Result<(), TaskError> {
        let mut news = self.alerts.heard();
        while !stop.is_stopped() {
            self.count();
            match self.alerts.after(self.told) {
                Some(next) => {
                    let lost = next.seq - self.told - 1;
                    if lost > 0 {
                        self.give_up(lost, "the log of alerts was full");
                    }
                    if self.tell(&next, stop).await == StoppedBy::Relay {
                        return Ok(());
                    }
                    self.note(next.seq).await?;
                }
                None => tokio::select! {
                    () = stop.stopped() => {}
                    _ = news.changed() => {}
                },
            }
        }
        Ok(())
    }

    /// Tells it until it is taken, or it is too late.
    async fn tell(&self, news: &News, stop: &StopToken) -> StoppedBy {
        let mut wait = WAIT_MIN;
        let until_s = news.at + self.alerts.give_up_after().as_secs();
        loop {
            self.count();
            if self.host.clock().now_s() > until_s {
                self.give_up(1, "the server did not take it in time");
                return StoppedBy::Itself;
            }
            let Err(why) = self.send(news).await else {
                metering::webhook("delivered", 1);
                return StoppedBy::Itself;
            };
            metering::webhook("failed", 1);
            let (webhook, wait_ms) = (self.number, wait.as_millis() as u64);
            tracing::warn!(
                webhook,
                seq = news.seq,
                wait_ms,
                "an alert was not taken: {why}"
            );
            tokio::select! {
                () = stop.stopped() => return StoppedBy::Relay,
                () = tokio::time::sleep(wait) => {}
            }
            wait = WAIT_MAX.min(2 * wait);
        }
    }

    async fn send(&self, news: &News) -> Result<(), String> {
        let message = Message {
            relay: &self.host.relay_pubkey().to_hex(),
            news,
        };
        let body = serde_json::to_vec(&message).map_err(|_| "it is no JSON".to_owned())?;
        let now_s = self.host.clock().now_s();
        let signature = sign(self.webhook.secret.reveal().as_bytes(), now_s, &body);
        let request = self.host.http_client().post(self.webhook.url.reveal());
        let request = request
            .header("content-type", "application/json")
            .header(TIMESTAMP, &now_s.to_string())
            .header(SIGNATURE, &signature)
            .body(body)
            .timeout(PATIENCE)
            .max_body_bytes(ANSWER_BYTES_MAX)
            .unfollowed();
        match request.send().await {
            Ok(answer) if answer.is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status())),
            Err(OutboundError::Timeout(_)) => Err("it did not answer in time".to_owned()),
            Err(OutboundError::Private { .. }) => Err(
                "it is at an address that is not public; outbound.allow_private can allow it"
                    .to_owned(),
            ),
            Err(OutboundError::Failed { cause, .. }) => Err(cause),
            Err(_) => Err("it could not be asked".to_owned()),
        }
    }

    fn count(&self) {
        metering::webhook_waiting(self.number, self.alerts.waiting(self.told));
    }

    fn give_up(&self, count: u64, why: &str) {
        metering::webhook("given_up", count);
        tracing::error!(webhook = self.number, count, "alerts are given up: {why}");
    }

    async fn note(&mut self, seq: u64) -> Result<(), StoreError> {
        self.told = seq;
        let value = seq.to_string().into_bytes();
        self.host.kv_put(self.row.as_bytes(), Some(value)).await
    }
}
