//! Where the crate of a new extension gets the relay from.

use std::path::{Path, PathBuf};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    Checkout(PathBuf),
    Git(String),
}

impl Source {
    /// What somebody has named: a checkout or a URL.
    pub(super) fn named(text: &str) -> Result<Self, String> {
        if text.contains("://") || text.starts_with("git@") {
            return Ok(Source::Git(text.to_owned()));
        }
        let path = Path::new(text);
        match (is_checkout(path), std::path::absolute(path)) {
            (true, Ok(path)) => Ok(Source::Checkout(path)),
            _ => Err(format!(
                "--relay: {text:?} is neither a URL nor a checkout, which holds relay/Cargo.toml"
            )),
        }
    }

    /// The checkout that this folder is in or beside, as seen from it. The folder need not be there.
    pub(super) fn near(folder: &Path) -> Result<Self, String> {
        for (depth, ancestor) in folder.ancestors().enumerate().skip(1) {
            if is_checkout(ancestor) {
                return Ok(Source::Checkout((0..depth).map(|_| "..").collect()));
            }
        }
        let beside = folder.parent().and_then(|parent| {
            let entries = std::fs::read_dir(parent).ok()?;
            let mut checkouts = entries.flatten().filter(|it| is_checkout(&it.path()));
            checkouts.next()
        });
        match beside {
            Some(checkout) => Ok(Source::Checkout(Path::new("..").join(checkout.file_name()))),
            None => Err(format!(
                "{} is neither in a checkout of Trellis nor beside one; say where the relay comes from: --relay with \
                 the path of a checkout, or the URL of a git repository",
                folder.display()
            )),
        }
    }

    /// The manifest with its sources.
    pub(super) fn fill_in(&self, template: &str) -> String {
        let (own, relay) = match self {
            Source::Git(url) => (entry("git", url), entry("git", url)),
            Source::Checkout(path) => {
                let relay = path.join("relay");
                let text = |path: &Path| entry("path", &path.to_string_lossy());
                (text(path), text(&relay))
            }
        };
        template
            .replace("RELAY_SOURCE", &relay)
            .replace("SOURCE", &own)
    }
}

/// A key and its text as TOML.
fn entry(key: &str, text: &str) -> String {
    format!("{key} = {}", toml::Value::from(text))
}

fn is_checkout(path: &Path) -> bool {
    let manifest = std::fs::read_to_string(path.join("relay/Cargo.toml"));
    manifest.is_ok_and(|text| text.contains("name = \"trellis-relay\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e9_a_crate_near_a_checkout_takes_it_from_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let near = Source::near(&root.join("extensions/mine"));
        assert_eq!(near, Ok(Source::Checkout("../..".into())));
        let filled = near
            .expect("a checkout")
            .fill_in("trellis = { SOURCE }\nrelay = { RELAY_SOURCE }");
        let wanted = "trellis = { path = \"../..\" }\nrelay = { path = \"../../relay\" }";
        assert_eq!(filled, wanted);
        let beside = root.with_file_name("mine");
        assert!(
            matches!(Source::near(&beside), Ok(Source::Checkout(path)) if path.starts_with(".."))
        );
    }

    #[test]
    fn e9_a_crate_far_from_any_has_to_be_told() {
        let far = Source::near(Path::new("/proc/nowhere/mine"));
        assert!(far.is_err_and(|why| why.contains("--relay")));
        assert!(Source::named("/proc").is_err());
        let mine = "https://example.org/trellis";
        assert_eq!(Source::named(mine), Ok(Source::Git(mine.to_owned())));
    }
}
