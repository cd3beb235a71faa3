//! `[extensions.blossom_policy.s3]`

use super::bounds::{checked_url, within};
use trellis_relay::config::{Secret, TimeSpan};
use trellis_relay::extension::prelude::*;

/// The object store of the backend "s3".
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct S3 {
    /// Where it is: http or https. Unset: Amazon's, by `region`.
    pub(crate) endpoint: Option<String>,
    /// The bucket, which must be there.
    pub(crate) bucket: Option<String>,
    /// Default: "us-east-1".
    pub(crate) region: String,
    /// Who we are there.
    pub(crate) access_key_id: Option<Secret>,
    /// What proves it.
    pub(crate) secret_access_key: Option<Secret>,
    /// What the names of objects begin with, such as "media/". Default: "".
    pub(crate) prefix: String,
    /// Whether the bucket stands in the path, as most servers but Amazon's want it, and not in the host. Default: true.
    pub(crate) path_style: bool,
    /// How long the store may be silent before it counts as away, and take for 8 MiB, in which it is sent long blobs: 1s to 10m.
    /// Default: "30s".
    pub(crate) timeout: TimeSpan,
}

impl Default for S3 {
    fn default() -> Self {
        S3 {
            endpoint: None,
            bucket: None,
            region: "us-east-1".to_owned(),
            access_key_id: None,
            secret_access_key: None,
            prefix: String::new(),
            path_style: true,
            timeout: TimeSpan::from_secs(30),
        }
    }
}

impl S3 {
    pub(super) fn check(&self) -> Result<(), String> {
        checked_url("s3.endpoint", self.endpoint.as_deref(), &["https", "http"])?;
        within("s3.timeout", self.timeout, 1..=600)?;
        let filled = |key: &str, is_there: bool| match is_there {
            true => Ok(()),
            false => Err(format!(
                "{key}: found nothing, wanted what the object store says; backend = \"s3\" needs it"
            )),
        };
        let is_set = |secret: &Option<Secret>| {
            secret
                .as_ref()
                .is_some_and(|secret| !secret.reveal().trim().is_empty())
        };
        let bucket = self.bucket.as_deref().map(str::trim);
        filled("s3.bucket", bucket.is_some_and(|it| !it.is_empty()))?;
        filled("s3.access_key_id", is_set(&self.access_key_id))?;
        filled("s3.secret_access_key", is_set(&self.secret_access_key))
    }
}
