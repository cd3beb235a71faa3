//! Whether what a configuration names is there: asked by `check` only, for a node may be set up after its agent.

use super::{Config, Network};
use rustix::fs::{Access, access};
use std::path::{Path, PathBuf};

/// What is wrong, one line each.
pub(super) fn missing(config: &Config) -> Vec<String> {
    config.networks.iter().flat_map(of_network).collect()
}

fn of_network(network: &Network) -> Vec<String> {
    let mut files: Vec<(&str, &Path, bool)> = Vec::new();
    let mut commands: Vec<(&str, Option<&Vec<String>>)> = vec![
        (
            "current_version_command",
            network.current_version_command.as_ref(),
        ),
        ("height_command", network.height_command.as_ref()),
    ];
    if let Some(upgrade) = &network.upgrade {
        files.push(("upgrade.binary", &upgrade.binary, true));
        commands.push(("upgrade.restart", Some(&upgrade.restart)));
        let probe = upgrade.probe.as_ref();
        commands.push((
            "upgrade.probe.command",
            probe.and_then(|it| it.command.as_ref()),
        ));
    }
    if let Some(reboot) = &network.reboot {
        files.push(("reboot.genesis_path", &reboot.genesis_path, false));
        commands.push(("reboot.command", Some(&reboot.command)));
        let probe = reboot.probe.as_ref();
        commands.push((
            "reboot.probe.command",
            probe.and_then(|it| it.command.as_ref()),
        ));
    }
    let at = |key: &str, problem: String| format!("networks.{}.{key}: {problem}", network.id);
    let files = files.into_iter().filter_map(|(key, path, is_program)| {
        wrong_file(path, is_program).map(|problem| at(key, problem))
    });
    let commands = commands.into_iter().filter_map(|(key, argv)| {
        let program = argv?.first()?;
        let is_there = match program.contains('/') {
            true => can_be_run(Path::new(program)),
            false => is_on_the_path(program),
        };
        (!is_there).then(|| at(key, format!("{program} is no program that can be run here")))
    });
    files.chain(commands).collect()
}

/// A file that an action replaces: it is there, or its folder takes one.
fn wrong_file(path: &Path, is_program: bool) -> Option<String> {
    let name = path.display();
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => Some(format!("{name} is no file")),
        Ok(_) if is_program && !can_be_run(path) => {
            Some(format!("{name} is no program that can be run here"))
        }
        Ok(_) => None,
        Err(_) => {
            let folder = path.parent().unwrap_or(path);
            let takes_one = folder.is_dir() && access(folder, Access::WRITE_OK).is_ok();
            let folder = folder.display();
            (!takes_one).then(|| {
                format!("{name} is not there, and {folder} is no folder that can be written")
            })
        }
    }
}

fn can_be_run(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

fn is_on_the_path(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut programs = std::env::split_paths(&folders).map(|folder: PathBuf| folder.join(program));
    programs.any(|program| can_be_run(&program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a8_a_file_is_there_or_its_folder_takes_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("node");
        assert_eq!(wrong_file(&inside, true), None);
        std::fs::write(&inside, "text").expect("written");
        assert!(wrong_file(&inside, true).is_some_and(|it| it.contains("no program")));
        assert_eq!(wrong_file(&inside, false), None);
        assert!(wrong_file(folder.path(), true).is_some_and(|it| it.contains("no file")));
        assert!(wrong_file(&inside.join("deep"), true).is_some());
        assert!(can_be_run(Path::new("/bin/sh")) && is_on_the_path("sh"));
        assert!(!is_on_the_path("no-such-program"));
    }
}
