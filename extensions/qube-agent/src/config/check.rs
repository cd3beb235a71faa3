//! What the types of a configuration do not say: bounds, and values that must fit each other.

use super::error::Problem;
use super::{Bytes, Config, Download, Network, Probe, Reboot, Span, Upgrade};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use url::Url;

const MAX_RELAYS: usize = 32;
const MAX_NETWORKS: usize = 64;
const MAX_DEVELOPERS: usize = 256;
const MAX_FILE_BYTES: u64 = 16 << 30;
/// What a template of URLs may have in braces.
const PLACES: [&str; 4] = ["{version}", "{hash}", "{os}", "{arch}"];

type Checked = Result<(), Problem>;

/// The first thing that does not do.
pub(super) fn first_problem(config: &Config) -> Option<Problem> {
    whole(config).err()
}

fn problem(key: &str, found: impl ToString, allowed: impl ToString) -> Problem {
    Problem {
        key: key.to_owned(),
        found: found.to_string(),
        allowed: allowed.to_string(),
    }
}

fn whole(config: &Config) -> Checked {
    not_empty("data_dir", &config.data_dir)?;
    not_empty("key_file", &config.key_file)?;
    count("relays", config.relays.len(), MAX_RELAYS)?;
    let mut seen = BTreeSet::new();
    for relay in &config.relays {
        if !matches!(relay.scheme(), "ws" | "wss") || !relay.has_host() {
            return Err(problem(
                "relays",
                relay,
                "addresses that begin with wss:// or ws://",
            ));
        }
        if !seen.insert(relay) {
            return Err(problem(
                "relays",
                format!("{relay} twice"),
                "each relay once",
            ));
        }
    }
    span("check_every", config.check_every, 100, 600_000)?;
    span("settle", config.settle, 0, 3_600_000)?;
    download(&config.download)?;
    count("networks", config.networks.len(), MAX_NETWORKS)?;
    let mut seen = BTreeSet::new();
    for one in &config.networks {
        if !seen.insert(&one.id) {
            return Err(problem(
                "networks.id",
                format!("{} twice", one.id),
                "each network once",
            ));
        }
        network(one, &config.download)?;
    }
    each_file_once(config)
}

/// What is kept for a rollback lies beside a file under its name: two actions at one file would take it from each other.
fn each_file_once(config: &Config) -> Checked {
    let mut seen: BTreeMap<&Path, String> = BTreeMap::new();
    for network in &config.networks {
        let at = |name: &str| format!("networks.{}.{name}", network.id);
        let binary = network
            .upgrade
            .as_ref()
            .map(|upgrade| (at("upgrade.binary"), &upgrade.binary));
        let reboot = network.reboot.as_ref();
        let genesis = reboot.map(|reboot| (at("reboot.genesis_path"), &reboot.genesis_path));
        for (key, path) in binary.into_iter().chain(genesis) {
            if let Some(other) = seen.get(path.as_path()) {
                let found = format!("{}, as {other}", path.display());
                return Err(problem(&key, found, "a file of its own"));
            }
            seen.insert(path, key);
        }
    }
    Ok(())
}

fn download(download: &Download) -> Checked {
    span("download.within", download.within, 0, 86_400_000)
}

fn network(network: &Network, download: &Download) -> Checked {
    let key = |name: &str| format!("networks.{}.{name}", network.id);
    let developers: BTreeSet<_> = network.developers.iter().collect();
    if developers.len() != network.developers.len() {
        return Err(problem(
            &key("developers"),
            "one developer twice",
            "each once",
        ));
    }
    count(&key("developers"), developers.len(), MAX_DEVELOPERS)?;
    if !(1..=developers.len()).contains(&network.quorum) {
        let allowed = format!("1 to {}, the number of developers", developers.len());
        return Err(problem(&key("quorum"), network.quorum, allowed));
    }
    if network.current_version.is_some() && network.current_version_command.is_some() {
        let found = "given beside current_version";
        return Err(problem(
            &key("current_version_command"),
            found,
            "one of the two",
        ));
    }
    optional_command(
        &key("current_version_command"),
        &network.current_version_command,
    )?;
    optional_command(&key("height_command"), &network.height_command)?;
    if let Some(one) = &network.upgrade {
        upgrade(&key("upgrade"), one, download)?;
    }
    if let Some(one) = &network.reboot {
        reboot(&key("reboot"), one)?;
    }
    Ok(())
}

