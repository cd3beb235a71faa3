//! Which URLs may be asked: those of the Blossom server, and of the hosts that the operator lists.
//!
//! Invariant: pure. What a name leads to is checked where the connection is made.

use url::{Origin, Url};

/// Whom the operator allows.
#[derive(Debug, Clone)]
pub(super) struct Allowed {
    blossom: Option<Url>,
    /// In lower case.
    hosts: Vec<String>,
}

impl Allowed {
    pub(super) fn new(blossom: Option<&Url>, hosts: &[String]) -> Self {
        Allowed {
            blossom: blossom.cloned(),
            hosts: hosts.to_vec(),
        }
    }

    /// The URL, if it may be asked: https alone, nobody's password in it, and a host that is allowed, at the usual port
    /// unless it is Blossom's.
    pub(super) fn check(&self, url: &str) -> Option<Url> {
        let mut url = Url::parse(url).ok()?;
        let is_plain = url.username().is_empty() && url.password().is_none();
        let is_listed = url.port().is_none()
            && url
                .host_str()
                .is_some_and(|host| self.hosts.iter().any(|listed| listed == host));
        if url.scheme() != "https" || !is_plain || !(is_listed || self.is_blossom(&url)) {
            return None;
        }
        url.set_fragment(None);
        Some(url)
    }

    /// Whether it is the Blossom server's.
    pub(super) fn is_blossom(&self, url: &Url) -> bool {
        let origin = |url: &Url| url.origin();
        let of_blossom = self.blossom.as_ref().map(origin);
        matches!(&of_blossom, Some(own @ Origin::Tuple(..)) if *own == url.origin())
    }

    /// Where files are put, if there is a Blossom server (BUD-02).
    pub(super) fn upload(&self) -> Option<Url> {
        let mut url = self.blossom.clone()?;
        url.path_segments_mut().ok()?.pop_if_empty().push("upload");
        Some(url)
    }
}

/// The hash that a Blossom URL names its file by (BUD-01): 64 hex digits, and perhaps an extension.
pub(super) fn sha256_of(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back()?;
    let hash = last.split('.').next()?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| hash.to_ascii_lowercase())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn allowed() -> Allowed {
        let blossom = Url::parse("https://media.example:8443/files/").unwrap();
        Allowed::new(Some(&blossom), &["pictures.example".to_owned()])
    }

    #[test]
    fn l13_only_blossom_and_listed_hosts_may_be_asked() {
        for url in [
            "https://media.example:8443/aa",
            "https://MEDIA.example:8443/",
            "https://pictures.example/a?b=c",
            "https://pictures.example:443/",
            "https://Pictures.Example/#part",
        ] {
            assert!(allowed().check(url).is_some(), "{url}");
        }
        for url in [
            "",
            "pictures.example",
            "http://pictures.example/",
            "http://media.example:8443/",
            "https://media.example/",
            "https://pictures.example:444/",
            "https://pictures.example./",
            "https://pictures.example.evil/",
            "https://evil/pictures.example",
            "https://pictures.example@evil/",
            "https://user@pictures.example/",
            "https://user:word@media.example:8443/",
            "https://evil\\@pictures.example/",
            "https://10.0.0.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://[::ffff:10.0.0.1]/",
            "https://[64:ff9b::a00:1]/",
            "https://169.254.169.254/latest/meta-data",
            "ftp://pictures.example/",
            "file:///etc/passwd",
            "data:text/plain,a",
        ] {
            assert_eq!(allowed().check(url), None, "{url}");
        }
        let nobody = Allowed::new(None, &[]);
        assert_eq!(nobody.check("https://media.example:8443/"), None);
        assert_eq!(nobody.upload(), None);
    }

    #[test]
    fn l13_uploads_go_below_the_url_of_blossom() {
        let upload = allowed().upload().unwrap();
        assert_eq!(upload.as_str(), "https://media.example:8443/files/upload");
        let root = Url::parse("https://media.example").unwrap();
        let upload = Allowed::new(Some(&root), &[]).upload().unwrap();
        assert_eq!(upload.as_str(), "https://media.example/upload");
    }

    #[test]
    fn l13_the_hash_of_a_file_is_read_from_its_url() {
        let hash = "ab".repeat(32);
        let of = |url: String| sha256_of(&Url::parse(&url).unwrap());
        assert_eq!(
            of(format!("https://a.example/{hash}.png")),
            Some(hash.clone())
        );
        assert_eq!(
            of(format!("https://a.example/b/{}", hash.to_uppercase())),
            Some(hash)
        );
        assert_eq!(of("https://a.example/picture.png".to_owned()), None);
    }
}
