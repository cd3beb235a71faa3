//! Which URLs are fetched.
//!
//! Invariant: pure. What a name leads to is checked where the connection is made.

use crate::blob::BlobHash;
use crate::refusal::Refusal;
use url::Url;

/// Longer ones are nobody's.
const URL_BYTES_MAX: usize = 4096;

/// A URL that may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source(Url);

impl Source {
    /// A client's wish.
    pub(crate) fn read(url: &str, https_only: bool) -> Result<Self, Refusal> {
        let wanted = if https_only { "https" } else { "https or http" };
        let read = Some(url).filter(|it| it.len() <= URL_BYTES_MAX);
        let read = read.and_then(|it| Url::parse(it).ok());
        let source = read.and_then(|it| Self::check(it, https_only));
        source.ok_or_else(|| {
            let text = format!("url must be the blob's URL, with {wanted} and without a user name");
            Refusal::bad_request(text)
        })
    }

    /// Where this one leads to. From https it stays https.
    pub(crate) fn redirected(&self, location: &str, https_only: bool) -> Result<Self, Refusal> {
        let stays_https = https_only || self.0.scheme() == "https";
        let next = self.0.join(location).ok();
        let next = next.and_then(|it| Self::check(it, stays_https));
        next.ok_or_else(|| {
            Refusal::Origin(
                "the other server sends on to a URL that is not one to be fetched".into(),
            )
        })
    }

    fn check(mut url: Url, https_only: bool) -> Option<Self> {
        let is_http = url.scheme() == "https" || !https_only && url.scheme() == "http";
        let is_plain = url.username().is_empty() && url.password().is_none();
        url.set_fragment(None);
        (is_http && is_plain && url.has_host()).then_some(Source(url))
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// The hash that the URL of a Blossom server has (BUD-01). Anybody can put any hash there.
    pub(crate) fn sha256(&self) -> Option<BlobHash> {
        let last = self.0.path_segments()?.next_back()?;
        last.split('.').next()?.to_ascii_lowercase().parse().ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn b12_only_plain_web_addresses_are_fetched() {
        let hash = "b1674191a88ec5cdd733e4240a81803105dc412d6c6708d53ab94fc248f4f553";
        let url = format!("https://cdn.example/{}.pdf?a=b#c", hash.to_uppercase());
        let read = Source::read(&url, true).unwrap();
        assert_eq!(read.sha256(), Some(hash.parse().unwrap()));
        assert!(read.url().fragment().is_none());
        assert!(Source::read("http://cdn.example/a", false).is_ok());
        let long = format!("https://cdn.example/{}", "a".repeat(5000));
        for wrong in [
            "",
            "a",
            "/a",
            "http://cdn.example/a",
            "ftp://cdn.example/a",
            "file:///etc/passwd",
            "data:,a",
            "https:",
            "https://user@cdn.example/a",
            "https://:pass@cdn.example/a",
            &long,
        ] {
            assert!(Source::read(wrong, true).is_err(), "{wrong}");
        }
    }

    #[test]
    fn b12_a_redirect_leads_to_what_may_be_fetched() {
        let read = Source::read("https://cdn.example/a/b", true).unwrap();
        let next = |location: &str, https_only| read.redirected(location, https_only).ok();
        assert_eq!(
            next("c", true).unwrap().url().as_str(),
            "https://cdn.example/a/c"
        );
        assert_eq!(
            next("//b.example/", true).unwrap().url().as_str(),
            "https://b.example/"
        );
        for wrong in [
            "http://cdn.example/",
            "ftp://b.example/",
            "https://u@b.example/",
            "file:///a",
            "https://[",
        ] {
            assert!(
                next(wrong, true).is_none() && next(wrong, false).is_none(),
                "{wrong}"
            );
        }
        let plain = Source::read("http://cdn.example/a", false).unwrap();
        assert!(plain.redirected("http://b.example/", false).is_ok());
        assert!(plain.redirected("http://b.example/", true).is_err());
    }
}
