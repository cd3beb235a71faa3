//! How a receiver knows that a request is the relay's: HMAC-SHA256 over the time and the body.
//!
//! `docs/extensions/qube-dashboard.md` shows how to check it, and a test runs what stands there.

use ring::hmac;

/// The header with the time, in seconds since 1970.
pub(super) const TIMESTAMP: &str = "x-qube-timestamp";
/// The header with the signature.
pub(super) const SIGNATURE: &str = "x-qube-signature";

/// `v1=` and 64 hex digits, over `timestamp`, a full stop and the body.
pub(super) fn sign(secret: &[u8], timestamp_s: u64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{timestamp_s}.").as_bytes());
    context.update(body);
    format!("v1={}", const_hex::encode(context.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q14_the_signature_is_that_of_the_documentation() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 'a secret of 16 or more'
        let signature = sign(b"a secret of 16 or more", 1_700_000_000, b"{\"a\":1}");
        assert_eq!(
            signature,
            "v1=6a4a7b240e8217317f2ede07626fbca0781febedf01ceb7a1a722fb6f9c9ab34"
        );
    }

    #[test]
    fn q14_the_signature_covers_time_and_body() {
        let signature = sign(b"secret", 17, b"body");
        for (secret, timestamp_s, body) in [
            (&b"Secret"[..], 17, &b"body"[..]),
            (b"secret", 18, b"body"),
            (b"secret", 17, b"bodY"),
            (b"secret", 1, b"7.body"),
        ] {
            assert_ne!(sign(secret, timestamp_s, body), signature);
        }
    }
}
