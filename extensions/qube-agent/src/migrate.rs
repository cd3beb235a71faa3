//! `qube-agent migrate`: what the Go client has, as a configuration, a key and a history of this agent.
//!
//! Invariants: the Go client's files are read and never changed; nothing that is there already is overwritten. What only
//! the node's owner knows (where the program is, how it is restarted) stands in the new file as comments.

use crate::config::Config;
use crate::durable;
use crate::history::History;
use crate::secret;
use anyhow::{Context as _, bail, ensure};
use nostr::nips::nip19::ToBech32 as _;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use trellis_qube_protocol::{NetworkId, NodeId, Pubkey};
use url::Url;
use yaml_rust2::{Yaml, YamlLoader};

/// What the Go client is set up for.
struct Old {
    relays: Vec<Url>,
    developers: Vec<Pubkey>,
    quorum: usize,
    network: NetworkId,
    node_id: NodeId,
}

/// What was made.
pub(crate) struct Migrated {
    /// Where.
    folder: PathBuf,
    /// The configuration.
    pub(crate) config: PathBuf,
    /// How many actions the Go client had done.
    pub(crate) done: usize,
}

impl Migrated {
    /// For the one who called it.
    pub(crate) fn what_is_left_to_do(&self) -> String {
        let (file, done) = (self.config.display(), self.done);
        format!(
            "{file} is made, and {done} actions of the Go client are known as done. Stop the Go client, fill in the tables \
             in comments, set dry_run = false, and try `qube-agent check -c {file}`.\n\n\
             To run it by the shipped unit (qube-agent.service, whose head has the user), as root:\n\n{}",
            self.moves()
        )
    }

    /// Commands that put all of it where the shipped unit reads and writes.
    fn moves(&self) -> String {
        let quoted = |name: &str| {
            let path = self.folder.join(name).display().to_string();
            format!("'{}'", path.replace('\'', "'\\''"))
        };
        let mut text = String::new();
        if self.folder != Path::new(UNIT_CONFIG) {
            let (config, key) = (quoted("agent.toml"), quoted("key"));
            let _written = writeln!(
                text,
                "install -d {UNIT_CONFIG}\nmv {config} {UNIT_CONFIG}/agent.toml\nmv {key} {UNIT_CONFIG}/key"
            );
        }
        let data = quoted("data");
        let _written = write!(
            text,
            "install -d -m 0700 {UNIT_STATE}\n\
             mv {data} {UNIT_STATE}/data\n\
             chown -R qube-agent: {UNIT_STATE} {UNIT_CONFIG}/key\n\
             chmod 0700 {UNIT_STATE}/data\n\
             chmod 0644 {UNIT_CONFIG}/agent.toml\n\
             sed -i -e 's|^data_dir = .*|data_dir = \"{UNIT_STATE}/data\"|' \
             -e 's|^key_file = .*|key_file = \"{UNIT_CONFIG}/key\"|' {UNIT_CONFIG}/agent.toml"
        );
        text
    }
}

/// Where the shipped unit has its configuration and what it keeps.
const UNIT_CONFIG: &str = "/etc/qube-agent";
const UNIT_STATE: &str = "/var/lib/qube-agent";

