//! `trellis qube onboard`: what the agent of a new node is started with.

use crate::keyfile;
use crate::out::{json, line, progress};
use crate::passphrase::Source;
use crate::settings::{Common, Settings, misuse};
use anyhow::Context as _;
use nostr::key::Keys;
use nostr::nips::nip19::ToBech32 as _;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use trellis_qube_protocol::{Network, NodeId, Version};
use url::Url;

/// As `deploy/` has it, for the paths of `config/qube-agent.toml`.
const SHIPPED_UNIT: &str = include_str!("../../../../deploy/systemd/qube-agent.service");

#[derive(Debug, clap::Args)]
pub(crate) struct Onboard {
    #[command(flatten)]
    common: Common,
    /// What the node is called in reports.
    #[arg(long, value_name = "ID")]
    node_id: NodeId,
    /// The folder to write to; files that are there already are not overwritten.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Where the agent keeps its votes and history.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/qube-agent/data")]
    data_dir: PathBuf,
    /// Where the folder will be on the node; without it, where it is written.
    #[arg(long, value_name = "DIR")]
    installed_at: Option<PathBuf>,
    /// Where programs are fetched: {version}, {hash}, {os} and {arch} are filled in.
    #[arg(long, value_name = "TEMPLATE", requires = "binary")]
    url_template: Option<String>,
    /// The node's program.
    #[arg(long, value_name = "FILE", requires = "url_template")]
    binary: Option<PathBuf>,
    /// Restarts the node: a program and its arguments, in quotes where one has blanks.
    #[arg(
        long,
        value_name = "COMMAND",
        default_value = "systemctl restart go-zenon"
    )]
    restart: String,
    /// Answers 2xx when the node is well.
    #[arg(long, value_name = "URL")]
    probe_url: Option<Url>,
    /// The version that runs now.
    #[arg(long, value_name = "VERSION")]
    current_version: Option<Version>,
    /// The node's genesis file; without it, reboots are refused.
    #[arg(long, value_name = "FILE", requires = "reboot")]
    genesis_path: Option<PathBuf>,
    /// Has the node begin anew: a program and its arguments, in quotes where one has blanks.
    #[arg(long, value_name = "COMMAND", requires = "genesis_path")]
    reboot: Option<String>,
    /// The agent's program.
    #[arg(long, value_name = "FILE", default_value = "/usr/local/bin/qube-agent")]
    agent: PathBuf,
    /// Where the agent serves /health and /metrics.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9180")]
    listen: std::net::SocketAddr,
}

