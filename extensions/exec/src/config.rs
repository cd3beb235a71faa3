//! `[extensions.exec]`: which programs there are, and what each is asked.
//!
//! Invariant: what was read is right: whatever is out of bounds is refused while the file is read, with the key.

use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use trellis_relay::extension::Kinds;

/// `[extensions.exec]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Written")]
pub struct Config {
    pub(crate) programs: Vec<ProgramConfig>,
    pub(crate) max_viewers: usize,
}

/// The table as it stands in the file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The programs, asked in this order.
    #[serde(default)]
    programs: Vec<ProgramConfig>,
    /// So many connections may have an answer to "viewer" in memory, for each program; who comes on top is refused.
    #[serde(default = "ten_thousand")]
    #[schemars(range(min = 1, max = 1_000_000))]
    max_viewers: usize,
}

/// `[[extensions.exec.programs]]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProgramConfig {
    /// How logs and `/health` call it: letters, digits, `-` and `_`.
    pub(crate) name: String,
    /// Without spaces the path of a program, which is started anew when the file changes; with spaces a command for
    /// `/bin/sh -c`.
    pub(crate) command: String,
    /// What it is asked: "event", "request", "viewer".
    #[serde(default = "events_only")]
    pub(crate) asks: Vec<Ask>,
    /// The kinds it is asked about.
    #[serde(default = "Kinds::all")]
    pub(crate) kinds: Kinds,
    /// Processes. What one remembers, another does not know.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 256))]
    pub(crate) workers: usize,
    /// Questions under way to one process. With more than one it may answer in any order.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) in_flight: usize,
    /// How long a process may take for an answer before it is killed, in milliseconds.
    #[serde(default = "five_seconds_ms")]
    #[schemars(range(min = 1, max = 600_000))]
    pub(crate) answer_timeout_ms: u64,
    /// How long a question waits for a process to be free, in milliseconds; then the client is told to try later.
    #[serde(default = "ten_seconds_ms")]
    #[schemars(range(min = 1, max = 600_000))]
    pub(crate) max_wait_ms: u64,
    /// The longest line that it may answer with.
    #[serde(default = "reply_bytes")]
    #[schemars(range(min = 128, max = 16_777_216))]
    pub(crate) max_reply_bytes: usize,
    /// Where it runs; the relay's working directory unless it is set. A relative `command` is looked up there.
    pub(crate) cwd: Option<PathBuf>,
    /// Variables on top of the relay's environment, of which it sees what does not configure the relay.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
}

/// What a program may be asked.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ask {
    /// May this event come in?
    Event,
    /// May this client ask for this?
    Request,
    /// What may this client see?
    Viewer,
}

impl ProgramConfig {
    pub(crate) fn asks(&self, ask: Ask) -> bool {
        self.asks.contains(&ask)
    }

    pub(crate) fn answer_timeout(&self) -> Duration {
        Duration::from_millis(self.answer_timeout_ms)
    }

    pub(crate) fn max_wait(&self) -> Duration {
        Duration::from_millis(self.max_wait_ms)
    }

    /// Longer than any question takes by its own bounds, a second try included.
    pub(crate) fn patience(&self) -> Duration {
        (self.max_wait() + self.answer_timeout()) * 2
    }

    fn check(&self) -> Result<(), String> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(is_word) {
            let (name, wanted) = (&self.name, "1 to 64 letters, digits, `-` or `_`");
            return Err(format!("programs.name: found {name:?}, wanted {wanted}"));
        }
        let name = &self.name;
        if self.command.trim().is_empty() || self.command.contains('\0') {
            return Err(format!(
                "programs.{name}.command: found nothing, wanted a path or a shell command"
            ));
        }
        let bounds = [
            ("workers", self.workers as u64, 1, 256),
            ("in_flight", self.in_flight as u64, 1, 10_000),
            ("answer_timeout_ms", self.answer_timeout_ms, 1, 600_000),
            ("max_wait_ms", self.max_wait_ms, 1, 600_000),
            (
                "max_reply_bytes",
                self.max_reply_bytes as u64,
                128,
                16 << 20,
            ),
        ];
        for (key, found, min, max) in bounds {
            if !(min..=max).contains(&found) {
                return Err(format!(
                    "programs.{name}.{key}: found {found}, wanted {min} to {max}"
                ));
            }
        }
        if self.asks.is_empty() {
            return Err(format!(
                "programs.{name}.asks: found nothing, wanted \"event\", \"request\" or \"viewer\""
            ));
        }
        if self.asks(Ask::Viewer) && self.kinds == Kinds::all() {
            return Err(format!(
                "programs.{name}.kinds: a program that is asked what viewers may see needs the kinds that it guards"
            ));
        }
        if let Some(bad) = (self.env.iter()).find(|(key, value)| {
            key.is_empty() || key.contains(['=', '\0']) || value.contains('\0')
        }) {
            return Err(format!(
                "programs.{name}.env: found {:?}, wanted names of variables",
                bad.0
            ));
        }
        Ok(())
    }
}