/// Reads one folder and fills the other.
pub(crate) fn migrate(from: &Path, to: &Path) -> anyhow::Result<Migrated> {
    let old = old_config(&from.join("config.yaml"))?;
    let keys_file = from.join("keys.json");
    let text = read(&keys_file)?;
    let keys =
        secret::parse(&text).with_context(|| format!("{}: no nsec in it", keys_file.display()))?;
    let done = done(&from.join("history.yaml"))?;

    let to = std::path::absolute(to)?;
    let (config, key, data) = (to.join("agent.toml"), to.join("key"), to.join("data"));
    for path in [&config, &key, &data] {
        ensure!(
            !path.exists(),
            "{} is there already; nothing was changed",
            path.display()
        );
    }
    let text = new_config(&old, &data, &key);
    Config::parse(&config, &text)
        .context("this would not be a configuration; nothing was changed")?;
    let folder = data.join("networks").join(old.network.as_str());
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let count = done.len();
    History::open(&folder)?.import(done)?;
    let nsec = keys.secret_key().to_bech32().context("the key")?;
    durable::replace(&key, format!("{nsec}\n").as_bytes())?;
    durable::replace(&config, text.as_bytes())?;
    Ok(Migrated {
        folder: to,
        config,
        done: count,
    })
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn yaml(path: &Path) -> anyhow::Result<Yaml> {
    let documents = YamlLoader::load_from_str(&read(path)?);
    let documents = documents.with_context(|| format!("{}: not YAML", path.display()))?;
    Ok(documents.into_iter().next().unwrap_or(Yaml::Null))
}

fn old_config(path: &Path) -> anyhow::Result<Old> {
    let yaml = yaml(path)?;
    let name = path.display().to_string();
    let list = |key: &str| -> anyhow::Result<Vec<String>> {
        let Some(list) = yaml[key].as_vec() else {
            bail!("{name}: `{key}` is not a list");
        };
        let texts = list.iter().filter_map(Yaml::as_str).map(str::to_owned);
        Ok(texts.collect())
    };
    let text = |key: &str| yaml[key].as_str().unwrap_or_default().to_owned();
    let relays = list("relays")?.into_iter().map(|url| {
        let parsed = Url::parse(&url);
        parsed.with_context(|| format!("{name}: relay {url:?}"))
    });
    let developers = list("follows")?.into_iter().map(|key| {
        let parsed = key.parse();
        parsed.with_context(|| format!("{name}: follow {key:?}"))
    });
    let quorum = yaml["quorum"]
        .as_i64()
        .and_then(|quorum| usize::try_from(quorum).ok());
    Ok(Old {
        relays: relays.collect::<anyhow::Result<_>>()?,
        developers: developers.collect::<anyhow::Result<_>>()?,
        quorum: quorum.with_context(|| format!("{name}: `quorum` is not a number"))?,
        network: text("network")
            .parse()
            .with_context(|| format!("{name}: `network`"))?,
        node_id: text("node_id")
            .parse()
            .with_context(|| format!("{name}: `node_id`"))?,
    })
}

/// The keys of what was done, as the Go client has them.
fn done(path: &Path) -> anyhow::Result<Vec<String>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let yaml = yaml(path)?;
    let entries = yaml["entries"]
        .as_hash()
        .into_iter()
        .flat_map(|hash| hash.keys());
    Ok(entries
        .filter_map(Yaml::as_str)
        .map(str::to_owned)
        .collect())
}

fn new_config(old: &Old, data: &Path, key: &Path) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let path = |path: &Path| quoted(&path.display().to_string());
    let list = |items: Vec<String>| {
        let lines = items.iter().map(|item| format!("    {},\n", quoted(item)));
        format!("[\n{}]", lines.collect::<String>())
    };
    let relays = list(old.relays.iter().map(ToString::to_string).collect());
    let developers = list(old.developers.iter().map(ToString::to_string).collect());
    let mut text = String::new();
    let _written = write!(
        text,
        "# Made from the configuration of the Go client. The tables in comments below are the node owner's to fill in:\n\
         # without them the agent reports every action as failed. Until then it only decides and logs.\n\
         dry_run = true\n\
         data_dir = {}\nkey_file = {}\nlisten = \"127.0.0.1:9180\"\nrelays = {relays}\n\n\
         [[networks]]\nid = {}\nnode_id = {}\nquorum = {}\ndevelopers = {developers}\n",
        path(data),
        path(key),
        quoted(old.network.as_str()),
        quoted(old.node_id.as_str()),
        old.quorum,
    );
    text.push_str(TO_FILL_IN);
    text
}

/// What the Go client does not know.
const TO_FILL_IN: &str = r#"
#current_version_command = ["/usr/local/bin/node", "--version"]

#[networks.upgrade]
#url_template = "https://example.com/releases/{version}/node-{os}-{arch}"
#binary = "/usr/local/bin/node"
#restart = ["systemctl", "restart", "node"]
#[networks.upgrade.probe]
#url = "http://127.0.0.1:35997/"
#within = "2m"

#[networks.reboot]
#genesis_path = "/var/lib/node/genesis.json"
#command = ["/usr/local/bin/reset-node"]
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    const CONFIG: &str = "\
relays:
  - wss://qubestr.zenon.info
  - wss://qubestr.zenon.red
follows:
  - npub1sr47j9awvw2xa0m4w770dr2rl7ylzq4xt9k5rel3h4h58sc3mjysx6pj64  # George
  - npub1ackp65pgrxp6r27jw82p68cv572r8yxgasnpaqnd2mzexr09gc3ss24gcw
