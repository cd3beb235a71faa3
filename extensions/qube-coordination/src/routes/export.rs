//! `/audit/export`: everything that the state follows from, as it was signed, so that anybody can check it without this
//! relay: both logs, the directives that stand, and the reports.
//!
//! Invariant: an event is given as the text that was stored, to the byte; entries are given with their hashes.

use super::acks::{Place, stored};
use super::csv::{self, Row, cell};
use super::{Reader, bad_cursor};
use crate::QubeCoordination;
use crate::log::Chain;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Query;
use actix_web::{HttpResponse, Responder};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use trellis_qube_protocol::chain::Entry;
use trellis_qube_protocol::{Digest, KIND_SIGNAL};
use trellis_relay::extension::http::Api;
use trellis_relay::extension::prelude::*;

/// A part of the export.
#[derive(
    Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord,
)]
#[serde(rename_all = "lowercase")]
pub(super) enum Section {
    /// What was replaced here.
    Log,
    /// What came from peers.
    Adopted,
    /// The directives that stand.
    Signals,
    /// The reports.
    Acks,
}

const SECTIONS: [Section; 4] = [
    Section::Log,
    Section::Adopted,
    Section::Signals,
    Section::Acks,
];

/// An event, in a log with its entry.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Exported {
    /// Where it stands.
    section: Section,
    /// Of an entry: its number in its log, from 1 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    /// Of an entry: when it was written. Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_s: Option<u64>,
    /// Of an entry: "replaced" or "adopted".
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// The event's JSON as it was signed, as a text.
    event: String,
    /// Of an entry: the hash of the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    /// Of an entry: its hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
}

/// A page of the export.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct ExportPage {
    /// The events of this page.
    items: Vec<Exported>,
    /// What to send as `cursor` for the next page; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Where the logs end.
    heads: Heads,
}

/// Where the logs end; an empty one is missing.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Heads {
    /// Of what was replaced here.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<HeadOf>,
    /// Of what came from peers.
    #[serde(skip_serializing_if = "Option::is_none")]
    adopted: Option<HeadOf>,
}

/// The last entry of a log.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct HeadOf {
    /// Its number.
    seq: u64,
    /// Its hash.
    hash: String,
}

/// Which part.
#[derive(Debug, Deserialize, JsonSchema)]
struct Which {
    /// One section alone: "log", "adopted", "signals" or "acks". Without it all, in this order.
    section: Option<Section>,
    /// With the section "log" or "adopted", and without a cursor: entries after this number.
    after: Option<u64>,
}

pub(super) fn declare(api: &mut Api) {
    api.get("/audit/export", export)
        .summary("Signed events, and the hash chains that bind what was replaced")
        .description(
            "Pages of whole sections in the order log, adopted, signals, acks. `event` is the text whose hash the chain \
             binds: verify that before you parse it.",
        )
        .answers::<ExportPage>(200);
}

async fn export(
    me: Current<QubeCoordination>,
    reader: Reader,
    which: Query<Which>,
    page: Page<200, 1_000>,
) -> Result<impl Responder, ApiError> {
    let (mut section, mut place) = match page.after_as::<String>()? {
        Some(cursor) => parse(&cursor)?,
        None => {
            let section = which.section.unwrap_or(Section::Log);
            let after = which.after.filter(|_| section <= Section::Adopted);
            (
                section,
                after.map(|seq| seq.to_string()).unwrap_or_default(),
            )
        }
    };
    let mut items = Vec::new();
    let next = loop {
        let wanted = page.limit() - items.len();
        let (found, goes_on) = read(&me, section, &place, wanted).await?;
        items.extend(found);
        if let Some(place) = goes_on {
            break Some(cursor(&format!("{}/{place}", name(section))));
        }
        let following = SECTIONS.iter().find(|it| **it > section);
        section = match following {
            Some(following) if which.section.is_none() => *following,
            _ => break None,
        };
        place = String::new();
        if items.len() == page.limit() {
            break Some(cursor(&format!("{}/", name(section))));
        }
    };
    let heads = Heads {
        log: head(&me, Chain::Log).await?,
        adopted: head(&me, Chain::Adopted).await?,
    };
    Ok(reader.export(ExportPage { items, next, heads }))
}

impl Reader {
    fn export(self, page: ExportPage) -> HttpResponse {
        let mut answer = HttpResponse::Ok();
        answer.insert_header((CACHE_CONTROL, "no-cache"));
        if let Some(next) = &page.next {
            answer.insert_header(("x-next-cursor", next.as_str()));
        }
        match self.wants_csv() {
            false => answer.json(page),
            true => answer
                .insert_header((CONTENT_TYPE, csv::MEDIA_TYPE))
                .body(csv::write(&page.items)),
        }
    }
}

