//! How a blob comes in, whichever way: looked at by what is told of it, received, looked at by what it is, and kept.
//!
//! Invariant: nothing is read from somebody who may not store it; nothing is kept that `policy` has not let in by its real
//! size, type and hash, and whose hash was not signed for. Whatever fails leaves nothing behind: what came in goes with its
//! `Spooled`, the reserved room with its `Reservation`.
//!
//! `PUT /upload`, `/media` and `/mirror` all go this way: [`admit`] (of which `HEAD` does the same in [`look_at`], and no more),
//! then a `Spooled` from wherever the bytes come, then [`keep`].

mod checking;

pub(crate) use checking::check;

use crate::BlossomPolicy;
use crate::address;
use crate::auth::Signer;
use crate::blob::{BlobHash, Descriptor, MimeType};
use crate::holdings::{HoldingsError, to_its_end};
use crate::index::{Banned, Blob, Claimed};
use crate::payment::{self, Proof};
use crate::places::InPlace;
use crate::policy::{self, Offer, Terms, Way};
use crate::quota::{Kind, QuotaError, Reservation};
use crate::rates;
use crate::refusal::Refusal;
use crate::rescan;
use crate::spool::{Receive, SpoolError, Spooled};
use crate::storage::StorageError;
use crate::watch;
use actix_web::{HttpRequest, HttpResponse};
use trellis_relay::config::Mode;

/// What somebody offers, as far as it is told before it comes.
#[derive(Clone, Debug)]
pub(crate) struct Offering<'r> {
    pub(crate) way: Way,
    pub(crate) request: &'r HttpRequest,
    pub(crate) signer: &'r Signer,
    /// What it is said to be.
    pub(crate) declared: Option<MimeType>,
    pub(crate) size_bytes: Option<u64>,
    /// What it is said to hash to (`X-SHA-256`).
    pub(crate) announced: Option<BlobHash>,
}

impl Offering<'_> {
    /// The hash, where it is known before the blob has come: it can be no other.
    fn told(&self) -> Option<BlobHash> {
        self.announced.or_else(|| self.signer.only_blob())
    }
}

/// Leave to send a blob, with room for it. Dropped, the room is given back.
#[derive(Debug)]
pub(crate) struct Admitted {
    way: Way,
    signer: Signer,
    declared: Option<MimeType>,
    size_bytes: Option<u64>,
    announced: Option<BlobHash>,
    terms: Terms,
    reservation: Reservation,
    _place: InPlace,
}

/// A blob that was kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) blob: Blob,
    /// Nobody had stored it before.
    pub(crate) is_new: bool,
}

/// Says what [`admit`] would, without counting it: decides on what is told, whether there is room, and on who has to pay.
/// What is told can be wrong, so that all is decided once more.
pub(crate) async fn look_at(me: &BlossomPolicy, offering: &Offering<'_>) -> Result<(), Refusal> {
    let mut terms = judge(me, offering).await?;
    // Given back at once.
    drop(reserve(me, offering, &mut terms).await?);
    payment::ask(me, offering, Proof::Ignored).await
}

/// Decides on what is told, whoever has to pay.
pub(crate) async fn judge(me: &BlossomPolicy, offering: &Offering<'_>) -> Result<Terms, Refusal> {
    let modes = [Mode::ReadOnly, Mode::Maintenance];
    if let Err(reason) = me.host.refuse_during(&modes) {
        return Err(Refusal::Unavailable {
            text: reason.text,
            retry_after_s: 600,
        });
    }
    let ip = rates::client_ip(offering.request)?;
    let by = &offering.signer.pubkey;
    me.host.may_publish(ip.0, by)?;
    let is_banned = is_banned(me, &Banned::Pubkey(*by)).await?;
    // Of a mirror and of what comes without `X-SHA-256` it is what was signed for, where that is one.
    let is_blocked = match offering.told() {
        Some(told) => is_blocked(me, &told, None, None).await?,
        None => false,
    };
    let offer = Offer {
        way: offering.way,
        by,
        is_banned,
        is_blocked,
        size_bytes: offering.size_bytes,
        mime_type: offering.declared.as_ref(),
    };
    let terms = policy::judge(&me.config(), &offer)?;
    offering.signer.require_any()?;
    if let Some(announced) = &offering.announced {
        require(offering.way, offering.signer, announced)?;
    }
    Ok(terms)
}

