//! Signed events of the sorts that relays mostly see, the same in every run.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use secp256k1::{Keypair, Secp256k1};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use trellis_relay::event::Event;

/// People who write them.
pub(crate) const AUTHORS: usize = 200;

/// So many events, a second apart, the oldest first.
pub(crate) fn signed(count: usize) -> Vec<Event> {
    let secp = Secp256k1::new();
    let mut random = StdRng::seed_from_u64(1);
    let authors: Vec<Keypair> = (0..AUTHORS)
        .map(|_| Keypair::from_seckey_slice(&secp, &random.random::<[u8; 32]>()).unwrap())
        .collect();
    (0..count)
        .map(|number| {
            let author = &authors[random.random_range(0..AUTHORS)];
            let pubkey = const_hex::encode(author.x_only_public_key().0.serialize());
            let mentioned = const_hex::encode(random.random::<[u8; 32]>());
            let (kind, tags, words) = match number % 4 {
                0 => (7, format!(r#"[["e","{mentioned}"],["p","{pubkey}"]]"#), 1),
                1 => (1, format!(r#"[["p","{mentioned}"],["t","topic{}"]]"#, number % 50), 60),
                2 => (1, format!(r#"[["e","{mentioned}","","root"]]"#), 120),
                _ => (30023, format!(r#"[["d","article-{number}"],["t","topic7"]]"#), 400),
            };
            // Every other text has something to escape.
            let word = if number % 2 == 0 { "naïve " } else { r"line\n " };
            let content = word.repeat(words);
            let fields = format!(r#""{pubkey}",{},{kind},{tags},"{content}""#, 1_700_000_000 + number);
            let id: [u8; 32] = Sha256::digest(format!("[0,{fields}]")).into();
            let sig = secp.sign_schnorr_no_aux_rand(&id, author);
            let mut json = format!(r#"{{"id":"{}","pubkey":"{pubkey}","#, const_hex::encode(id));
            let (at, sig) = (1_700_000_000 + number, const_hex::encode(sig.as_ref()));
            let _ = write!(
                json,
                r#""created_at":{at},"kind":{kind},"tags":{tags},"content":"{content}","sig":"{sig}"}}"#
            );
            Event::parse(json.as_bytes()).unwrap()
        })
        .collect()
}
