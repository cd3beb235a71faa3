//! Builds events for tests. Stores do not verify, so nothing is signed.

use secp256k1::{Keypair, Secp256k1};
use std::sync::Arc;
use trellis_relay::event::{Event, EventParts, PublicKey, escape_into};

/// An event in the making.
#[derive(Clone)]
pub(crate) struct Draft {
    id: Option<[u8; 32]>,
    author: [u8; 32],
    kind: u16,
    created_at: u64,
    tags: Vec<Vec<String>>,
    content: String,
}

/// A well-known author.
pub(crate) fn author(n: u8) -> [u8; 32] {
    [n; 32]
}

pub(crate) fn pubkey(n: u8) -> PublicKey {
    PublicKey::from_byte_array(author(n))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Draft {
    pub(crate) fn of(kind: u16) -> Self {
        Draft {
            id: None,
            author: author(1),
            kind,
            created_at: 1_700_000_000,
            tags: Vec::new(),
            content: String::new(),
        }
    }

    pub(crate) fn by(mut self, n: u8) -> Self {
        self.author = author(n);
        self
    }

    pub(crate) fn by_key(mut self, key: [u8; 32]) -> Self {
        self.author = key;
        self
    }

    pub(crate) fn at(mut self, created_at: u64) -> Self {
        self.created_at = created_at;
        self
    }

    pub(crate) fn tag(mut self, items: &[&str]) -> Self {
        self.tags
            .push(items.iter().map(|item| (*item).to_owned()).collect());
        self
    }

    pub(crate) fn content(mut self, content: impl Into<String>) -> Self {
        self.content = content.into();
        self
    }

    /// An id of one's choice, for ties.
    pub(crate) fn id(mut self, id: [u8; 32]) -> Self {
        self.id = Some(id);
        self
    }

    /// With the key's author, true id and signature.
    pub(crate) fn signed(mut self, secret_key: [u8; 32]) -> Arc<Event> {
        let secp = Secp256k1::new();
        let keypair = Keypair::from_seckey_slice(&secp, &secret_key).unwrap();
        self.author = keypair.x_only_public_key().0.serialize();
        let id = self.build().computed_id();
        let sig = secp.sign_schnorr_no_aux_rand(&id, &keypair);
        self.build_with(id, sig.as_ref())
    }

    pub(crate) fn build(&self) -> Arc<Event> {
        let id = self
            .id
            .unwrap_or_else(|| self.build_with([0; 32], &[0xab; 64]).computed_id());
        self.build_with(id, &[0xab; 64])
    }

    fn build_with(&self, id: [u8; 32], sig: &[u8; 64]) -> Arc<Event> {
        let mut tags = b"[".to_vec();
        for (i, tag) in self.tags.iter().enumerate() {
            tags.extend_from_slice(if i == 0 { b"[" } else { b",[" });
            for (j, item) in tag.iter().enumerate() {
                if j > 0 {
                    tags.push(b',');
                }
                escape_into(&mut tags, item);
            }
            tags.push(b']');
        }
        tags.push(b']');
        let mut content = Vec::new();
        escape_into(&mut content, &self.content);
        let parts = EventParts {
            id: &id,
            pubkey: &self.author,
            created_at: self.created_at,
            kind: self.kind,
            tags_json: std::str::from_utf8(&tags).unwrap(),
            content_json: std::str::from_utf8(&content).unwrap(),
            sig,
        };
        Arc::new(parts.assemble())
    }
}

/// A deletion by author `n` of the events with these ids.
pub(crate) fn deletion_of(n: u8, created_at: u64, targets: &[&Event]) -> Arc<Event> {
    targets
        .iter()
        .fold(Draft::of(5).by(n).at(created_at), |draft, target| {
            draft.tag(&["e", &target.id().to_hex()])
        })
        .build()
}
