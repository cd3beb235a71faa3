//! `trellis health`: asks a running relay how it is, for images and units that have no other program to ask with.
//!
//! It speaks plain HTTP, to the machine or the container that it runs in, and reads no more of an answer than fits into
//! memory without a thought. Not here: what healthy means, which the page itself says (`relay/src/http/health.rs`).

use super::{ConfigFile, WrongArguments, WrongConfig, closed_pipe};
use anyhow::Context as _;
use clap::Args;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};
use trellis_relay::config::{self, Network, process_environment};
use url::Url;

/// The page that is asked for where no other is named.
const PAGE: &str = "/health";

/// Longest answer that is read, head included.
const MAX_ANSWER_BYTES: u64 = 256 * 1024;

#[derive(Debug, Args)]
#[command(after_help = "\
The exit code is 0 where the answer has status 200, and 1 where it has another or there is none in time; the answer goes to \
standard output. Without --url the relay is asked at network.host and network.port of the configuration, as the \
environment (PORT, TRELLIS_NETWORK__PORT) has them, and on this machine where it listens on every address.

/health fails while the store, or what an enabled extension needs, is down; /ready while the relay should get no traffic; \
/livez only where the process does not answer.

Examples:
  trellis health -c config/trellis.toml
  trellis health --url http://127.0.0.1:8080/ready")]
pub(super) struct Health {
    #[command(flatten)]
    file: ConfigFile,
    /// Ask this address, http://HOST:PORT; without a path, its /health.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    url: Option<String>,
    /// How long the answer may take. Seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

impl Health {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let page = match &self.url {
            Some(text) => Page::named(text)?,
            None => {
                let loaded = config::load(self.file.path(), &process_environment())
                    .map_err(WrongConfig::from)?;
                Page::of_own_relay(&loaded.config.network)?
            }
        };
        let answer = page
            .ask(Duration::from_secs(self.timeout))
            .with_context(|| format!("{page} does not answer"))?;
        let (status, body) = parse(&answer).with_context(|| format!("{page} answers no HTTP"))?;
        closed_pipe::forgive(writeln!(io::stdout(), "{}", body.trim_end()))?;
        anyhow::ensure!(status == 200, "{page} answers {status}");
        Ok(())
    }
}

/// What is asked for, and where.
#[derive(Debug, PartialEq)]
pub(super) struct Page {
    /// A name or an address, without brackets.
    host: String,
    port: u16,
    /// With the query.
    path: String,
}

impl std::fmt::Display for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}

impl Page {
    fn named(text: &str) -> Result<Self, WrongArguments> {
        let wrong =
            |why: &str| WrongArguments(format!("--url {text}: {why}; http://HOST:PORT would do"));
        let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if url.scheme() != "http" {
            return Err(wrong("only http is spoken"));
        }
        let host = url.host_str().ok_or_else(|| wrong("there is no host"))?;
        let written = text.split_once("://").map_or(text, |(_, rest)| rest);
        let mut path = match written.split(['?', '#']).next() {
            Some(place) if !place.contains('/') => PAGE.to_owned(),
            _ => url.path().to_owned(),
        };
        if let Some(query) = url.query() {
            path = format!("{path}?{query}");
        }
        Ok(Page {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port_or_known_default().unwrap_or(80),
            path,
        })
    }

    /// Whoever listens on every address is asked at the loopback address.
    pub(super) fn of_own_relay(network: &Network) -> Result<Self, WrongArguments> {
        if network.port == 0 {
            let words = "network.port is 0, so the system has chosen one; name it: --url http://127.0.0.1:PORT";
            return Err(WrongArguments(words.to_owned()));
        }
        let host = match network.host.trim_matches(['[', ']']) {
            "0.0.0.0" => "127.0.0.1",
            "::" => "::1",
            host => host,
        };
        Ok(Page {
            host: host.to_owned(),
            port: network.port,
            path: PAGE.to_owned(),
        })
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The whole answer, within this time.
    pub(super) fn ask(&self, timeout: Duration) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + timeout;
        let mut socket = self.connect(deadline)?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
            self.path,
            self.authority()
        );
        socket.set_write_timeout(Some(left(deadline)?))?;
        socket.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        let mut part = [0; 8192];
        while (answer.len() as u64) < MAX_ANSWER_BYTES {
            socket.set_read_timeout(Some(left(deadline)?))?;
            match socket.read(&mut part) {
                Ok(0) => break,
                Ok(count) => answer.extend_from_slice(&part[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What a socket says whose time is over.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(late()),
                Err(error) => return Err(error),
            }
        }
        Ok(answer)
    }

    /// A connection to the first of the host's addresses that takes one.
    fn connect(&self, deadline: Instant) -> io::Result<TcpStream> {
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, left(deadline)?) {
                Ok(socket) => return Ok(socket),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// The time up to the deadline, which is over where nothing of it is left.
fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(late()),
        left => Ok(left),
    }
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the time is over")
}

/// Status and body of an answer without transfer coding, which the relay's pages have none of.
pub(super) fn parse(answer: &[u8]) -> Option<(u16, String)> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let (version, rest) = head.split_once(' ')?;
    let status = rest.get(..3)?.parse().ok()?;
    version
        .starts_with("HTTP/1.")
        .then(|| (status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d1_own_relay_is_asked_where_it_listens() {
        let of = |host: &str, port| {
            let network = Network {
                host: host.to_owned(),
                port,
                ..Network::default()
            };
            Page::of_own_relay(&network).map(|page| page.to_string())
        };
        for (host, wanted) in [
            ("0.0.0.0", "http://127.0.0.1:8090/health"),
            ("::", "http://[::1]:8090/health"),
            ("10.1.2.3", "http://10.1.2.3:8090/health"),
        ] {
            assert_eq!(of(host, 8090).ok().as_deref(), Some(wanted), "{host}");
        }
        assert!(of("127.0.0.1", 0).is_err());
    }

    #[test]
    fn d1_an_address_may_have_a_path_and_a_query_and_must_be_http() {
        let page = |text: &str| Page::named(text).map(|page| page.to_string());
        for (text, wanted) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/health"),
            ("http://livekit:7880/", "http://livekit:7880/"),
            ("http://relay/ready", "http://relay:80/ready"),
            ("http://[::1]:8080/livez", "http://[::1]:8080/livez"),
            (
                "http://relay/ready?verbose=1",
                "http://relay:80/ready?verbose=1",
            ),
            ("http://relay?a=/b", "http://relay:80/health?a=/b"),
            ("http://relay/?a#c", "http://relay:80/?a"),
        ] {
            assert_eq!(page(text).ok().as_deref(), Some(wanted), "{text}");
        }
        for text in ["https://relay.example.com", "127.0.0.1:8080", "http:", ""] {
            assert!(page(text).is_err(), "{text}");
        }
    }

    #[test]
    fn d1_answers_are_told_from_what_is_none() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\n{}";
        assert_eq!(parse(answer), Some((503, "{}".to_owned())));
        for answer in [&b""[..], b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 2\r\n\r\n"] {
            assert!(parse(answer).is_none(), "{answer:?}");
        }
    }
}
