//! From a file and the environment to a checked [`Config`] that knows where each value came from.
//!
//! Invariant: a [`Loaded`] passed every check, and all problems that can be told apart are reported together. The
//! environment is handed in, never read here. Order of precedence: variables named `TRELLIS_...`, then the names other
//! software gives the relay (`PORT`, ...), then the file, then the defaults.

use super::environment::{self, Environment};
use super::merge::{Layers, Tree};
use super::source_file::SourceFile;
use super::{Config, ConfigError, Origin, Problem, alias, check, network, placeholder, validate};
use crate::clock::{Clock as _, SystemClock};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A configuration that passed every check, and where its values came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The effective configuration.
    pub config: Config,
    /// The file it was read from, if there was one.
    pub file: Option<PathBuf>,
    /// What an operator should hear about it, once.
    pub notes: Vec<String>,
    /// The file that `GOOGLE_APPLICATION_CREDENTIALS` names, for extensions that talk to Google.
    pub google_credentials: Option<PathBuf>,
    /// Whether the relay runs on Cloud Run (`K_SERVICE` is set), where disks do not last.
    pub on_cloud_run: bool,
    tree: Tree,
}

/// Reads a configuration from `file`, if there is one, and the environment.
pub fn load(file: Option<&Path>, environment: &Environment) -> Result<Loaded, ConfigError> {
    let Some(path) = file else {
        return assemble(None, environment);
    };
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    load_text(path, &text, environment)
}

/// The same from text that is already there; `path` is only what problems and origins name.
pub fn load_text(
    path: &Path,
    text: &str,
    environment: &Environment,
) -> Result<Loaded, ConfigError> {
    let source = SourceFile::parse(path, text).map_err(ConfigError::invalid)?;
    assemble(Some(source), environment)
}

impl Loaded {
    /// The built-in defaults, untouched by any file or variable.
    pub fn defaults() -> Self {
        Self {
            config: Config::default(),
            file: None,
            notes: Vec::new(),
            google_credentials: None,
            on_cloud_run: false,
            tree: Tree::default(),
        }
    }

    /// Where the value of a key came from, such as `limitation.max_filters`.
    pub fn origin(&self, key: &str) -> &Origin {
        self.tree.origin(key)
    }

    /// Every key with a value to compare, lists as one; secrets are in the clear.
    pub(crate) fn leaves(&self) -> BTreeMap<String, serde_json::Value> {
        let mut leaves = BTreeMap::new();
        if let Ok(config) = serde_json::to_value(&self.config) {
            collect_leaves("", &config, &mut leaves);
        }
        // The one secret of the core is masked wherever it is serialized.
        if let Some(auth) = &self.config.metrics.auth {
            leaves.insert("metrics.auth".to_owned(), auth.reveal().into());
        }
        leaves
    }
}

fn collect_leaves(
    key: &str,
    value: &serde_json::Value,
    leaves: &mut BTreeMap<String, serde_json::Value>,
) {
    match value.as_object() {
        Some(map) if !map.is_empty() => {
            for (name, inner) in map {
                let path = if key.is_empty() {
                    name.clone()
                } else {
                    format!("{key}.{name}")
                };
                collect_leaves(&path, inner, leaves);
            }
        }
        _ => {
            leaves.insert(key.to_owned(), value.clone());
        }
    }
}

fn assemble(source: Option<SourceFile>, environment: &Environment) -> Result<Loaded, ConfigError> {
    let file = source.as_ref().map(|source| source.path.clone());
    let (overrides, mut problems) =
        environment::overrides(environment, source.as_ref().map(|source| &source.table));
    let mut tree = Layers {
        file: source,
        overrides,
    }
    .merge();
    problems.extend(alias::move_server_keys(&mut tree));

    let placeholders = placeholder::find(&tree);
    let leaves = check::leaves(&tree, &placeholders);
    let readable = leaves.all_readable && placeholders.is_empty();
    problems.extend(leaves.problems);
    problems.extend(placeholders);

    let config = if readable {
        typed(&tree, &mut problems)
    } else {
        None
    };
    let Some(mut config) = config else {
        return Err(ConfigError::invalid(problems));
    };
    let mut notes = Vec::new();
    choose_host(&mut config, &mut tree, environment);
    choose_lifetime(&mut config, &mut tree, environment);
    problems.extend(validate::problems(&config, &tree));
    if !problems.is_empty() {
        return Err(ConfigError::invalid(problems));
    }
    notes.extend(validate::notes(&config, SystemClock.now_s()));
    if file.is_none() {
        let Config { network, data, .. } = &config;
        notes.push(format!(
            "no configuration file: listening on {}:{}, data in {}",
            network.host,
            network.port,
            data.path.display()
        ));
    }
    alias::spread_flat_whitelist(&mut config, &mut tree);
    Ok(Loaded {
        config,
        file,
        notes,
        google_credentials: environment::text(environment, "GOOGLE_APPLICATION_CREDENTIALS")
            .map(PathBuf::from),
        on_cloud_run: environment::text(environment, "K_SERVICE").is_some(),
        tree,
    })
}

/// Gives the tree its types. Keys that nobody knows are left out: they are reported already, and the rest may hold
/// further problems worth telling.
fn typed(tree: &Tree, problems: &mut Vec<Problem>) -> Option<Config> {
    match Config::deserialize(toml::Value::Table(check::without_unknown_keys(&tree.table))) {
        Ok(config) => Some(config),
        Err(error) => {
            // Each value was readable alone, so this is a clash that only the whole shows.
            problems.push(Problem::new(
                &Origin::Default,
                "",
                error.message().to_owned(),
            ));
            None
        }
    }
}

/// A platform that hands out the port reaches the relay from outside, so the loopback default would be of no use there.
fn choose_host(config: &mut Config, tree: &mut Tree, environment: &Environment) {
    if *tree.origin("network.host") != Origin::Default {
        return;
    }
    if let Some(name) = ["PORT", "K_SERVICE"]
        .into_iter()
        .find(|name| environment::text(environment, name).is_some())
    {
        config.network.host = network::ANY_HOST.to_owned();
        tree.set_origin(
            "network.host",
            Origin::Environment {
                name: name.to_owned(),
            },
        );
    }
}

/// Cloud Run would cut every connection off, and all those that began together at the same moment.
fn choose_lifetime(config: &mut Config, tree: &mut Tree, environment: &Environment) {
    const KEY: &str = "network.connection_lifetime";
    const VARIABLE: &str = "K_SERVICE";
    if *tree.origin(KEY) == Origin::Default && environment::text(environment, VARIABLE).is_some() {
        config.network.connection_lifetime = network::CLOUD_RUN_LIFETIME;
        let name = VARIABLE.to_owned();
        tree.set_origin(KEY, Origin::Environment { name });
    }
}
