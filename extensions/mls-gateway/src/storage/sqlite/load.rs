//! How full a mailbox is.

use crate::storage::columns::signed;
use crate::storage::{BoxLoad, LetterBox};
use sqlx::sqlite::SqlitePool;
use trellis_relay::event::PublicKey;

const KEY_PACKAGES: &str = "SELECT count(*), coalesce(sum(bytes), 0), count(*) FILTER (WHERE is_own), \
     coalesce(sum(bytes) FILTER (WHERE is_own), 0) FROM \
     (SELECT sender_pubkey = ?2 AS is_own, octet_length(content_b64) + coalesce(octet_length(tags), 0) AS bytes \
     FROM mail_keypackages WHERE recipient_pubkey = ?1 AND expires_at > ?3 AND acknowledged_at IS NULL)";

const WELCOMES: &str = "SELECT count(*), coalesce(sum(bytes), 0), count(*) FILTER (WHERE is_own), \
     coalesce(sum(bytes) FILTER (WHERE is_own), 0) FROM \
     (SELECT sender_pubkey = ?2 AS is_own, \
     octet_length(welcome_b64) + coalesce(octet_length(ratchet_tree_b64), 0) AS bytes \
     FROM mail_welcomes WHERE recipient_pubkey = ?1 AND expires_at > ?3 AND acknowledged_at IS NULL)";

/// Of live letters.
pub(super) async fn of_box(
    pool: &SqlitePool,
    letter_box: LetterBox,
    recipient: &PublicKey,
    sender: &PublicKey,
    now_s: u64,
) -> sqlx::Result<BoxLoad> {
    let statement = match letter_box {
        LetterBox::KeyPackages => KEY_PACKAGES,
        LetterBox::Welcomes => WELCOMES,
    };
    let (letters, bytes, letters_of_sender, bytes_of_sender): (i64, i64, i64, i64) =
        sqlx::query_as(statement)
            .bind(recipient.to_hex())
            .bind(sender.to_hex())
            .bind(signed(now_s))
            .fetch_one(pool)
            .await?;
    Ok(BoxLoad {
        letters: letters.unsigned_abs(),
        bytes: bytes.unsigned_abs(),
        letters_of_sender: letters_of_sender.unsigned_abs(),
        bytes_of_sender: bytes_of_sender.unsigned_abs(),
    })
}
