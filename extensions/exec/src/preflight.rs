//! Whether a program can be started at all, looked at before the relay takes its table.
//!
//! Not here: whether it works. A command for the shell cannot be looked at, and a file may go later: that shows when it
//! is started.

use crate::config::ProgramConfig;
use crate::process::{file_of, folder_of};
use rustix::fs::{Access, access};
use std::path::{Path, PathBuf};

/// Where programs are looked for when nobody says.
const PATH: &str = "/usr/bin:/bin";

/// Names the key, what was found, and where was looked.
pub(crate) fn check(config: &ProgramConfig) -> Result<(), String> {
    let name = &config.name;
    let folder = folder_of(config);
    if !folder.is_dir() {
        let folder = folder.display();
        return Err(format!("programs.{name}.cwd: {folder} is no directory"));
    }
    let Some(file) = file_of(config) else {
        return Ok(());
    };
    let (command, folder_shown) = (config.command.trim(), folder.display());
    let refuse = |what: String| {
        Err(format!(
            "programs.{name}.command: found {command:?}, {what}"
        ))
    };
    match place(&file, &folder, config) {
        None if file.is_absolute() => refuse(format!(
            "but there is no file {}; the working directory is {folder_shown}",
            file.display()
        )),
        None => refuse(format!(
            "which is neither a file in {folder_shown} nor a program in PATH"
        )),
        Some(place) if is_executable(&place) => Ok(()),
        Some(place) => refuse(format!(
            "but {0} cannot be executed; `chmod +x {0}` allows it",
            place.display()
        )),
    }
}

/// The file that would be started; one in PATH counts only if it can be executed.
fn place(file: &Path, folder: &Path, config: &ProgramConfig) -> Option<PathBuf> {
    if file.is_absolute() {
        return file.is_file().then(|| file.to_owned());
    }
    let path = match config.env.get("PATH") {
        Some(path) => path.into(),
        None => std::env::var_os("PATH").unwrap_or_else(|| PATH.into()),
    };
    let mut places = std::env::split_paths(&path).map(|entry| folder.join(entry).join(file));
    places.find(|place| is_executable(place))
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn checked(keys: &str) -> Result<(), String> {
        let table = format!("[[programs]]\nname = 'polite'\n{keys}");
        let config: Config = toml::from_str(&table).expect("a table");
        config.programs.iter().try_for_each(check)
    }

    #[test]
    fn e12_what_can_be_started_is_taken() {
        for command in ["/bin/sh", "sh", "no-such-program --looked-at-by the-shell"] {
            assert_eq!(checked(&format!("command = '{command}'")), Ok(()));
        }
        assert_eq!(checked("command = './sh'\ncwd = '/bin'"), Ok(()));
    }

    #[test]
    fn e12_what_cannot_be_started_is_refused_with_the_place() {
        for (keys, wanted) in [
            (
                "command = './polite.py'\ncwd = '/etc'",
                "programs.polite.command: found \"./polite.py\", but there is no file /etc/polite.py; the working directory \
                 is /etc",
            ),
            (
                "command = 'no-such-program'\ncwd = '/etc'",
                "programs.polite.command: found \"no-such-program\", which is neither a file in /etc nor a program in PATH",
            ),
            (
                "command = '/etc/passwd'",
                "programs.polite.command: found \"/etc/passwd\", but /etc/passwd cannot be executed; `chmod +x \
                 /etc/passwd` allows it",
            ),
            (
                "command = 'sh'\ncwd = '/no/such/folder'",
                "programs.polite.cwd: /no/such/folder is no directory",
            ),
        ] {
            assert_eq!(checked(keys), Err(wanted.to_owned()));
        }
    }
}