/// At most so many of a section from a place on, and the place where it goes on.
async fn read(
    me: &QubeCoordination,
    section: Section,
    place: &str,
    max: usize,
) -> Result<(Vec<Exported>, Option<String>), ApiError> {
    match section {
        Section::Log => entries(me, Chain::Log, place, max).await,
        Section::Adopted => entries(me, Chain::Adopted, place, max).await,
        Section::Signals => signals(me, place, max).await,
        Section::Acks => acks(me, place, max).await,
    }
}

async fn entries(
    me: &QubeCoordination,
    chain: Chain,
    place: &str,
    max: usize,
) -> Result<(Vec<Exported>, Option<String>), ApiError> {
    let after: u64 = match place {
        "" => 0,
        place => place.parse().map_err(|_| bad_cursor())?,
    };
    let mut found = chain.after(&me.host, after, max + 1).await?;
    let goes_on = found.len() > max;
    found.truncate(max);
    let last = found.last().map_or(after, |entry| entry.seq);
    let section = match chain {
        Chain::Log => Section::Log,
        Chain::Adopted => Section::Adopted,
    };
    let found = found.into_iter().map(|it| Exported::entry(section, it));
    Ok((found.collect(), goes_on.then(|| last.to_string())))
}

/// By id, since it is the one order that new ones do not change.
async fn signals(
    me: &QubeCoordination,
    place: &str,
    max: usize,
) -> Result<(Vec<Exported>, Option<String>), ApiError> {
    let filter = Filter {
        kinds: Some(vec![KIND_SIGNAL]),
        ..Filter::default()
    };
    let mut events = me.host.query(filter).await?;
    events.sort_unstable_by_key(|event| *event.id().as_bytes());
    events.retain(|event| event.id().to_hex().as_str() > place);
    let goes_on = events.len() > max;
    events.truncate(max);
    let last = events.last().map(|event| event.id().to_hex());
    let found = events
        .iter()
        .map(|it| Exported::event(Section::Signals, it));
    Ok((found.collect(), last.filter(|_| goes_on)))
}

async fn acks(
    me: &QubeCoordination,
    place: &str,
    max: usize,
) -> Result<(Vec<Exported>, Option<String>), ApiError> {
    let mut place: Place = match place {
        "" => Place::default(),
        place => place.parse().map_err(|()| bad_cursor())?,
    };
    let events = stored(me, place, max).await?;
    events.iter().for_each(|event| place.pass(event));
    let goes_on = events.len() == max;
    let found = events.iter().map(|it| Exported::event(Section::Acks, it));
    Ok((found.collect(), goes_on.then(|| place.to_string())))
}

async fn head(me: &QubeCoordination, chain: Chain) -> Result<Option<HeadOf>, ApiError> {
    let head = chain.head(&me.host).await?;
    Ok(head.map(|(seq, hash): (u64, Digest)| HeadOf {
        seq,
        hash: hash.to_string(),
    }))
}

/// A cursor as clients send it back.
pub(super) fn cursor(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(place)
}

fn parse(cursor: &str) -> Result<(Section, String), ApiError> {
    let (found, place) = cursor.split_once('/').ok_or_else(bad_cursor)?;
    let section = SECTIONS.iter().find(|section| name(**section) == found);
    let section = section.ok_or_else(bad_cursor)?;
    Ok((*section, place.to_owned()))
}

const fn name(section: Section) -> &'static str {
    match section {
        Section::Log => "log",
        Section::Adopted => "adopted",
        Section::Signals => "signals",
        Section::Acks => "acks",
    }
}

impl Exported {
    fn entry(section: Section, entry: Entry) -> Self {
        Exported {
            section,
            seq: Some(entry.seq),
            at_s: Some(entry.at_s),
            kind: Some(entry.kind.as_str().to_owned()),
            event: entry.event,
            previous: Some(entry.previous.to_string()),
            hash: Some(entry.hash.to_string()),
        }
    }

    fn event(section: Section, event: &Event) -> Self {
        Exported {
            section,
            seq: None,
            at_s: None,
            kind: None,
            event: String::from_utf8_lossy(event.json()).into_owned(),
            previous: None,
            hash: None,
        }
    }
}

impl Row for Exported {
    const COLUMNS: &'static [&'static str] = &[
        "section", "seq", "at_s", "kind", "event", "previous", "hash",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            name(self.section).to_owned(),
            cell(&self.seq),
            cell(&self.at_s),
            cell(&self.kind),
            self.event.clone(),
            cell(&self.previous),
            cell(&self.hash),
        ]
    }
}
