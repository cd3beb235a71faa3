//! What the doctor is run on: a relay behind a proxy with TLS, certificates of every sort, and its findings by name.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use trellis_test_support::{Front, Output, Setup, Value, free_port, trellis};

/// What suits every machine on which tests run: their disks may be memory, and may not take many files.
const EVERYWHERE: &str = "[data]\nallow_ephemeral = true\nmap_size = '64MiB'\n";

/// A relay that is to be examined, with this in its configuration. Keys of `[network]` come first.
pub(crate) fn setup(network: &str, rest: &str) -> Setup {
    trellis!()
        .front(Front::Server)
        .env("TRELLIS_NETWORK__PORT", &free_port().to_string())
        .config(&format!(
            "[network]\nmax_connections = 100\n{network}\n{EVERYWHERE}{rest}"
        ))
}

/// What the doctor has said.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    report: Value,
    stderr: String,
}

impl Told {
    pub(crate) fn of(output: &Output) -> Self {
        let report = serde_json::from_str(&output.stdout);
        Told {
            code: output.code,
            report: report.unwrap_or_else(|error| panic!("{error}: {output:?}")),
            stderr: output.stderr.clone(),
        }
    }

    /// Fails the test unless a check came out like this, and says these words.
    #[track_caller]
    pub(crate) fn assert(&self, check: &str, grade: &str, words: &[&str]) -> &Self {
        let lists = ["checks", "launch"].map(|list| self.report[list].as_array().expect("a list"));
        let mut all = lists.into_iter().flatten();
        let found = all.find(|it| it["check"] == check);
        let found = found.unwrap_or_else(|| panic!("{check} is not in {:#}", self.report));
        assert_eq!(found["grade"], grade, "{found:#}");
        for word in words {
            assert!(found.to_string().contains(word), "{word:?}: {found:#}");
        }
        self
    }

    /// Fails the test unless writes came to the disk, which others may keep busy meanwhile.
    #[track_caller]
    pub(crate) fn assert_disk_writes(&self) -> &Self {
        let checks = self.report["checks"].as_array().expect("a list");
        let found = checks.iter().find(|it| it["check"] == "disk writes");
        let found = found.unwrap_or_else(|| panic!("not in {:#}", self.report));
        assert!(
            ["ok", "warn"].iter().any(|grade| found["grade"] == *grade),
            "{found:#}"
        );
        assert!(found.to_string().contains("synced in"), "{found:#}");
        self
    }

    /// Fails the test if a check was made at all.
    #[track_caller]
    pub(crate) fn assert_none(&self, check: &str) -> &Self {
        let all = self.report["checks"].as_array().expect("a list");
        let found = all.iter().find(|it| it["check"] == check);
        assert!(found.is_none(), "{found:#?}");
        self
    }

    /// Fails the test unless nothing fails.
    #[track_caller]
    pub(crate) fn assert_well(&self) -> &Self {
        assert_eq!(self.report["fail"], 0, "{:#}", self.report);
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Fails the test unless something fails, and the exit code says so.
    #[track_caller]
    pub(crate) fn assert_ill(&self) -> &Self {
        assert!(self.report["fail"].as_u64() > Some(0), "{:#}", self.report);
        assert_eq!(self.code, Some(1), "{}", self.stderr);
        self
    }

    /// How many checks have this grade in a list.
    pub(crate) fn count(&self, list: &str, grade: &str) -> usize {
        let list = self.report[list].as_array().expect("a list");
        list.iter().filter(|it| it["grade"] == grade).count()
    }
}

/// Runs the doctor.
pub(crate) async fn doctor(setup: &Setup, further: &[&str]) -> Told {
    let file = setup.config_file().display().to_string();
    let arguments = [&["doctor", "-c", &file, "--json"], further].concat();
    Told::of(&setup.run(&arguments).await)
}

/// What a directory holds.
pub(crate) fn files(directory: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("a folder").flatten();
    entries
        .map(|it| (it.file_name(), fs::read(it.path()).unwrap_or_default()))
        .collect()
}

/// An authority of the test's own.
pub(crate) struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

/// When a certificate is good.
pub(crate) enum Good {
    /// For years.
    Long,
    /// Until some days from now.
    Days(i64),
    /// For years, by an authority in between that is good for some days.
    Between(i64),
    /// It was.
    Once,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        // Of two authorities with one name, one is taken for the other.
        let name = trellis_test_support::author::unique("authority");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Authority { certificate, key }
    }

    /// One that this one vouches for.
    fn between(&self, not_after: time::OffsetDateTime) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        let name = trellis_test_support::author::unique("between");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = not_after;
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.certificate, &self.key);
        Authority {
            certificate: certificate.expect("a certificate"),
            key,
        }
    }

    /// The key of `[outbound]` that has it trusted.
    pub(crate) fn trusted(&self, home: &Path) -> String {
        let file = home.join("authority.pem");
        std::fs::write(&file, self.certificate.pem()).expect("a file");
        format!(
            "[outbound]\ntrusted_certificates = ['{}']\n",
            file.display()
        )
    }

    /// TLS with a certificate for a name.
    pub(crate) fn tls(&self, name: &str, good: Good) -> TlsAcceptor {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let now = time::OffsetDateTime::now_utc();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = match good {
            Good::Long | Good::Between(_) => date_time_ymd(2090, 1, 1),
            Good::Days(days) => now + time::Duration::days(days),
            Good::Once => date_time_ymd(2021, 1, 1),
        };
        let key = KeyPair::generate().expect("a key");
        let between = match good {
            Good::Between(days) => Some(self.between(now + time::Duration::days(days))),
            _ => None,
        };
        let above = between.as_ref().unwrap_or(self);
        let certificate = params.signed_by(&key, &above.certificate, &above.key);
        let mut chain = vec![certificate.expect("a certificate").der().clone()];
        chain.extend(between.map(|it| it.certificate.der().clone()));
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key);
        TlsAcceptor::from(Arc::new(config.expect("a key that fits")))
    }
}

/// Passes everything on to a relay but handshakes, which it answers itself; its address.
pub(crate) async fn without_websockets(answer: &'static str, relay: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let bytes = client.read(&mut head).await.unwrap_or_default();
            let text = String::from_utf8_lossy(&head[..bytes]);
            if text.to_lowercase().contains("upgrade: websocket") {
                let _ = client.write_all(answer.as_bytes()).await;
            } else if let Ok(mut relay) = TcpStream::connect(relay).await {
                // So that the handshake does not come over the same connection.
                let asked = text.replacen("\r\n", "\r\nconnection: close\r\n", 1);
                let _ = relay.write_all(asked.as_bytes()).await;
                let _ = copy_bidirectional(&mut client, &mut relay).await;
            }
        }
    });
    address
}

/// Takes TLS off and passes everything on to a relay; the port where it listens.
pub(crate) async fn proxy(tls: TlsAcceptor, relay: SocketAddr) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                // Who trusts nobody hangs up.
                let Ok(mut client) = tls.accept(stream).await else {
                    return;
                };
                if let Ok(mut relay) = TcpStream::connect(relay).await {
                    let _ = copy_bidirectional(&mut client, &mut relay).await;
                }
            });
        }
    });
    port
}

/// A web server that gives every request this answer; its address.
pub(crate) async fn web(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}/")
}
