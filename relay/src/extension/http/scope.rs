//! What an extension mounts at one place.

use super::super::host::Host;
use super::api::{Api, Declared};
use super::limits;
use super::operation::Operation;
use super::surroundings::{Settings, Surroundings};
use super::{EVERYWHERE, Mount};
use actix_web::dev::ResourceDef;
use actix_web::http::Method;
use actix_web::web::ServiceConfig;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::OnceLock;

type Configure = dyn Fn(&mut ServiceConfig) + Send + Sync;

/// What an extension mounts at one place: a scope as plain actix-web has it, or routes that describe themselves.
pub(in super::super) struct Scope {
    pub(in super::super) mount: Mount,
    pub(super) settings: Settings,
    /// What it is, for its readers.
    pub(super) about: Option<String>,
    /// `None` where nothing describes the routes.
    pub(super) declared: Option<Vec<Declared>>,
    /// What the descriptions refer to, by name.
    pub(super) schemas: Map<String, Value>,
    configure: Box<Configure>,
    /// Of the routes that are described, in their order; made when they are first needed.
    patterns: OnceLock<Vec<ResourceDef>>,
}

impl Scope {
    pub(in super::super) fn plain(
        mount: Mount,
        configure: impl Fn(&mut ServiceConfig) + Send + Sync + 'static,
    ) -> Self {
        Scope {
            mount,
            settings: Settings::default(),
            about: None,
            declared: None,
            schemas: Map::new(),
            configure: Box::new(configure),
            patterns: OnceLock::new(),
        }
    }

    /// `configure` comes before the routes.
    pub(in super::super) fn described(
        mount: Mount,
        api: Api,
        configure: impl Fn(&mut ServiceConfig) + Send + Sync + 'static,
    ) -> Self {
        let mut parts = api.into_parts();
        let tokens = parts.tokens;
        if let Mount::Prefix(prefix) = &mount {
            parts.settings.prefix_bytes = prefix.len();
        }
        Scope {
            mount,
            settings: parts.settings,
            about: parts.about,
            declared: Some(parts.declared),
            schemas: parts.schemas,
            configure: Box::new(move |config| {
                configure(config);
                if let Some(tokens) = &tokens {
                    config.app_data(tokens.clone());
                }
            }),
            patterns: OnceLock::new(),
        }
    }

    /// Adds the routes to an actix scope, and before them what their extractors need.
    pub(super) fn add_to(&self, config: &mut ServiceConfig, host: &Host) {
        config.app_data(Surroundings {
            host: host.clone(),
            is_at_host_name: matches!(self.mount, Mount::Host(_)),
            settings: self.settings.clone(),
        });
        limits::set(config, self.settings.max_body_bytes);
        (self.configure)(config);
        if let Some(declared) = &self.declared {
            let is_prefix = matches!(self.mount, Mount::Prefix(_));
            super::api::add_routes(config, declared, is_prefix);
        }
    }

    /// The methods of routes that are described at a path.
    pub(super) fn methods_at(&self, path: &str) -> Vec<&Method> {
        let prefix = match &self.mount {
            Mount::Prefix(prefix) => Some(prefix.as_str()),
            Mount::Root | Mount::Host(_) => None,
        };
        let below = prefix.and_then(|prefix| path.strip_prefix(prefix));
        let below = below.unwrap_or(path);
        let patterns = self.patterns.get_or_init(|| {
            let made = self.operations().map(|operation| {
                ResourceDef::new(super::api::patterns_of(&operation.path, prefix.is_some()))
            });
            made.collect()
        });
        let routes = patterns.iter().zip(self.operations());
        let found = routes.filter(|(pattern, _)| pattern.is_match(below));
        found.map(|(_, operation)| &operation.method).collect()
    }

    /// Whether it may have a route for a request; of routes that nothing describes nobody knows.
    pub(super) fn may_route(&self, method: &Method, path: &str) -> bool {
        self.declared.is_none()
            || self
                .methods_at(path)
                .into_iter()
                .any(|has| has == method || (*has == Method::GET && *method == Method::HEAD))
    }

    /// The routes that are described.
    pub(super) fn operations(&self) -> impl Iterator<Item = &Operation> {
        let declared = self.declared.iter().flatten();
        declared.map(|declared| &declared.operation)
    }

    /// Method and whole path of each route that is described, the names of parameters left out: two of the same are the
    /// same route.
    pub(in super::super) fn claimed_routes(&self) -> Vec<(String, String)> {
        let at = match &self.mount {
            Mount::Host(_) => self.mount.to_string(),
            Mount::Prefix(_) | Mount::Root => String::new(),
        };
        let routes = self.operations().map(|operation| {
            let path = self.mount.path_of(&operation.nameless_path());
            let path = format!("{}{path}", at.trim_end_matches('/'));
            (operation.method.to_string(), path)
        });
        routes.collect()
    }

    /// What is wrong with the mount or a route, if anything.
    pub(in super::super) fn problem(&self) -> Option<String> {
        let problems = self.operations().filter_map(|operation| {
            let path = self.mount.path_of(&operation.path);
            let is_own = EVERYWHERE.contains(&path.as_str());
            let taken =
                || format!("cannot route {path}: at every Host name that is the relay's own");
            operation.problem().or_else(|| is_own.then(taken))
        });
        self.mount.problem().into_iter().chain(problems).next()
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({})", self.mount)
    }
}