fn upgrade(at: &str, upgrade: &Upgrade, download: &Download) -> Checked {
    let key = format!("{at}.url_template");
    let mut filled = upgrade.url_template.clone();
    for place in PLACES {
        filled = filled.replace(place, "x");
    }
    if filled.contains(['{', '}']) {
        let allowed = format!("a URL with any of {}", PLACES.join(", "));
        return Err(problem(&key, &upgrade.url_template, allowed));
    }
    web_url(&key, &filled, download.allow_http)?;
    file(&format!("{at}.binary"), &upgrade.binary)?;
    command(&format!("{at}.restart"), &upgrade.restart)?;
    span(
        &format!("{at}.restart_within"),
        upgrade.restart_within,
        1_000,
        3_600_000,
    )?;
    size(&format!("{at}.max_bytes"), upgrade.max_bytes)?;
    optional_probe(at, upgrade.probe.as_ref())
}

fn reboot(at: &str, reboot: &Reboot) -> Checked {
    file(&format!("{at}.genesis_path"), &reboot.genesis_path)?;
    command(&format!("{at}.command"), &reboot.command)?;
    span(
        &format!("{at}.command_within"),
        reboot.command_within,
        1_000,
        3_600_000,
    )?;
    size(&format!("{at}.max_bytes"), reboot.max_bytes)?;
    optional_probe(at, reboot.probe.as_ref())
}

fn optional_probe(at: &str, probe: Option<&Probe>) -> Checked {
    let Some(probe) = probe else { return Ok(()) };
    let key = format!("{at}.probe");
    match (&probe.command, &probe.url) {
        (Some(argv), None) => command(&format!("{key}.command"), argv)?,
        // The node itself, which is on this machine as a rule.
        (None, Some(url)) => web_url(&format!("{key}.url"), url.as_str(), true)?,
        (Some(_), Some(_)) => return Err(problem(&key, "both command and url", "one of the two")),
        (None, None) => return Err(problem(&key, "neither command nor url", "one of the two")),
    }
    span(&format!("{key}.within"), probe.within, 1_000, 86_400_000)?;
    span(&format!("{key}.every"), probe.every, 50, 600_000)
}

fn web_url(key: &str, text: &str, allow_http: bool) -> Checked {
    let allowed = match allow_http {
        true => "an address that begins with https:// or http://",
        false => "an address that begins with https:// (http:// needs download.allow_http = true)",
    };
    let url =
        Url::parse(text).map_err(|error| problem(key, format!("{text:?} ({error})"), allowed))?;
    let good = url.scheme() == "https" || allow_http && url.scheme() == "http";
    match good && url.has_host() {
        true => Ok(()),
        false => Err(problem(key, text, allowed)),
    }
}

fn optional_command(key: &str, argv: &Option<Vec<String>>) -> Checked {
    argv.as_deref().map_or(Ok(()), |argv| command(key, argv))
}

fn command(key: &str, argv: &[String]) -> Checked {
    match argv.first() {
        Some(program) if !program.is_empty() => Ok(()),
        _ => Err(problem(
            key,
            "empty",
            "a program and its arguments, [\"program\", \"argument\"]",
        )),
    }
}

fn file(key: &str, path: &Path) -> Checked {
    if path.is_symlink() {
        let found = format!("{}, a symbolic link", path.display());
        return Err(problem(
            key,
            found,
            "the path of the file itself, as that is what is replaced",
        ));
    }
    match path.is_absolute() && path.file_name().is_some() {
        true => Ok(()),
        false => Err(problem(
            key,
            path.display(),
            "the whole path of a file, from / on",
        )),
    }
}

fn not_empty(key: &str, path: &Path) -> Checked {
    match path.as_os_str().is_empty() {
        false => Ok(()),
        true => Err(problem(key, "empty", "a path")),
    }
}

fn count(key: &str, found: usize, max: usize) -> Checked {
    match (1..=max).contains(&found) {
        true => Ok(()),
        false => Err(problem(
            key,
            format!("a list of {found}"),
            format!("1 to {max}"),
        )),
    }
}

fn span(key: &str, found: Span, min_ms: u64, max_ms: u64) -> Checked {
    let (min, max) = (Duration::from_millis(min_ms), Duration::from_millis(max_ms));
    match (min..=max).contains(&found.0) {
        true => Ok(()),
        false => Err(problem(
            key,
            found,
            format!("{} to {}", Span(min), Span(max)),
        )),
    }
}