impl TryFrom<Written> for Config {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written {
            programs,
            max_viewers,
        } = written;
        for (at, program) in programs.iter().enumerate() {
            program.check()?;
            if programs[..at]
                .iter()
                .any(|other| other.name == program.name)
            {
                let name = &program.name;
                return Err(format!("programs.name: two programs are called {name:?}"));
            }
        }
        if !(1..=1_000_000).contains(&max_viewers) {
            return Err(format!(
                "max_viewers: found {max_viewers}, wanted 1 to 1000000"
            ));
        }
        Ok(Config {
            programs,
            max_viewers,
        })
    }
}

fn one() -> usize {
    1
}

fn ten_thousand() -> usize {
    10_000
}

fn five_seconds_ms() -> u64 {
    5_000
}

fn ten_seconds_ms() -> u64 {
    10_000
}

fn reply_bytes() -> usize {
    64 << 10
}

fn events_only() -> Vec<Ask> {
    vec![Ask::Event]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(toml: &str) -> Result<Config, String> {
        toml::from_str(toml).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn e12_a_name_and_a_command_are_enough() {
        let config = read("[[programs]]\nname = 'a'\ncommand = './a.py'").unwrap();
        let program = &config.programs[0];
        assert!(program.asks(Ask::Event) && !program.asks(Ask::Viewer));
        assert_eq!(program.kinds, Kinds::all());
        assert_eq!((program.workers, program.in_flight), (1, 1));
        assert!(read("").unwrap().programs.is_empty());
    }

    #[test]
    fn e12_what_is_out_of_bounds_is_refused_with_its_key() {
        for (more, words) in [
            (
                "workers = 0",
                "programs.a.workers: found 0, wanted 1 to 256",
            ),
            ("in_flight = 100000", "programs.a.in_flight"),
            ("answer_timeout_ms = 0", "programs.a.answer_timeout_ms"),
            ("max_wait_ms = 0", "programs.a.max_wait_ms"),
            ("max_reply_bytes = 1", "programs.a.max_reply_bytes"),
            ("asks = []", "programs.a.asks"),
            ("asks = ['viewer']", "programs.a.kinds"),
            ("asks = ['events']", "unknown variant `events`"),
            ("env = { 'A=B' = 'c' }", "programs.a.env"),
            ("worker = 2", "unknown field `worker`"),
            ("[[programs]]\nname = 'a'\ncommand = 'b'", "two programs"),
            ("[[programs]]\nname = 'a b'\ncommand = 'b'", "programs.name"),
            (
                "[[programs]]\nname = 'b'\ncommand = ' '",
                "programs.b.command",
            ),
        ] {
            let error = read(&format!("[[programs]]\nname = 'a'\ncommand = 'a'\n{more}"));
            let error = error.unwrap_err();
            assert!(error.contains(words), "{more}: {error}");
        }
        assert!(read("max_viewers = 0").unwrap_err().contains("max_viewers"));
    }

    #[test]
    fn e12_the_shipped_file_shows_every_key_with_its_default() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/trellis.toml");
        let file = std::fs::read_to_string(file).unwrap();
        let (_, example) = file.split_once("#[extensions.exec]").unwrap();
        // Up to the next extension's table.
        let ours = |line: &&str| !line.starts_with("#[extensions.");
        let settings = example.lines().take_while(ours);
        let settings = settings.filter_map(|line| line.strip_prefix('#'));
        let settings = settings.filter(|line| !line.starts_with(' '));
        let text = settings.collect::<Vec<_>>().join("\n");
        let mut table: toml::Table = text.replace("extensions.exec.", "").parse().unwrap();
        for key in ["enabled", "on_fault", "max_concurrent"] {
            table.remove(key).unwrap();
        }
        let shown = format!(
            "{:?}",
            table.clone().try_into::<Config>().unwrap().programs[0]
        );
        let program = &mut table["programs"][0].as_table_mut().unwrap();
        let schema = schemars::schema_for!(ProgramConfig);
        for key in schema
            .get("properties")
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
        {
            assert!(program.contains_key(key), "{key} is not shown");
        }
        // What has a default is shown with it.
        program.retain(|key, _| ["name", "command", "cwd", "env"].contains(&key));
        let defaults = table.clone().try_into::<Config>().unwrap();
        assert_eq!(format!("{:?}", defaults.programs[0]), shown);
        assert_eq!(
            table["max_viewers"].as_integer(),
            Some(ten_thousand() as i64)
        );
    }
}
