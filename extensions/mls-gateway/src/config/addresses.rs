//! Paths of the routes, and the address of the server that says who is a member.

use super::settings::Acl;
use super::{Config, MembershipSource};

impl Config {
    /// The prefix, then its aliases.
    pub(super) fn prefixes(&self) -> Result<Vec<String>, String> {
        let prefix = self
            .api_prefix
            .clone()
            .unwrap_or_else(|| "/api/v1/mls".to_owned());
        let aliases = self
            .api_prefix_aliases
            .clone()
            .unwrap_or_else(|| vec!["/api/v1".to_owned()]);
        let mut prefixes = vec![prefix];
        for alias in aliases {
            if !prefixes.contains(&alias) {
                prefixes.push(alias);
            }
        }
        match prefixes
            .iter()
            .find(|it| !it.starts_with('/') || it.ends_with('/'))
        {
            Some(wrong) => Err(format!(
                "api_prefix: found {wrong:?}, wanted a path that begins with a slash and does not end with one"
            )),
            None => Ok(prefixes),
        }
    }

    /// The server to ask, where one is to be asked.
    pub(super) fn acl(&self) -> Result<Option<Acl>, String> {
        match (self.membership_source, &self.acl_url) {
            (MembershipSource::Roster, _) => Ok(None),
            (MembershipSource::Acl, None) => Err(
                "acl_url: found nothing, wanted the server's address, since membership_source is \"acl\"".to_owned(),
            ),
            (MembershipSource::Acl, Some(url)) if url.starts_with("http://") || url.starts_with("https://") => {
                Ok(Some(Acl {
                    url: url.trim_end_matches('/').to_owned(),
                    token: self.acl_token.clone(),
                }))
            }
            (MembershipSource::Acl, Some(url)) => {
                Err(format!("acl_url: found {url:?}, wanted http:// or https://"))
            }
        }
    }
}
