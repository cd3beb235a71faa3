//! A PostgreSQL address with several hosts as one set of options a host: the driver knows one at a time.
//!
//! Invariant: nothing of an address is told, neither in errors nor in the log, but names of parameters that are known.

use sqlx::postgres::PgConnectOptions;
use std::str::FromStr;
use trellis_relay::config::Secret;

const WANTED: &str = "found something else, wanted postgresql://user:password@host/database, or several hosts: \
                      host-a:5432,host-b:5432";
/// Most hosts.
const HOSTS_MAX: usize = 8;

/// Parameters that the driver knows; it logs others with their values, so they are left out of what it gets.
const KNOWN: [&str; 16] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "hostaddr",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// What the driver gets, a host each, in their order.
pub(super) fn hosts(url: &Secret) -> Result<Vec<PgConnectOptions>, String> {
    let read = Address::read(url.reveal()).ok_or(WANTED)?;
    let hosts = read.hosts();
    if hosts.len() > HOSTS_MAX {
        return Err(format!(
            "found {} hosts, wanted {HOSTS_MAX} at most",
            hosts.len()
        ));
    }
    let options = hosts.iter().map(|host| {
        let options =
            PgConnectOptions::from_str(&read.with(host)).map_err(|_| WANTED.to_owned())?;
        Ok(match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("trellis"),
        })
    });
    options.collect()
}

/// An address in its parts.
struct Address<'a> {
    scheme: &'a str,
    /// With the sign that ends it.
    user: &'a str,
    authority: &'a str,
    path: &'a str,
    /// But those that name hosts.
    parameters: Vec<&'a str>,
    /// Hosts among the parameters: paths of sockets have their place there.
    named: Option<&'a str>,
    ports: Option<&'a str>,
}

/// One host, as an address has it.
enum Host<'a> {
    InAuthority(&'a str),
    Named(&'a str, Option<&'a str>),
}

impl<'a> Address<'a> {
    fn read(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        if !["postgres", "postgresql"].contains(&scheme) {
            return None;
        }
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, authority) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let mut read = Address {
            scheme,
            user,
            authority,
            path,
            parameters: Vec::new(),
            named: None,
            ports: None,
        };
        for parameter in parameters.split('&').filter(|it| !it.is_empty()) {
            match parameter.split_once('=').unwrap_or((parameter, "")) {
                ("host", hosts) => read.named = Some(hosts),
                ("port", ports) => read.ports = Some(ports),
                // One that writes is looked for always.
                ("target_session_attrs", _) => {}
                (key, _) if KNOWN.contains(&key) || key.starts_with("options[") => {
                    read.parameters.push(parameter);
                }
                _ => tracing::warn!("mirror.url has a parameter that is not known; it is left out"),
            }
        }
        Some(read)
    }

    fn hosts(&self) -> Vec<Host<'a>> {
        let Some(named) = self.named else {
            return self.authority.split(',').map(Host::InAuthority).collect();
        };
        let ports: Vec<&str> = self
            .ports
            .map(|it| it.split(',').collect())
            .unwrap_or_default();
        let named = named.split(',').enumerate();
        // One port is every host's.
        let hosts = named
            .map(|(place, host)| Host::Named(host, ports.get(place).or(ports.last()).copied()));
        hosts.collect()
    }

    fn with(&self, host: &Host<'_>) -> String {
        let (scheme, user, path) = (self.scheme, self.user, self.path);
        let mut parameters: Vec<String> = self.parameters.iter().map(ToString::to_string).collect();
        let authority = match host {
            Host::InAuthority(host) => {
                parameters.extend(self.ports.map(|port| format!("port={port}")));
                host
            }
            Host::Named(host, port) => {
                parameters.push(format!("host={host}"));
                parameters.extend(port.map(|port| format!("port={port}")));
                // A user has to have a host after it, which the parameter replaces.
                if user.is_empty() { "" } else { "localhost" }
            }
        };
        format!(
            "{scheme}://{user}{authority}{path}?{}",
            parameters.join("&")
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(url: &str) -> Vec<(String, u16)> {
        let hosts = hosts(&url.into()).unwrap();
        let host = |it: &PgConnectOptions| match it.get_socket() {
            Some(socket) => (socket.display().to_string(), it.get_port()),
            None => (it.get_host().to_owned(), it.get_port()),
        };
        hosts.iter().map(host).collect()
    }

    #[test]
    fn q16_an_address_may_have_several_hosts() {
        let one = |host: &str, port| (host.to_owned(), port);
        assert_eq!(read("postgresql://u:p@a/db"), [one("a", 5432)]);
        assert_eq!(
            read("postgresql://u:p@a:1,b:2,[::1]:3/db?sslmode=disable"),
            [one("a", 1), one("b", 2), one("[::1]", 3)]
        );
        assert_eq!(read("postgres://a,b/db"), [one("a", 5432), one("b", 5432)]);
        assert_eq!(
            read("postgresql:///db?host=/run/a,/run/b&port=7&user=u"),
            [one("/run/a", 7), one("/run/b", 7)]
        );
        assert_eq!(
            read("postgresql://u@/db?host=a,b&port=1,2&target_session_attrs=read-write"),
            [one("a", 1), one("b", 2)]
        );
    }

    #[test]
    fn q16_each_host_gets_user_database_and_parameters() {
        let hosts = hosts(&"postgresql://me:word@a,b/fleet?application_name=x".into()).unwrap();
        assert_eq!(hosts.len(), 2);
        for options in hosts {
            assert_eq!(options.get_username(), "me");
            assert_eq!(options.get_database(), Some("fleet"));
            assert_eq!(options.get_application_name(), Some("x"));
        }
    }

    #[test]
    fn q16_a_wrong_address_is_told_without_itself() {
        let many = format!("postgresql://secret@{}/db", ["secret"; 9].join(","));
        for wrong in [
            "mysql://secret@secret/secret",
            "secret",
            "postgresql://secret@secret:port/secret",
            "postgresql://secret@secret/secret?sslmode=secret",
            &many,
        ] {
            let error = hosts(&wrong.into()).unwrap_err();
            assert!(error.starts_with("found "), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
