//! Certificates of what clients reach.
//!
//! A handshake that takes any certificate shows what there is; nothing is sent or read over it. The chain is judged
//! afterwards (`trust`), so that one that is not good is told with what is wrong with it.

use super::patient::Patient;
use super::trust::{Shown, Standing, provider};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use std::collections::BTreeSet;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use trellis_relay::extension::{Endpoint, Findings};
use url::{Host, Url};

/// Of a whole handshake, as a multiple of the time for each server.
const STEPS: u32 = 3;

/// How clients are served at one address.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    /// The check under which it is told.
    pub(super) check: String,
    pub(super) standing: Standing,
}

/// Those of several addresses.
#[derive(Default)]
pub(super) struct Certificates {
    pub(super) found: Findings,
    pub(super) all: Vec<Certificate>,
}

/// The certificates of endpoints, each server's once.
pub(super) async fn of_endpoints(patient: &Patient, endpoints: &[Endpoint]) -> Certificates {
    let mut certificates = Certificates::default();
    // The relay's own was looked at with its address.
    let own = patient.loaded.config.network.relay_url.as_deref();
    let mut seen: BTreeSet<_> = own.and_then(place_of).into_iter().collect();
    for Endpoint { name, url } in endpoints {
        if place_of(url).is_none_or(|place| seen.insert(place)) {
            let certificate = of_url(patient, name, url, &mut certificates.found).await;
            certificates.all.push(certificate);
        }
    }
    certificates
}

/// Scheme, host and port.
fn place_of(url: &str) -> Option<(bool, String, u16)> {
    let url = Url::parse(url).ok()?;
    let is_safe = ["https", "wss"].contains(&url.scheme());
    let host = url.host_str()?.to_owned();
    Some((is_safe, host, url.port_or_known_default()?))
}

/// The certificate at an address that clients are told.
pub(super) async fn of_url(
    patient: &Patient,
    name: &str,
    url: &str,
    found: &mut Findings,
) -> Certificate {
    let check = format!("certificate of {name}");
    let standing = standing(patient, &check, url, found).await;
    Certificate { check, standing }
}

async fn standing(patient: &Patient, check: &str, url: &str, found: &mut Findings) -> Standing {
    let Some((is_safe, host, port)) = place_of(url) else {
        found.fail(
            check,
            format!("{url} is no address"),
            "set it to wss://HOST or https://HOST",
        );
        return Standing::Bad;
    };
    if !is_safe {
        let advice = "give clients an address with wss:// or https://, behind a proxy that has a certificate";
        match is_of_this_machine(url) {
            true => found.warn(
                check,
                format!("{url} is for this machine alone, without TLS"),
                advice,
            ),
            false => found.fail(
                check,
                format!("{url} is without TLS: whoever is on the way reads along"),
                advice,
            ),
        }
        return Standing::Plain;
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
        Ok(shown) => patient.roots.judge(&shown, check, &host, found),
        Err(why) => {
            found.fail(
                check,
                format!("{host}:{port}: {why}"),
                "have a server with TLS answer there, and the firewall let it through",
            );
            Standing::Bad
        }
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