quorum: 2
network: hqz
node_id: node-01020304
";
    const HISTORY: &str = "\
entries:
    reboot:v0.0.9:https://example.com/genesis.json: \"2025-01-01T00:00:00Z\"
    upgrade:v0.0.9: \"2025-01-01T00:00:00Z\"
";

    fn old() -> (tempfile::TempDir, nostr::key::Keys) {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = nostr::key::Keys::generate();
        let nsec = keys.secret_key().to_bech32().expect("an nsec");
        let npub = keys.public_key().to_bech32().expect("an npub");
        let json = serde_json::json!({"nsec": nsec, "npub": npub});
        fs::write(folder.path().join("config.yaml"), CONFIG).expect("written");
        fs::write(folder.path().join("keys.json"), json.to_string()).expect("written");
        fs::write(folder.path().join("history.yaml"), HISTORY).expect("written");
        (folder, keys)
    }

    #[test]
    fn a2_the_go_clients_folder_becomes_a_configuration_that_is_good() {
        let (from, keys) = old();
        let to = tempfile::tempdir().expect("a folder");
        let migrated = migrate(from.path(), to.path()).expect("migrated");
        assert_eq!(migrated.done, 2);
        let config = Config::load(&migrated.config).expect("a good configuration");
        assert!(config.dry_run);
        assert_eq!(config.relays.len(), 2);
        let network = &config.networks[0];
        assert_eq!((network.quorum, network.developers.len()), (2, 2));
        assert_eq!(network.node_id.as_str(), "node-01020304");
        let key = secret::load(&config.key_file).expect("a key");
        assert_eq!(key.public_key(), keys.public_key());
        let mode = fs::metadata(&config.key_file)
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a2_how_it_comes_to_the_shipped_unit_is_told_as_commands() {
        let (from, keys) = old();
        let root = tempfile::tempdir().expect("a folder");
        let to = root.path().join("it's here");
        fs::create_dir(&to).expect("a folder");
        let told = migrate(from.path(), &to).expect("migrated");
        let told = told.what_is_left_to_do();
        let (_, commands) = told.rsplit_once("\n\n").expect("commands");
        // Into a folder of the test, by its own user.
        let under = |place: &str| format!("{}{place}", root.path().display());
        let commands: Vec<String> = commands
            .lines()
            .filter(|line| !line.starts_with("chown "))
            .map(|line| line.replace(UNIT_CONFIG, &under("/etc")))
            .map(|line| line.replace(UNIT_STATE, &under("/state")))
            .collect();
        let done = std::process::Command::new("sh")
            .args(["-e", "-c", &commands.join("\n")])
            .status();
        assert!(done.expect("a shell").success(), "{commands:?}");
        let config = Config::load(&root.path().join("etc/agent.toml")).expect("a configuration");
        assert_eq!(config.data_dir, root.path().join("state/data"));
        assert!(
            config
                .folder_of(&config.networks[0].id)
                .join("history.json")
                .exists()
        );
        let key = secret::load(&config.key_file).expect("a key");
        assert_eq!(key.public_key(), keys.public_key());
        assert_eq!(fs::read_dir(&to).expect("the folder").count(), 0);
        let in_place = Migrated {
            folder: PathBuf::from(UNIT_CONFIG),
            config: PathBuf::new(),
            done: 0,
        };
        assert!(!in_place.moves().contains("agent.toml /etc"), "it is there");
    }

    #[test]
    fn a2_what_would_be_no_configuration_is_not_made() {
        let (from, _) = old();
        let to = tempfile::tempdir().expect("a folder");
        let wrong = CONFIG.replace("quorum: 2", "quorum: 5");
        fs::write(from.path().join("config.yaml"), wrong).expect("written");
        let refused = migrate(from.path(), to.path()).err();
        let refused = refused.map(|error| format!("{error:#}"));
        assert!(refused.is_some_and(|text| text.contains("allowed: 1 to 2")));
        let left = fs::read_dir(to.path()).expect("the folder").count();
        assert_eq!(left, 0, "nothing was changed");
    }

    #[test]
    fn a2_nothing_is_overwritten() {
        let (from, _) = old();
        let to = tempfile::tempdir().expect("a folder");
        migrate(from.path(), to.path()).expect("migrated");
        let again = migrate(from.path(), to.path())
            .err()
            .map(|error| error.to_string());
        assert!(again.is_some_and(|text| text.contains("is there already")));
    }
}
