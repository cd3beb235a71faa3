//! `[policy]`: what users are told of the rules under which the relay is run, in six sections.
//!
//! Not here: the page that shows it (`http/policy`), and where NIP-11 points to it (`http/nip11`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The published policy, at `/policy`: six sections of plain text, in which an empty line ends a paragraph.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// The legal jurisdiction under which the relay is run. Default none.
    pub jurisdiction: Option<String>,
    /// What data is collected, and how long it is kept. Default none.
    pub data_practices: Option<String>,
    /// What is done when authorities or courts ask for data. Default none.
    pub legal_requests: Option<String>,
    /// How to reach the operator for legal matters. Default none.
    pub contact: Option<String>,
    /// What may not be done here, and what becomes of who does it. Default none.
    pub acceptable_use: Option<String>,
    /// What has to be paid for, and by which methods. Default none.
    pub payment_terms: Option<String>,
}

/// One section of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PolicySection<'p> {
    /// Its place on the page, as in `/policy#acceptable-use`.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What the operator says.
    pub text: &'p str,
}

/// Where NIP-11 points for what becomes of users' data.
pub const DATA_PRACTICES: &str = "data-practices";
/// Where NIP-11 points for what may be posted.
pub const ACCEPTABLE_USE: &str = "acceptable-use";

/// Key, id and title of a section, and what the operator says there.
type Row<'p> = (&'static str, &'static str, &'static str, &'p Option<String>);

impl Policy {
    fn rows(&self) -> [Row<'_>; 6] {
        [
            (
                "jurisdiction",
                "jurisdiction",
                "Jurisdiction",
                &self.jurisdiction,
            ),
            (
                "data_practices",
                DATA_PRACTICES,
                "Data practices",
                &self.data_practices,
            ),
            (
                "legal_requests",
                "legal-requests",
                "Legal requests",
                &self.legal_requests,
            ),
            ("contact", "contact", "Contact information", &self.contact),
            (
                "acceptable_use",
                ACCEPTABLE_USE,
                "Acceptable use",
                &self.acceptable_use,
            ),
            (
                "payment_terms",
                "payment-terms",
                "Payment terms",
                &self.payment_terms,
            ),
        ]
    }

    /// The sections that are written, in the order in which they are shown.
    pub fn sections(&self) -> Vec<PolicySection<'_>> {
        let rows = self.rows().into_iter();
        rows.filter_map(|(_, id, title, text)| {
            let text = text.as_deref()?;
            Some(PolicySection { id, title, text })
        })
        .collect()
    }

    /// Whether there is anything to publish.
    pub fn is_published(&self) -> bool {
        self.rows().iter().any(|(_, _, _, text)| text.is_some())
    }

    /// Keys of sections that a published policy lacks. Payment terms are for those who take money.
    pub fn missing(&self) -> Vec<&'static str> {
        if !self.is_published() {
            return Vec::new();
        }
        let rows = self.rows().into_iter();
        rows.filter(|(key, _, _, text)| text.is_none() && *key != "payment_terms")
            .map(|(key, ..)| key)
            .collect()
    }

    /// Keys of sections that are there and say nothing.
    pub(super) fn empty(&self) -> Vec<&'static str> {
        let rows = self.rows().into_iter();
        rows.filter(|(_, _, _, text)| text.as_ref().is_some_and(|text| text.trim().is_empty()))
            .map(|(key, ..)| key)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c29_a_policy_that_is_published_says_which_sections_it_lacks() {
        let mut policy = Policy::default();
        assert!(!policy.is_published() && policy.missing().is_empty());
        policy.contact = Some("mailto:legal@relay.example.com".to_owned());
        policy.acceptable_use = Some(" \n".to_owned());
        assert_eq!(
            policy.missing(),
            ["jurisdiction", "data_practices", "legal_requests"]
        );
        assert_eq!(policy.empty(), ["acceptable_use"]);
        let ids: Vec<_> = policy.sections().iter().map(|section| section.id).collect();
        assert_eq!(ids, ["contact", "acceptable-use"]);
    }
}