impl Onboard {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let settings = self.common.settle()?;
        let network = settings.network()?;
        if settings.relays.is_empty() {
            return Err(misuse(
                "no relay: --relay wss://HOST, or `relays` in the configuration",
            ));
        }
        self.check(&settings)?;
        let [config, key, unit] =
            ["agent.toml", "key", "qube-agent.service"].map(|name| self.to.join(name));
        if let Some(there) = [&config, &unit].into_iter().find(|file| file.exists()) {
            return Err(misuse(format!("{}: is there already", there.display())));
        }
        let (config_text, unit_text) = (self.config(&settings, network)?, self.unit()?);
        let keys = match key.exists() {
            true => {
                progress(format_args!("{}: kept", key.display()));
                keyfile::read(&key, &Source::default())?
            }
            false => {
                let keys = Keys::generate();
                keyfile::write_plain(&key, keys.secret_key())?;
                keys
            }
        };
        write(&config, &config_text)?;
        write(&unit, &unit_text)?;
        let npub = keys
            .public_key()
            .to_bech32()
            .context("encoding the public key")?;
        if settings.json {
            let pubkey = keys.public_key().to_hex();
            return json(&json!({
                "config": config, "key": key, "unit": unit, "npub": npub, "pubkey": pubkey, "node_id": self.node_id,
            }));
        }
        line(format_args!("wrote   {}", config.display()))?;
        line(format_args!("wrote   {}", key.display()))?;
        line(format_args!("wrote   {}", unit.display()))?;
        line("for the relay's configuration, under the network:")?;
        line("[[extensions.qube_coordination.networks.nodes]]")?;
        line(format_args!("node_id = {}", quoted(self.node_id.as_str())))?;
        line(format_args!("pubkey = \"{npub}\""))
    }

    /// Refuses what the agent would not take.
    fn check(&self, settings: &Settings) -> anyhow::Result<()> {
        let mut relays = settings.relays.iter();
        if let Some(relay) =
            relays.find(|url| !matches!(url.scheme(), "ws" | "wss") || !url.has_host())
        {
            return Err(misuse(format!(
                "{relay}: a relay's address begins with wss://"
            )));
        }
        for file in [&self.binary, &self.genesis_path].into_iter().flatten() {
            if !file.is_absolute() || file.file_name().is_none() {
                let name = file.display();
                return Err(misuse(format!(
                    "{name}: the agent needs the whole path of a file, from / on"
                )));
            }
        }
        if self.binary.is_some() && self.binary == self.genesis_path {
            return Err(misuse("the program and the genesis are one file"));
        }
        if let Some(template) = &self.url_template {
            let mut filled = template.clone();
            for place in ["{version}", "{hash}", "{os}", "{arch}"] {
                filled = filled.replace(place, "x");
            }
            let url = Url::parse(&filled).ok();
            let is_good = url.is_some_and(|url| url.scheme() == "https" && url.has_host());
            if !is_good || filled.contains(['{', '}']) {
                return Err(misuse(format!(
                    "{template}: the agent takes an address that begins with https://, with any of {{version}}, {{hash}}, {{os}} \
                     and {{arch}}"
                )));
            }
        }
        let probe = self.probe_url.as_ref();
        if let Some(url) = probe.filter(|url| !matches!(url.scheme(), "http" | "https")) {
            return Err(misuse(format!(
                "{url}: the agent probes http:// and https://"
            )));
        }
        Ok(())
    }

    fn installed(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.installed_at.as_ref().unwrap_or(&self.to);
        Ok(std::path::absolute(folder)?.join(name))
    }

    fn config(&self, settings: &Settings, network: &Network) -> anyhow::Result<String> {
        let mut text = String::new();
        let relays: Vec<String> = settings
            .relays
            .iter()
            .map(|url| quoted(url.as_str()))
            .collect();
        let developers: Vec<String> = network
            .developers
            .iter()
            .map(|developer| quoted(&developer.to_string()))
            .collect();
        writeln!(
            text,
            "# The agent of one node. docs/extensions/qube-agent.md has every key."
        )?;
        writeln!(text, "data_dir = {}", path(&self.data_dir))?;
        writeln!(text, "key_file = {}", path(&self.installed("key")?))?;
        writeln!(text, "relays = [{}]", relays.join(", "))?;
        writeln!(text, "listen = \"{}\"\n", self.listen)?;
        writeln!(text, "[[networks]]")?;
        writeln!(text, "id = {}", quoted(network.id.as_str()))?;
        writeln!(text, "developers = [{}]", developers.join(", "))?;
        writeln!(text, "quorum = {}", network.quorum)?;
        writeln!(text, "node_id = {}", quoted(self.node_id.as_str()))?;
        if let Some(version) = &self.current_version {
            writeln!(text, "current_version = \"{version}\"")?;
        }
        if let (Some(template), Some(binary)) = (&self.url_template, &self.binary) {
            writeln!(text, "\n[networks.upgrade]")?;
            writeln!(text, "url_template = {}", quoted(template))?;
            writeln!(text, "binary = {}", path(binary))?;
            writeln!(text, "restart = [{}]", words(&self.restart)?)?;
            if let Some(url) = &self.probe_url {
                writeln!(text, "probe = {{ url = {} }}", quoted(url.as_str()))?;
            }
        }
        if let (Some(genesis), Some(command)) = (&self.genesis_path, &self.reboot) {
            writeln!(text, "\n[networks.reboot]")?;
            writeln!(text, "genesis_path = {}", path(genesis))?;
            writeln!(text, "command = [{}]", words(command)?)?;
            if let Some(url) = &self.probe_url {
                writeln!(text, "probe = {{ url = {} }}", quoted(url.as_str()))?;
            }
        }
        Ok(text)
    }

    /// The unit that is shipped, with this node's paths.
    fn unit(&self) -> anyhow::Result<String> {
        let [config, agent] = [
            self.installed("agent.toml")?,
            std::path::absolute(&self.agent)?,
        ];
        let folders: BTreeSet<&Path> = [&self.binary, &self.genesis_path]
            .into_iter()
            .filter_map(|file| file.as_ref()?.parent())
            .collect();
        for folder in &folders {
            if ["/root", "/home", "/run/user"]
                .iter()
                .any(|home| folder.starts_with(home))
            {
                return Err(misuse(format!(
                    "{}: the service sees no home folders (ProtectHome); the program and the genesis have to be elsewhere, \
                     for example in /opt/node or /var/lib/node",
                    folder.display()
                )));
            }
        }
        let mut writable: Vec<String> = folders
            .iter()
            .map(|it| format!("-{}", it.display()))
            .collect();
        if !self.data_dir.starts_with("/var/lib/qube-agent") {
            writable.push(format!("-{}", self.data_dir.display()));
        }
        let paths = [config.display().to_string(), agent.display().to_string()];
        if let Some(path) = paths
            .iter()
            .chain(&writable)
            .find(|path| path.contains([' ', '%', '"']))
        {
            return Err(misuse(format!(
                "{path}: paths with blanks, quotes or % do not go into a unit"
            )));
        }
        Ok(SHIPPED_UNIT
            .replace("/etc/qube-agent/agent.toml", &paths[0])
            .replace("/usr/local/bin/qube-agent", &paths[1])
            .replace(
                "ReadWritePaths=-/opt/node",
                &format!("ReadWritePaths={}", writable.join(" ")),
            ))
    }
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// A command's words, which blanks part where they are not within quotes; nothing else has a meaning.
fn words(command: &str) -> anyhow::Result<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut quote): (Option<String>, Option<char>) = (None, None);
    for letter in command.chars() {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (_, None) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(misuse(format!("{command:?}: a quote without its end")));
    }
    words.extend(word);
    match words.is_empty() {
        true => Err(misuse("an empty command")),
        false => Ok(words
            .iter()
            .map(|word| quoted(word))
            .collect::<Vec<_>>()
            .join(", ")),
    }
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t1_a_command_is_split_as_it_is_meant() {
        let split = |command| words(command).expect("words");
        assert_eq!(
            split(" systemctl  restart node "),
            r#""systemctl", "restart", "node""#
        );
        assert_eq!(split("sh -c 'a b' \"\""), r#""sh", "-c", "a b", """#);
        for wrong in ["", "  ", "sh -c 'a b"] {
            assert!(words(wrong).is_err(), "{wrong}");
        }
    }
}