/// The same for what is about to come, which is counted and for which room is reserved.
pub(crate) async fn admit(me: &BlossomPolicy, offering: Offering<'_>) -> Result<Admitted, Refusal> {
    let place = count(me, offering.request, offering.signer)?;
    admit_counted(me, offering, place).await
}

/// Counts an upload, which has a place until that is dropped.
pub(crate) fn count(
    me: &BlossomPolicy,
    request: &HttpRequest,
    signer: &Signer,
) -> Result<InPlace, Refusal> {
    me.rates.take_upload(request, &signer.pubkey)?;
    me.places.take(&rates::address(request)?)
}

/// Decides on an upload that was counted, and reserves room for it.
pub(crate) async fn admit_counted(
    me: &BlossomPolicy,
    offering: Offering<'_>,
    place: InPlace,
) -> Result<Admitted, Refusal> {
    let mut terms = judge(me, &offering).await?;
    // Whoever pays has room already: a proof of payment can be used once.
    let reservation = reserve(me, &offering, &mut terms).await?;
    payment::ask(me, &offering, Proof::Taken).await?;
    Ok(Admitted {
        way: offering.way,
        signer: offering.signer.clone(),
        declared: offering.declared,
        size_bytes: offering.size_bytes,
        announced: offering.announced,
        terms,
        reservation,
        _place: place,
    })
}

/// Room for what is offered: none where it is told by its hash, and its sender has it already. For what has no known length
/// it is as much as may come, or what the sender has left. No more than there is room for may come.
async fn reserve(
    me: &BlossomPolicy,
    offering: &Offering<'_>,
    terms: &mut Terms,
) -> Result<Reservation, Refusal> {
    let by = &offering.signer.pubkey;
    let kind = Kind::of(terms.is_encrypted);
    if let Some(told) = offering.told() {
        let index = me.holdings.index();
        let is_own = index.is_owner(&told, by).await.map_err(Refusal::inside)?;
        let known = match is_own {
            true => index.blob(&told).await.map_err(Refusal::inside)?,
            false => None,
        };
        // What has another length is another blob.
        let is_it = |known: &Blob| offering.size_bytes.is_none_or(|it| it == known.size_bytes);
        if let Some(known) = known.filter(is_it) {
            terms.max_bytes = terms.max_bytes.min(known.size_bytes);
            return Ok(me.holdings.reserve(by, 0, kind).await?);
        }
    }
    let bytes = offering.size_bytes.unwrap_or(terms.max_bytes);
    let reserved = me.holdings.reserve(by, bytes, kind).await;
    match reserved.as_ref().err().and_then(QuotaError::left_bytes) {
        Some(left_bytes) if offering.size_bytes.is_none() => {
            terms.max_bytes = left_bytes;
            Ok(me.holdings.reserve(by, left_bytes, kind).await?)
        }
        _ => Ok(reserved?),
    }
}

impl Admitted {
    /// What may be received.
    pub(crate) fn receive(&self, me: &BlossomPolicy) -> Receive {
        let config = me.config();
        Receive {
            declared_bytes: self.size_bytes,
            max_bytes: self.terms.max_bytes,
            idle_timeout: config.upload_idle_timeout.duration(),
            total_timeout: config.upload_timeout.duration(),
            min_bytes_per_s: config.upload_min_bytes_per_s.bytes(),
            also_md5: me.block_lists.wants_md5(),
            also_sha1: me.block_lists.wants_sha1(),
        }
    }

    /// The hash that was announced and the one that was signed for must be that of what has come in.
    pub(crate) fn check_hash(&self, found: &BlobHash) -> Result<(), Refusal> {
        if self.announced.is_some_and(|announced| announced != *found) {
            return Err(Refusal::OtherHash(
                "what came has another sha256 than X-SHA-256 says".into(),
            ));
        }
        require(self.way, &self.signer, found)
    }
}

/// Decides on what has come in, and keeps it.
pub(crate) async fn keep(
    me: &BlossomPolicy,
    admitted: Admitted,
    spooled: Spooled,
) -> Result<Kept, Refusal> {
    admitted.check_hash(&spooled.sha256())?;
    keep_as_is(me, admitted, spooled).await
}

