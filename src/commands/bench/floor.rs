//! What the least costs that an event cannot do without: the yardstick for a relay's figures, taken on the same machine
//! in the same run, and like them in CPU time.

use super::corpus::{Corpus, Recipe};
use super::now_secs;
use super::report::Report;
use super::thread_clock::{median, thread_cpu_us};
use anyhow::Context as _;
use secp256k1::schnorr::Signature;
use secp256k1::{Secp256k1, XOnlyPublicKey};
use std::hint::black_box;
use trellis_relay::event::Event;

/// Rounds of which the median counts, so that whoever disturbs one does not matter.
pub(super) const ROUNDS: usize = 7;
const EVENTS: u64 = 2_000;

/// Microseconds of CPU time an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floor {
    pub(super) json_us: f64,
    pub(super) id_us: f64,
    /// Key and signature from hex, the point on the curve included.
    pub(super) decode_us: f64,
    /// BIP-340.
    pub(super) verify_us: f64,
}

impl Floor {
    pub(super) fn measure() -> anyhow::Result<Self> {
        let lines = sample_events(EVENTS)?;
        let events: Vec<Event> = lines
            .iter()
            .map(|line| Event::parse(line))
            .collect::<Result<_, _>>()
            .context("an event of our own")?;
        let secp = Secp256k1::verification_only();
        let keys: Vec<String> = events
            .iter()
            .map(|event| const_hex::encode(event.pubkey().as_bytes()))
            .collect();
        let decode = |event: &Event, key: &str| -> anyhow::Result<(XOnlyPublicKey, Signature)> {
            let (mut key_bytes, mut sig_bytes) = ([0; 32], [0; 64]);
            const_hex::decode_to_slice(key, &mut key_bytes)?;
            const_hex::decode_to_slice(event.sig_hex(), &mut sig_bytes)?;
            Ok((
                XOnlyPublicKey::from_slice(&key_bytes)?,
                Signature::from_slice(&sig_bytes)?,
            ))
        };
        let pairs = || events.iter().zip(&keys);
        let decoded: Vec<_> = pairs()
            .map(|(event, key)| decode(event, key))
            .collect::<Result<_, _>>()?;

        Ok(Floor {
            json_us: median_us(|| {
                lines
                    .iter()
                    .all(|line| Event::parse(black_box(line)).is_ok())
            })?,
            id_us: median_us(|| {
                events
                    .iter()
                    .all(|event| event.computed_id() == *event.id().as_bytes())
            })?,
            decode_us: median_us(|| {
                pairs().all(|(event, key)| black_box(decode(event, key)).is_ok())
            })?,
            verify_us: median_us(|| {
                let mut all = events.iter().zip(&decoded);
                all.all(|(event, (key, sig))| {
                    secp.verify_schnorr(sig, event.id().as_bytes(), key).is_ok()
                })
            })?,
        })
    }

    /// Decoding and verifying: the steadiest part, to which others are compared.
    pub(super) fn crypto_us(&self) -> f64 {
        self.decode_us + self.verify_us
    }

    pub(super) fn tell(&self, report: &mut Report) {
        report.number("json_parse_us", self.json_us);
        report.number("id_hash_us", self.id_us);
        report.number("key_and_signature_decode_us", self.decode_us);
        report.number("bip340_verify_us", self.verify_us);
        report.number("crypto_cost_us", self.crypto_us());
    }
}

/// Events of the usual corpus.
pub(super) fn sample_events(count: u64) -> anyhow::Result<Vec<Vec<u8>>> {
    let corpus = Corpus::new(Recipe {
        seed: 1,
        events: count,
        until: now_secs()?,
        span_secs: 86_400,
        only_kind: None,
    })?;
    (0..count).map(|number| corpus.event(number)).collect()
}

/// The CPU time one event takes of a pass over all of them, which has to succeed.
fn median_us(pass: impl Fn() -> bool) -> anyhow::Result<f64> {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let before_us = thread_cpu_us();
        anyhow::ensure!(pass(), "an event of our own is not right");
        rounds.push((thread_cpu_us() - before_us) / EVENTS as f64);
    }
    Ok(median(rounds))
}
