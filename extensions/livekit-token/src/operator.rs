//! Whether a URL in an event names this operator.
//!
//! Invariant: what cannot be read names nobody.

use url::Url;

/// The URL by which communities and rooms name this operator.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    /// None: an operator without a name of its own, whom every room may mean.
    url: Option<Url>,
}

impl Operator {
    /// `url` is absolute, if there is one.
    pub(crate) fn new(url: Option<&str>) -> Self {
        Operator {
            url: url.and_then(|url| Url::parse(url).ok()),
        }
    }

    /// Whether one of these names this operator: the same origin, and the same path but for a slash at its end.
    pub(crate) fn is_named_by<'u>(&self, urls: impl IntoIterator<Item = &'u str>) -> bool {
        let Some(own) = &self.url else {
            return true;
        };
        let mut urls = urls.into_iter().filter_map(|url| Url::parse(url).ok());
        urls.any(|url| {
            let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
            url.origin() == own.origin()
                && path(&url) == path(own)
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Operator;

    #[test]
    fn l11_a_url_names_the_operator_however_it_is_written() {
        let operator = Operator::new(Some("https://calls.example"));
        for url in [
            "https://calls.example",
            "https://calls.example/",
            "HTTPS://Calls.Example:443/",
        ] {
            assert!(operator.is_named_by([url]), "{url}");
        }
        for url in [
            "",
            "calls.example",
            "http://calls.example",
            "https://calls.example:8443",
            "https://calls.example/token",
            "https://calls.example/?a",
            "https://calls.example.evil",
            "https://me@calls.example",
        ] {
            assert!(!operator.is_named_by([url]), "{url}");
        }
        assert!(operator.is_named_by(["wss://other.example", "https://calls.example"]));
        assert!(!operator.is_named_by([]));
    }

    #[test]
    fn l11_an_operator_without_a_url_is_meant_by_every_room() {
        assert!(Operator::new(None).is_named_by(["https://other.example"]));
        assert!(Operator::new(None).is_named_by([]));
    }
}