fn size(key: &str, found: Bytes) -> Checked {
    match (1..=MAX_FILE_BYTES).contains(&found.0) {
        true => Ok(()),
        false => Err(problem(key, found, "1B to 16GiB")),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use std::path::Path;

    const GOOD: &str = r#"
data_dir = "/tmp/a"
key_file = "/tmp/key"
relays = ["wss://relay.example"]
[[networks]]
id = "hqz"
developers = ["f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"]
quorum = 1
node_id = "one"
[networks.upgrade]
url_template = "https://files.example/{version}/{os}-{arch}"
binary = "/opt/node"
restart = ["true"]
[networks.upgrade.probe]
url = "http://127.0.0.1:1/health"
"#;

    fn wrong(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replacen(from, to, 1);
        let parsed = Config::parse(Path::new("agent.toml"), &text);
        format!("{:#}", anyhow::Error::from(parsed.expect_err(to)))
    }

    #[test]
    fn a8_a_good_file_is_taken_with_its_defaults() {
        let config = Config::parse(Path::new("agent.toml"), GOOD).expect("good");
        assert!(!config.download.allow_http && !config.dry_run);
        assert_eq!(config.networks[0].quorum, 1);
    }

    #[test]
    fn a8_the_sample_is_good_with_its_defaults_written_out_too() {
        let sample = include_str!("../../../../config/qube-agent.toml");
        let path = Path::new("qube-agent.toml");
        Config::parse(path, sample).expect("good");
        // Of the two ways to tell the version, one.
        let written_out = sample
            .replace("\n#current_version =", "\n# current_version =")
            .replace("\n#", "\n")
            .lines()
            .filter(|line| !line.starts_with(' ') || line.contains("npub1"))
            .collect::<Vec<_>>()
            .join("\n");
        let config = Config::parse(path, &written_out).expect("good");
        assert_eq!(config.listen.map(|address| address.port()), Some(9180));
        let defaults = Config::parse(path, sample).expect("good");
        assert_eq!(config.settle, defaults.settle);
        assert_eq!(config.check_every, defaults.check_every);
        assert_eq!(config.download.within, defaults.download.within);
        let (written, default) = (&config.networks[0], &defaults.networks[0]);
        assert!(written.height_command.is_some() && default.height_command.is_none());
        assert_eq!(
            format!("{:?}", written.upgrade),
            format!("{:?}", default.upgrade)
        );
        assert_eq!(
            format!("{:?}", written.reboot),
            format!("{:?}", default.reboot)
        );
    }

    #[test]
    fn a8_a_file_is_of_one_action_and_no_link() {
        let network = GOOD.split_once("[[networks]]").expect("a network").1;
        let other = network.replace("\"hqz\"", "\"other\"");
        let text = format!("{GOOD}[[networks]]{other}");
        let parsed = Config::parse(Path::new("agent.toml"), &text);
        let error = parsed.expect_err("one file for two").to_string();
        for part in [
            "agent.toml: ",
            "networks.other.upgrade.binary",
            "/opt/node, as networks.hqz.upgrade.binary",
            "a file of its own",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let text = text.replacen("/opt/node", "/opt/another", 1);
        Config::parse(Path::new("agent.toml"), &text).expect("a file each");

        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("node");
        std::os::unix::fs::symlink("/bin/sh", &link).expect("a link");
        let error = wrong("/opt/node", &link.display().to_string());
        assert!(error.contains("symbolic link"), "{error}");
    }

    #[test]
    fn a8_errors_name_file_key_found_and_allowed() {
        let cases = [
            ("quorum = 1", "quorum = 2", "networks.hqz.quorum", "1 to 1"),
            ("quorum = 1", "quorum = 0", "networks.hqz.quorum", "is 0"),
            ("wss://relay", "https://relay", "relays", "wss://"),
            (
                "https://files",
                "http://files",
                "url_template",
                "allow_http",
            ),
            ("{os}", "{platform}", "url_template", "{arch}"),
            ("\"/opt/node\"", "\"node\"", "upgrade.binary", "from / on"),
            ("[\"true\"]", "[]", "upgrade.restart", "a program"),
            ("data_dir", "data_dri", "data_dri", "expected"),
            ("\"hqz\"", "\"H Q\"", "id", "a-z"),
            (
                "url = \"http://127.0.0.1:1/health\"",
                "",
                "probe",
                "one of the two",
            ),
            (
                "url = \"http://127.0.0.1:1/health\"",
                "url = \"http://127.0.0.1:1/\"\nwithin = \"5 weeks\"",
                "within",
                "length of time",
            ),
        ];
        for (from, to, key, allowed) in cases {
            let error = wrong(from, to);
            assert!(error.starts_with("agent.toml: "), "{error}");
            assert!(error.contains(key) && error.contains(allowed), "{error}");
        }
    }
}
