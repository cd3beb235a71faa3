//! Other servers by HTTP: the relay's routes for the history, Blossom servers for genesis files, health endpoints.
//!
//! Answers are bounded, and what they say is checked by who asked. Over TLS, but for this machine itself.

use crate::settings::{Settings, misuse};
use crate::{keyfile, span};
use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nostr::event::{EventBuilder, FinalizeEvent as _, Kind, Tag};
use nostr::key::Keys;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use trellis_qube_protocol::{Digest, chain};
use url::Url;
use zeroize::Zeroizing;

/// The most bytes of one answer that are read.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// The most pages of an export.
const MAX_PAGES: usize = 10_000;

/// The routes of one relay.
pub(crate) struct Routes {
    client: Client,
    base: Url,
    token: Option<Zeroizing<String>>,
}

/// An event of an export, in a log with its entry.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Exported {
    /// `log`, `adopted`, `signals` or `acks`.
    pub(crate) section: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<chain::EntryKind>,
    /// The event's JSON as it was signed.
    pub(crate) event: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hash: Option<Digest>,
}

impl Exported {
    /// The entry of a log, where it is one.
    pub(crate) fn entry(&self) -> Option<chain::Entry> {
        Some(chain::Entry {
            seq: self.seq?,
            at_s: self.at_s?,
            kind: self.kind?,
            event: self.event.clone(),
            previous: self.previous?,
            hash: self.hash?,
        })
    }
}

#[derive(Deserialize)]
struct Pages {
    items: Vec<Exported>,
    next: Option<String>,
}

impl Routes {
    pub(crate) fn new(base: &Url, settings: &Settings) -> anyhow::Result<Self> {
        let token = match &settings.api_token_file {
            None => None,
            Some(file) => {
                keyfile::check_mode(file)?;
                let text = std::fs::read_to_string(file);
                let text = text.with_context(|| format!("reading {}", file.display()))?;
                Some(Zeroizing::new(text.trim().to_owned()))
            }
        };
        check_scheme(base)?;
        Ok(Self {
            client: client(settings.patience)?,
            base: base.clone(),
            token,
        })
    }

    /// All of these sections.
    pub(crate) async fn export(&self, sections: &[&str]) -> anyhow::Result<Vec<Exported>> {
        let mut all = Vec::new();
        let keep = |item| {
            all.push(item);
            Ok(())
        };
        self.export_each(sections, keep).await?;
        Ok(all)
    }

    /// The same, handed over page by page: as much as fits into an answer is held at a time.
    pub(crate) async fn export_each(
        &self,
        sections: &[&str],
        mut take: impl FnMut(Exported) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for section in sections {
            let mut cursor: Option<String> = None;
            for number in 1.. {
                let mut url = Url::parse(&format!(
                    "{}/audit/export",
                    self.base.as_str().trim_end_matches('/')
                ))?;
                url.query_pairs_mut()
                    .append_pair("section", section)
                    .append_pair("limit", "500");
                if let Some(cursor) = &cursor {
                    url.query_pairs_mut().append_pair("cursor", cursor);
                }
                let page: Pages = serde_json::from_slice(&self.get(url).await?)
                    .context("the answer is not a page of an export")?;
                page.items.into_iter().try_for_each(&mut take)?;
                match page.next {
                    None => break,
                    Some(next) if cursor.as_ref() == Some(&next) => {
                        bail!("the routes give the same page of `{section}` again and again")
                    }
                    Some(_) if number == MAX_PAGES => {
                        bail!("`{section}` has no end after {MAX_PAGES} pages")
                    }
                    Some(next) => cursor = Some(next),
                }
            }
        }
        Ok(())
    }

    async fn get(&self, url: Url) -> anyhow::Result<Vec<u8>> {
        let mut request = self.client.get(url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.as_str());
        }
        let response = request.send().await?;
        if !response.status().is_success() {
            bail!("the routes answered {}", response.status());
        }
        body(response).await
    }
}

/// Whether the endpoint answers that all is well; else what it answered.
pub(crate) async fn is_well(url: &Url, patience: Duration) -> Result<(), String> {
    let ask = async {
        check_scheme(url)?;
        let response = client(patience)?.get(url.clone()).send().await?;
        match response.status().is_success() {
            true => Ok(()),
            false => bail!("it answered {}", response.status()),
        }
    };
    ask.await
        .map_err(|error: anyhow::Error| format!("{error:#}"))
}

#[derive(Deserialize)]
struct Descriptor {
    url: Url,
    sha256: Digest,
}

/// Puts a file on a Blossom server (BUD-02); where it is then.
pub(crate) async fn upload(
    server: &Url,
    bytes: Vec<u8>,
    content_type: &str,
    keys: &Keys,
    patience: Duration,
) -> anyhow::Result<Url> {
    check_scheme(server)?;
    let hash = Digest::of(&bytes);
    let expiration = (span::now_s() + 300).to_string();
    let tags = [
        ["t", "upload"],
        ["x", &hash.to_string()],
        ["expiration", &expiration],
    ];
    let tags = tags
        .into_iter()
        .map(Tag::parse)
        .collect::<Result<Vec<_>, _>>()?;
    let builder = EventBuilder::new(Kind::from(24_242_u16), "Upload a genesis").tags(tags);
    let event = builder.finalize(keys).context("signing")?;
    let authorization = format!("Nostr {}", STANDARD.encode(serde_json::to_vec(&event)?));
    let url = server.join("/upload")?;
    let request = client(patience)?
        .put(url)
        .header("Authorization", authorization)
        .header("Content-Type", content_type)
        .header("X-SHA-256", hash.to_string())
        .body(bytes);
    let response = request.send().await?;
    let status = response.status();
    if !status.is_success() {
        let reason = response
            .headers()
            .get("X-Reason")
            .and_then(|reason| reason.to_str().ok());
        let reason = crate::table::harmless(reason.unwrap_or("no reason given"));
        bail!("{server} answered {status}: {reason}");
    }
    let descriptor: Descriptor = serde_json::from_slice(&body(response).await?)
        .context("the answer is not a blob descriptor")?;
    if descriptor.sha256 != hash {
        bail!("{server} says that it stored something else");
    }
    Ok(descriptor.url)
}

/// Fetches a file of at most 64 MiB.
pub(crate) async fn fetch(url: &Url, patience: Duration) -> anyhow::Result<Vec<u8>> {
    check_scheme(url)?;
    let response = client(patience)?.get(url.clone()).send().await?;
    if !response.status().is_success() {
        bail!("{url} answered {}", response.status());
    }
    body(response).await
}

async fn body(mut response: Response) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await? {
        bytes.extend_from_slice(&part);
        if bytes.len() > MAX_ANSWER_BYTES {
            bail!("the answer has more than {MAX_ANSWER_BYTES} bytes");
        }
    }
    Ok(bytes)
}

fn client(patience: Duration) -> anyhow::Result<Client> {
    let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Client::builder()
        .use_preconfigured_tls(tls)
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(patience)
        .timeout(patience.max(Duration::from_secs(60)));
    Ok(client.build()?)
}

/// Without TLS only to this machine, where nobody is in between.
fn check_scheme(url: &Url) -> anyhow::Result<()> {
    let own_machine = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if own_machine => Ok(()),
        _ => Err(misuse(format!("{url}: https:// is wanted"))),
    }
}