/// The same for bytes that the relay itself has made of what came in, whose hash nobody could sign for (`PUT /media`). The
/// caller has asked [`Admitted::check_hash`] about what came in.
pub(crate) async fn keep_as_is(
    me: &BlossomPolicy,
    admitted: Admitted,
    spooled: Spooled,
) -> Result<Kept, Refusal> {
    let verdict = check(me, &admitted, &spooled).await?;
    let now_ms = me.host.clock().now_ms();
    let bytes = spooled.size_bytes();
    let (holdings, lists) = (me.holdings.clone(), me.block_lists.clone());
    let reservation = admitted.reservation;
    let keeping = async move {
        let kept = holdings.add(spooled, verdict, reservation, now_ms).await?;
        // The lists may be others than those that were asked before.
        if let Claimed::New(blob) = &kept
            && rescan::catch_up(&holdings, &lists, blob, now_ms).await?
        {
            return Err(HoldingsError::Hidden);
        }
        Ok(kept)
    };
    let kept = to_its_end(keeping).await?;
    watch::received_bytes(bytes);
    match kept {
        Claimed::New(blob) => Ok(Kept { blob, is_new: true }),
        Claimed::Known { blob, .. } => Ok(Kept {
            blob,
            is_new: false,
        }),
        Claimed::Hidden => Err(Refusal::Blocked),
    }
}

impl Kept {
    /// 201 where it is new and 200 where it was known, with the descriptor.
    pub(crate) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let told = descriptor(request, &self.blob, self.blob.uploaded_ms);
        match self.is_new {
            true => HttpResponse::Created().json(told),
            false => HttpResponse::Ok().json(told),
        }
    }
}

/// What clients are told of a blob.
pub(crate) fn descriptor(request: &HttpRequest, blob: &Blob, uploaded_ms: u64) -> Descriptor {
    let base = address::base_url(request);
    Descriptor::new(
        &base,
        blob.sha256,
        blob.size_bytes,
        &blob.mime_type,
        uploaded_ms,
    )
}

/// What was not signed for. Of a mirror that is told as another blob than was wanted (BUD-04).
fn require(way: Way, signer: &Signer, hash: &BlobHash) -> Result<(), Refusal> {
    match (way, signer.require(hash)) {
        (Way::Mirror, Err(_)) => Err(Refusal::OtherHash(
            "no x tag of the authorization is the sha256 of what the other server has".into(),
        )),
        (_, required) => required,
    }
}

/// Whether a hash is on a list, or banned.
async fn is_blocked(
    me: &BlossomPolicy,
    sha256: &BlobHash,
    md5: Option<[u8; 16]>,
    sha1: Option<[u8; 20]>,
) -> Result<bool, Refusal> {
    let is_listed = me
        .block_lists
        .is_blocked(sha256.as_bytes(), md5.as_ref(), sha1.as_ref());
    Ok(is_listed || is_banned(me, &Banned::Hash(*sha256)).await?)
}

async fn is_banned(me: &BlossomPolicy, who: &Banned) -> Result<bool, Refusal> {
    let ban = me.holdings.index().ban_of(who).await;
    ban.map(|ban| ban.is_some()).map_err(Refusal::inside)
}

impl From<SpoolError> for Refusal {
    fn from(error: SpoolError) -> Self {
        let text = error.to_string();
        match error {
            SpoolError::Busy => Refusal::busy(text),
            SpoolError::TooLarge { max_bytes } => Refusal::TooLarge { max_bytes },
            SpoolError::WrongLength { .. } | SpoolError::Broken(_) => {
                Refusal::BadRequest(text.into())
            }
            SpoolError::TooSlow => Refusal::Late,
            SpoolError::Full(_) => Refusal::Full,
            SpoolError::Disk(_) => Refusal::inside(error),
        }
    }
}

impl From<QuotaError> for Refusal {
    fn from(error: QuotaError) -> Self {
        match error {
            QuotaError::Bytes { .. }
            | QuotaError::EncryptedBytes { .. }
            | QuotaError::Blobs { .. } => Refusal::Quota(error.to_string().into()),
            QuotaError::Full => Refusal::Full,
            QuotaError::Index(error) => Refusal::inside(error),
        }
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Missing => Refusal::Lost,
            StorageError::Full(_) => Refusal::Full,
            StorageError::Remote { .. } | StorageError::NoAnswer { .. } => {
                tracing::warn!("the storage does not do its part: {error}");
                Refusal::busy("the storage does not answer; try again later")
            }
            error => Refusal::inside(error),
        }
    }
}

impl From<HoldingsError> for Refusal {
    fn from(error: HoldingsError) -> Self {
        match error {
            HoldingsError::Hidden => Refusal::Blocked,
            HoldingsError::Quota(error) => error.into(),
            HoldingsError::Storage(error) => error.into(),
            HoldingsError::Index(error) => error.into(),
            HoldingsError::CutOff => Refusal::inside(error),
        }
    }
}
