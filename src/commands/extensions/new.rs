//! `trellis extensions new`: writes the crate of an extension that builds, runs and is tested.
//!
//! The files stand in `template`. They are valid as they are, for an extension called `new_extension`, so that what is
//! written is what was read and tested; the name alone is replaced, and where the relay comes from.

mod name;
mod source;
mod taken;

use super::super::WrongArguments;
use anyhow::Context as _;
use clap::Args;
use name::Name;
use source::Source;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

#[derive(Debug, Args)]
pub(in crate::commands) struct New {
    /// What it is called: lower case letters, digits, `_` and `-`. Its table is [extensions.NAME], with `_` for `-`.
    name: String,
    /// The folder to write, which must not be there yet; by default NAME.
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Where the relay comes from: a checkout of its repository, or a git URL. By default the checkout in which, or beside
    /// which, the folder is; where there is none, this has to be given.
    #[arg(long, value_name = "SOURCE")]
    relay: Option<String>,
}

/// Each file, and what it holds.
const FILES: [(&str, &str); 8] = [
    ("Cargo.toml", include_str!("template/manifest.toml")),
    ("src/lib.rs", include_str!("template/lib.rs")),
    ("src/routes.rs", include_str!("template/routes.rs")),
    ("src/main.rs", include_str!("template/main.rs")),
    ("tests/behaviour.rs", include_str!("template/behaviour.rs")),
    ("trellis.toml", include_str!("template/trellis.toml")),
    ("README.md", include_str!("template/readme.md")),
    (".gitignore", include_str!("template/gitignore")),
];

impl New {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let name: Name = self.name.parse().map_err(WrongArguments)?;
        let folder = self.path.unwrap_or_else(|| PathBuf::from(&self.name));
        let source = match &self.relay {
            Some(named) => Source::named(named).map_err(WrongArguments)?,
            None => Source::near(&std::path::absolute(&folder)?).map_err(WrongArguments)?,
        };
        write(&folder, &name, &source)?;
        let shown = folder.display();
        let next = format!(
            "{shown} holds the extension {table}, and a relay with it:\n\n  cd {shown}\n  cargo test\n  cargo run -- serve \
             -c trellis.toml\n\nsrc/lib.rs is the place to begin. The relay comes from {source}.\n",
            table = name.snake(),
            source = source.told()
        );
        io::stdout().lock().write_all(next.as_bytes())?;
        Ok(())
    }
}

fn write(folder: &Path, name: &Name, source: &Source) -> anyhow::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let text = format!("{} is there already; nothing was written", folder.display());
            return Err(WrongArguments(text).into());
        }
        made => made.with_context(|| folder.display().to_string())?,
    }
    for (file, template) in FILES {
        let path = folder.join(file);
        let text = source.fill_in(&name.fill_in(template));
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
