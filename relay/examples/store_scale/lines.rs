//! Prints events signed, for `trellis import`.

use crate::events::event;
use secp256k1::{Keypair, Secp256k1};
use std::io::Write as _;
use std::ops::Range;
use trellis_relay::event::EventParts;

/// Signing takes a core for a while, so it takes two.
pub(crate) fn print_lines(count: u64) {
    const PIECE: u64 = 10_000;
    let mut out = std::io::stdout().lock();
    for from in (0..count).step_by(2 * PIECE as usize) {
        let rows = |from: u64| from.min(count)..(from + PIECE).min(count);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| signed_lines(rows(from + PIECE)));
            out.write_all(&signed_lines(rows(from))).unwrap();
            out.write_all(&second.join().unwrap()).unwrap();
        });
    }
}

fn signed_lines(rows: Range<u64>) -> Vec<u8> {
    let secp = Secp256k1::new();
    let mut lines = Vec::new();
    for row in rows {
        let event = event(row, row, false);
        let keypair = Keypair::from_seckey_slice(&secp, event.pubkey().as_bytes()).unwrap();
        let author = keypair.x_only_public_key().0.serialize();
        let mut parts = EventParts {
            id: &[0; 32],
            pubkey: &author,
            created_at: event.created_at(),
            kind: event.kind(),
            tags_json: event.tags_json(),
            content_json: event.content_json(),
            sig: &[0; 64],
        };
        let id = parts.assemble().computed_id();
        let signature = secp.sign_schnorr_no_aux_rand(&id, &keypair);
        (parts.id, parts.sig) = (&id, signature.as_ref());
        lines.extend_from_slice(parts.assemble().json());
        lines.push(b'\n');
    }
    lines
}
