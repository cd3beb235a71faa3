//! What is decided about a blob once it is here: its real type, its real size, and the lists of what is not stored.

use super::{Admitted, is_blocked};
use crate::BlossomPolicy;
use crate::blob::MimeType;
use crate::holdings::Verdict;
use crate::policy::{self, Offer};
use crate::prefix_check::Finding;
use crate::refusal::Refusal;
use crate::sniffing;
use crate::spool::Spooled;

/// Decides by what came in.
pub(crate) async fn check(
    me: &BlossomPolicy,
    admitted: &Admitted,
    spooled: &Spooled,
) -> Result<Verdict, Refusal> {
    let config = me.config();
    let sniffed = sniffing::sniff(spooled.head(), spooled.tail(), spooled.size_bytes());
    let sniffed = sniffed.unless_hiding(spooled.hides());
    let allowed = policy::allowed_types(&config);
    let is_allowed = |name: &str| allowed.contains(&name);
    let agreed = match admitted.terms.is_encrypted {
        true => sniffing::agree_encrypted(sniffed, is_allowed),
        false => {
            let declared = admitted.declared.as_ref().map(MimeType::as_str);
            sniffing::agree(declared, sniffed, is_allowed)
        }
    };
    let agreed = agreed.map_err(|error| Refusal::Type(error.to_string().into()))?;
    let mime_type = MimeType::parse(agreed).unwrap_or(MimeType::OCTET_STREAM);
    let sha256 = spooled.sha256();
    let is_blocked = is_blocked(me, &sha256, spooled.md5(), spooled.sha1()).await?;
    let offer = Offer {
        way: admitted.way,
        by: &admitted.signer.pubkey,
        is_banned: false,
        is_blocked,
        size_bytes: Some(spooled.size_bytes()),
        mime_type: Some(&mime_type),
    };
    let terms = policy::judge(&config, &offer)?;
    // The dearest comes last.
    match me.prefix_check.look_up(&sha256).await {
        Finding::Clean => {}
        Finding::Known => return Err(Refusal::Blocked),
        Finding::Unanswered => {
            return Err(Refusal::busy("blobs cannot be checked at the moment"));
        }
    }
    Ok(Verdict {
        mime_type: mime_type.as_str().to_owned(),
        is_encrypted: terms.is_encrypted,
    })
}
