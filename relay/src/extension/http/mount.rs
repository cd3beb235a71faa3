//! Where routes of extensions are mounted, and which requests go there.

use std::fmt;

/// Where routes are mounted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mount {
    /// Under a path, `/api/groups`; the routes are written without it. The longest prefix is asked first.
    Prefix(String),
    /// At the root, for what neither a prefix nor the core's own routes take.
    Root,
    /// For requests to this Host name, before everything else. Neither its case nor a port is looked at.
    Host(String),
}

impl Mount {
    /// Under a path; the routes are written without it.
    pub fn prefix(path: impl Into<String>) -> Self {
        Mount::Prefix(path.into())
    }

    /// At the root, after every prefix and the core's own routes.
    pub fn root() -> Self {
        Mount::Root
    }

    /// For requests to this Host name, before everything else. A name is in lower case wherever it is shown.
    pub fn host(name: impl Into<String>) -> Self {
        Mount::Host(name.into().to_ascii_lowercase())
    }

    /// What is wrong with it, if anything.
    pub(super) fn problem(&self) -> Option<String> {
        let (what, is_good) = match self {
            Mount::Root => return None,
            Mount::Prefix(path) => (
                "a prefix is a path such as \"/api/groups\", without a slash at its end and without parameters",
                path.starts_with('/') && path[1..].split('/').all(is_segment),
            ),
            Mount::Host(name) => (
                "a host is a name such as \"media.example\", without scheme and port",
                !name.is_empty()
                    && !name.ends_with('.')
                    && !name.contains(|char: char| {
                        char.is_whitespace() || char.is_control() || "/:?#@{}".contains(char)
                    }),
            ),
        };
        (!is_good).then(|| format!("cannot mount routes at {self}: {what}"))
    }

    /// In which order mounts are asked: Host names, then prefixes with the longest first, then the root.
    pub(super) fn rank(&self) -> (u8, usize) {
        match self {
            Mount::Host(_) => (0, 0),
            Mount::Prefix(path) => (1, usize::MAX - path.len()),
            Mount::Root => (2, 0),
        }
    }

    /// Whether it is for requests to this `Host`, port and all.
    pub(super) fn is_at(&self, host: &str) -> bool {
        match self {
            Mount::Host(name) => host_name(host).eq_ignore_ascii_case(name),
            Mount::Prefix(_) | Mount::Root => true,
        }
    }

    /// Whether it may have a route for a request.
    pub(super) fn takes(&self, host: &str, path: &str) -> bool {
        match self {
            Mount::Prefix(prefix) => {
                let rest = path.strip_prefix(prefix.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Mount::Host(_) | Mount::Root => self.is_at(host),
        }
    }

    /// The path of a route that is written without the mount.
    pub(super) fn path_of(&self, route: &str) -> String {
        match self {
            Mount::Prefix(prefix) if route == "/" => prefix.clone(),
            Mount::Prefix(prefix) => format!("{prefix}{route}"),
            Mount::Host(_) | Mount::Root => route.to_owned(),
        }
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mount::Prefix(path) => f.write_str(path),
            Mount::Root => f.write_str("/"),
            Mount::Host(name) => write!(f, "//{}/", name.to_ascii_lowercase()),
        }
    }
}

/// As clients send it: what would be escaped, or be taken for a parameter, is not to be found.
fn is_segment(segment: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%".contains(&byte);
    !segment.is_empty() && segment.bytes().all(is_good)
}

/// Without the port and the dot of a name that is written in full; a bracketed IPv6 address keeps its colons.
fn host_name(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e11_a_host_is_known_by_its_name() {
        let media = Mount::host("Media.Example");
        for host in [
            "media.example",
            "MEDIA.example:8443",
            "media.example.",
            "media.example:",
        ] {
            assert!(media.takes(host, "/x"), "{host}");
        }
        for host in ["", "example", "media.example.org", "x.media.example", ":80"] {
            assert!(!media.takes(host, "/x"), "{host}");
        }
    }

    #[test]
    fn e11_a_prefix_ends_at_a_slash() {
        let mount = Mount::prefix("/api/groups");
        assert!(mount.takes("any", "/api/groups") && mount.takes("any", "/api/groups/x"));
        assert!(!mount.takes("any", "/api/groupsies") && !mount.takes("any", "/api"));
    }

    #[test]
    fn e11_mounts_that_no_request_reaches_are_refused() {
        for good in ["/a", "/api/v1/mls", "/.well-known/nip29"] {
            assert_eq!(Mount::prefix(good).problem(), None);
        }
        for bad in [
            "", "/", "api", "/api/", "//api", "/a//b", "/{id}", "/a?b", "/a b", "/ä",
        ] {
            assert!(Mount::prefix(bad).problem().is_some(), "{bad}");
        }
        assert_eq!(Mount::host("media.example").problem(), None);
        for bad in [
            "",
            "https://media.example",
            "media.example:80",
            "media.example.",
            "a b",
            "{x}",
        ] {
            assert!(Mount::host(bad).problem().is_some(), "{bad}");
        }
    }
}
