//! Certificates of what clients reach: whether browsers would take them, and for how long.
//!
//! A handshake that takes any certificate shows what there is; nothing is sent or read over it. The chain is judged
//! afterwards, so that one that is not good is told with what is wrong with it.

use super::Patient;
use anyhow::Context as _;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};
use std::collections::BTreeSet;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use trellis_relay::clock::{Clock as _, SystemClock};
use trellis_relay::config::Timestamp;
use trellis_relay::extension::{Endpoint, Findings};
use url::{Host, Url};

/// Certificates are renewed a month before their end where nobody has to think of it.
const SOON: Duration = Duration::from_secs(14 * 86_400);
/// Later than the end of any certificate: asking about this moment tells the end.
const FAR: Duration = Duration::from_secs(1_000 * 365 * 86_400);
/// Of a whole handshake, as a multiple of the time for each server.
const STEPS: u32 = 3;

/// Who certifies servers.
pub(super) struct Roots {
    public: Arc<RootCertStore>,
    /// `outbound.trusted_certificates`
    own: Option<Arc<RootCertStore>>,
}

impl Roots {
    pub(super) fn load(files: &[PathBuf]) -> anyhow::Result<Self> {
        let mut own = RootCertStore::empty();
        for file in files {
            let broken = || format!("outbound.trusted_certificates: {}", file.display());
            for certificate in CertificateDer::pem_file_iter(file).with_context(broken)? {
                own.add(certificate.with_context(broken)?)
                    .with_context(broken)?;
            }
        }
        Ok(Roots {
            public: Arc::new(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()),
            own: (!own.is_empty()).then(|| Arc::new(own)),
        })
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
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The certificates of endpoints, each server's once.
pub(super) async fn of_endpoints(patient: &Patient, endpoints: &[Endpoint]) -> Findings {
    let mut found = Findings::default();
    // The relay's own was looked at with its address.
    let own = patient.loaded.config.network.relay_url.as_deref();
    let mut seen: BTreeSet<_> = own.and_then(place_of).into_iter().collect();
    for Endpoint { name, url } in endpoints {
        if place_of(url).is_none_or(|place| seen.insert(place)) {
            of_url(patient, name, url, &mut found).await;
        }
    }
    found
}

/// Scheme, host and port.
fn place_of(url: &str) -> Option<(bool, String, u16)> {
    let url = Url::parse(url).ok()?;
    let is_safe = ["https", "wss"].contains(&url.scheme());
    let host = url.host_str()?.to_owned();
    Some((is_safe, host, url.port_or_known_default()?))
}

/// The certificate at an address that clients are told.
pub(super) async fn of_url(patient: &Patient, name: &str, url: &str, found: &mut Findings) {
    let check = format!("certificate of {name}");
    let Some((is_safe, host, port)) = place_of(url) else {
        return found.fail(
            &check,
            format!("{url} is no address"),
            "set it to wss://HOST or https://HOST",
        );
    };
    if !is_safe {
        let advice = "give clients an address with wss:// or https://, behind a proxy that has a certificate";
        return match is_of_this_machine(url) {
            true => found.warn(
                &check,
                format!("{url} is for this machine alone, without TLS"),
                advice,
            ),
            false => found.fail(
                &check,
                format!("{url} is without TLS: whoever is on the way reads along"),
                advice,
            ),
        };
    }
    let patience = patient.patience;
    let shaking = tokio::task::spawn_blocking({
        let host = host.clone();
        move || shake_hands(&host, port, patience)
    });
    let shown = match tokio::time::timeout(patience * STEPS, shaking).await {
        Ok(Ok(shown)) => shown,
        _ => Err("it does not answer in time".to_owned()),
    };
    match shown {
        Ok(shown) => patient.roots.judge(&shown, &check, &host, found),
        Err(why) => found.fail(
            &check,
            format!("{host}:{port}: {why}"),
            "have a server with TLS answer there, and the firewall let it through",
        ),
    }
}

/// Whether an address leads to the machine of whoever asks.
pub(super) fn is_of_this_machine(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    })
}

/// What a server has shown.
#[derive(Debug)]
struct Shown {
    chain: Vec<CertificateDer<'static>>,
    name: ServerName<'static>,
    version: &'static str,
}

fn shake_hands(host: &str, port: u16, patience: Duration) -> Result<Shown, String> {
    let bare = host.trim_matches(['[', ']']);
    let name = ServerName::try_from(bare.to_owned()).map_err(|error| error.to_string())?;
    let mut tcp = connect(bare, port, patience)?;
    let seen = Arc::new(Recorder {
        provider: provider(),
        chain: Mutex::default(),
    });
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(seen.clone())
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), name.clone());
    let mut connection = connection.map_err(|error| error.to_string())?;
    while connection.is_handshaking() {
        let stepped = connection.complete_io(&mut tcp);
        stepped.map_err(|error| format!("no TLS: {error}"))?;
    }
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "TLS 1.2",
    };
    let chain = seen.chain.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Shown {
        chain: chain.clone(),
        name,
        version,
    })
}

/// A connection to the first address that takes one.
fn connect(host: &str, port: u16, patience: Duration) -> Result<TcpStream, String> {
    let mut why = "the name leads to no address".to_owned();
    for address in (host, port)
        .to_socket_addrs()
        .map_err(|error| error.to_string())?
    {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(tcp) => {
                let bounded = tcp
                    .set_read_timeout(Some(patience))
                    .and_then(|()| tcp.set_write_timeout(Some(patience)));
                return bounded.map(|()| tcp).map_err(|error| error.to_string());
            }
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

/// Takes any certificate, and keeps it.
#[derive(Debug)]
struct Recorder {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain = chain.map(|it| it.clone().into_owned()).collect();
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl Roots {
    fn judge(&self, shown: &Shown, check: &str, host: &str, found: &mut Findings) {
        let now = Duration::from_secs(SystemClock.now_s());
        let mut roots = &self.public;
        let mut whose = "an authority that browsers trust";
        let mut verdict = verify(roots, shown, now);
        if is_of_strangers(&verdict)
            && let Some(own) = &self.own
        {
            (roots, whose) = (
                own,
                "an authority of outbound.trusted_certificates, which clients must trust as well",
            );
            verdict = verify(roots, shown, now);
        }
        if let Err(error) = verdict {
            let (why, advice) = in_words(&error);
            return found.fail(check, format!("{host}: {why}"), advice);
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
        match ends_s < (now + SOON).as_secs() {
            true => found.warn(
                check,
                told,
                "renew it, and see why that was not done by itself",
            ),
            false => found.ok(check, told),
        }
    }
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
