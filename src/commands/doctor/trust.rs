//! Whether clients would take a certificate, who vouches for it, and until when.
//!
//! Not here: how it is had (`certificate`).

use anyhow::Context as _;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::clock::{Clock as _, SystemClock};
use trellis_relay::config::Timestamp;
use trellis_relay::extension::Findings;

/// Certificates are renewed a month before their end where nobody has to think of it.
const SOON: Duration = Duration::from_secs(14 * 86_400);
/// Later than the end of any certificate: asking about this moment tells the end.
const FAR: Duration = Duration::from_secs(1_000 * 365 * 86_400);

/// Who certifies servers.
pub(super) struct Roots {
    public: Arc<RootCertStore>,
    /// `outbound.trusted_certificates`
    own: Option<Arc<RootCertStore>>,
}

/// What a server has shown.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) name: ServerName<'static>,
    pub(super) version: &'static str,
}

/// How good a certificate is, or what stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Browsers take it.
    Good,
    /// They do, and will not for long.
    Ending,
    /// Whoever trusts an authority of `outbound.trusted_certificates` takes it.
    Private,
    /// There is no TLS.
    Plain,
    /// Clients refuse it, or there is none.
    Bad,
}

impl Roots {
    /// Those of browsers, and those in files, as far as they can be read.
    pub(super) fn load(files: &[PathBuf], found: &mut Findings) -> Self {
        let mut own = RootCertStore::empty();
        for file in files {
            if let Err(error) = add(file, &mut own) {
                found.fail(
                    "outbound.trusted_certificates",
                    format!("{}: {error:#}", file.display()),
                    "let the relay's user read it, or name certificates (PEM); the relay's own requests fail otherwise",
                );
            }
        }
        Roots {
            public: Arc::new(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()),
            own: (!own.is_empty()).then(|| Arc::new(own)),
        }
    }

    /// TLS that trusts all of them.
    pub(super) fn client(&self) -> anyhow::Result<ClientConfig> {
        let mut all = RootCertStore::clone(&self.public);
        if let Some(own) = &self.own {
            all.extend(own.roots.iter().cloned());
        }
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(all)
            .with_no_client_auth();
        Ok(config)
    }

    /// Tells what a server has shown.
    pub(super) fn judge(
        &self,
        shown: &Shown,
        check: &str,
        host: &str,
        found: &mut Findings,
    ) -> Standing {
        let now = Duration::from_secs(SystemClock.now_s());
        let mut roots = &self.public;
        let mut whose = "an authority that browsers trust";
        let mut verdict = verify(roots, shown, now);
        let own = self.own.as_ref().filter(|_| is_of_strangers(&verdict));
        if let Some(own) = own {
            (roots, whose) = (own, "an authority of outbound.trusted_certificates");
            verdict = verify(roots, shown, now);
        }
        if let Err(error) = verdict {
            let (why, advice) = in_words(&error);
            found.fail(check, format!("{host}: {why}"), advice);
            return Standing::Bad;
        }
        let ends_s = match verify(roots, shown, FAR) {
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after, ..
            })) => not_after.as_secs(),
            _ => FAR.as_secs(),
        };
        let told = format!(
            "{host}: good until {}, by {whose}, {}",
            Timestamp::from_unix_secs(ends_s),
            shown.version
        );
        if ends_s < (now + SOON).as_secs() {
            let advice = "renew it, and see why that was not done by itself";
            found.warn(check, told, advice);
            Standing::Ending
        } else if verify(roots, shown, now + SOON).is_err() {
            found.warn(
                check,
                format!("{told}, but a certificate between the two ends within two weeks"),
                "renew it, and have the proxy send the whole new chain",
            );
            Standing::Ending
        } else if own.is_some() {
            found.warn(
                check,
                told,
                "see that all clients trust that authority, or get one from an authority such as Let's Encrypt",
            );
            Standing::Private
        } else {
            found.ok(check, told);
            Standing::Good
        }
    }
}

fn add(file: &Path, to: &mut RootCertStore) -> anyhow::Result<()> {
    let before = to.len();
    for certificate in CertificateDer::pem_file_iter(file)? {
        to.add(certificate?)?;
    }
    (to.len() > before)
        .then_some(())
        .context("no certificate is in it")
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn verify(roots: &Arc<RootCertStore>, shown: &Shown, at: Duration) -> Result<(), Error> {
    let Some((end_entity, intermediates)) = shown.chain.split_first() else {
        return Err(Error::NoCertificatesPresented);
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider());
    let verifier = verifier
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    let at = UnixTime::since_unix_epoch(at);
    verifier
        .verify_server_cert(end_entity, intermediates, &shown.name, &[], at)
        .map(drop)
}

fn is_of_strangers(verdict: &Result<(), Error>) -> bool {
    let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
    verdict.as_ref().is_err_and(|error| *error == unknown)
}

/// What is wrong with a certificate, and what would be right.
fn in_words(error: &Error) -> (String, &'static str) {
    let Error::InvalidCertificate(error) = error else {
        return (error.to_string(), "have the server show its certificate");
    };
    let date = |time: &UnixTime| Timestamp::from_unix_secs(time.as_secs());
    match error {
        CertificateError::ExpiredContext { not_after, .. } => (
            format!("the certificate has expired on {}", date(not_after)),
            "renew it, and have the proxy take the new one",
        ),
        CertificateError::NotValidYetContext { not_before, .. } => (
            format!("the certificate is good from {} on", date(not_before)),
            "look at this machine's clock first",
        ),
        CertificateError::NotValidForNameContext { presented, .. } => (
            format!(
                "the certificate is for another name: {}",
                presented.join(", ")
            ),
            "get one for this name, or have the proxy show it for this name",
        ),
        CertificateError::UnknownIssuer => (
            "the certificate is signed by nobody whom browsers trust, or the chain is not whole"
                .to_owned(),
            "get one from an authority such as Let's Encrypt, and have the proxy send the whole chain",
        ),
        error => (
            format!("the certificate is not good: {error:?}"),
            "get another one",
        ),
    }
}
