//! `trellis qube genesis publish`

use super::read;
use crate::out::{json, line, progress};
use crate::rest;
use crate::settings::{Common, misuse};
use crate::signing::KeyArguments;
use anyhow::{Context as _, bail};
use serde_json::json;
use std::path::{Path, PathBuf};
use trellis_qube_protocol::Digest;
use url::Url;

#[derive(Debug, clap::Args)]
pub(crate) struct Publish {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    key: KeyArguments,
    /// The genesis.
    file: PathBuf,
    /// A Blossom server (https://...), or a folder that a web server serves.
    #[arg(long, value_name = "URL|DIR")]
    to: String,
    /// Where that folder is served.
    #[arg(long, value_name = "URL")]
    served_at: Option<Url>,
}

impl Publish {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let settings = self.common.settle()?;
        let (bytes, _) = read(&self.file)?;
        let hash = Digest::of(&bytes);
        let url = match self.to.contains("://") {
            true => {
                let server: Url = self.to.parse().map_err(misuse)?;
                let keys = self.key.keys(&settings)?;
                let patience = settings.patience;
                Some(
                    rest::upload(&server, bytes.clone(), "application/json", &keys, patience)
                        .await?,
                )
            }
            false => self.copy(Path::new(&self.to), &bytes, &hash)?,
        };
        if let Some(url) = &url {
            // Nodes will fetch it from there: what they get is what counts.
            let fetched = rest::fetch(url, settings.patience).await?;
            if Digest::of(&fetched) != hash {
                bail!("{url} has something else than {}", self.file.display());
            }
        }
        if settings.json {
            return json(&json!({"url": url, "sha256": hash}));
        }
        match &url {
            Some(url) => line(format_args!("--genesis-url {url} --genesis-hash {hash}")),
            None => line(format_args!("--genesis-hash {hash}")),
        }
    }

    fn copy(&self, folder: &Path, bytes: &[u8], hash: &Digest) -> anyhow::Result<Option<Url>> {
        let name = format!("{hash}.json");
        let file = folder.join(&name);
        let mut open = tempfile::NamedTempFile::new_in(folder)
            .with_context(|| format!("writing to {}", folder.display()))?;
        std::io::Write::write_all(&mut open, bytes)?;
        open.as_file().sync_all()?;
        let readable =
            <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
        open.as_file().set_permissions(readable)?;
        open.persist(&file)
            .with_context(|| format!("writing {}", file.display()))?;
        progress(format_args!("wrote {}", file.display()));
        let served = self.served_at.as_ref().map(|base| {
            let base = base.as_str().trim_end_matches('/');
            Url::parse(&format!("{base}/{name}")).map_err(misuse)
        });
        served.transpose()
    }
}
