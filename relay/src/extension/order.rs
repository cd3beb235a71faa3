//! In which order extensions are built, and whether they get along.

use super::compiled::Compiled;
use super::error::ExtensionError;
use super::extension_host::HostOptions;
use super::hook::{Call, Hook};
use super::http::{Mount, Scope};
use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;
use url::Url;

/// Puts extensions after those whose services they need; otherwise they keep their order.
pub(super) fn by_services(on: Vec<Compiled>) -> Result<Vec<Compiled>, ExtensionError> {
    let needs = on.into_iter().map(|it| Ok((it, it.needs()?)));
    let mut left: Vec<_> = needs.collect::<Result<_, ExtensionError>>()?;
    let mut provided: Vec<TypeId> = Vec::new();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let is_ready = |(service, _): &(TypeId, &str)| provided.contains(service);
        let ready = left
            .iter()
            .position(|(_, needs)| needs.requires.iter().all(is_ready));
        let Some(ready) = ready else {
            let missing = left.iter().find_map(|(extension, needs)| {
                let missing = needs.requires.iter().find(|need| !is_ready(need))?;
                Some((extension.name(), missing.1))
            });
            let (extension, service) = missing.unwrap_or_default();
            return Err(ExtensionError::Needs { extension, service });
        };
        let (extension, needs) = left.remove(ready);
        provided.extend(needs.provides);
        ordered.push(extension);
    }
    Ok(ordered)
}

/// Whether every mount, route, method and subcommand has one owner, which is no extension for what the relay itself has,
/// and every mount makes sense.
pub(super) fn check_claims<'h>(
    hooks: impl Iterator<Item = &'h Arc<Hook>>,
    options: &HostOptions,
    relay_url: Option<&str>,
) -> Result<(), ExtensionError> {
    let relay_url = relay_url.and_then(|url| Url::parse(url).ok());
    let own_name = relay_url.as_ref().and_then(Url::host_str);
    let mut owners: HashMap<String, &'static str> = HashMap::new();
    for hook in hooks {
        let extension = hook.owner.name;
        let claims = match &hook.call {
            Call::Http(scope) if own_name.is_some_and(|own| scope.mount == Mount::host(own)) => {
                let problem = format!(
                    "its routes at {} would hide the relay's own pages, since network.relay_url has this name; its \
                     author must mount them under a prefix or at the root",
                    scope.mount
                );
                return Err(ExtensionError::Build { extension, problem });
            }
            Call::Http(scope) => claims_of(scope, extension, &options.reserved_paths)?,
            Call::Rpc(method, _) if options.reserved_methods.contains(&method.as_str()) => {
                let method = method.clone();
                return Err(ExtensionError::Reserved { extension, method });
            }
            Call::Rpc(method, _) => vec![format!("the management method {method}")],
            Call::Command(name, ..) => vec![format!("the subcommand {name}")],
            _ => continue,
        };
        for what in claims {
            let Some(first) = owners.insert(what.clone(), extension) else {
                continue;
            };
            if first == extension {
                let problem = format!("it asks twice for {what}");
                return Err(ExtensionError::Build { extension, problem });
            }
            let second = extension;
            return Err(ExtensionError::Taken {
                what,
                first,
                second,
            });
        }
    }
    Ok(())
}

/// What a scope wants for itself: its mount, and each route that it describes.
fn claims_of(
    scope: &Scope,
    extension: &'static str,
    reserved_paths: &[&str],
) -> Result<Vec<String>, ExtensionError> {
    if let Some(problem) = scope.problem() {
        return Err(ExtensionError::Build { extension, problem });
    }
    let routes = scope.claimed_routes();
    // At `/` the relay answers who only looks.
    let is_free = |method: &str, path: &str| path == "/" && !["GET", "HEAD"].contains(&method);
    let paths = routes
        .iter()
        .filter(|(method, path)| !is_free(method, path));
    let paths = paths.map(|(_, path)| path.as_str());
    let mounted = match &scope.mount {
        Mount::Prefix(prefix) => Some(prefix.as_str()),
        Mount::Root | Mount::Host(_) => None,
    };
    if let Some(path) = mounted
        .into_iter()
        .chain(paths)
        .find(|path| reserved_paths.contains(path))
    {
        let path = path.to_owned();
        return Err(ExtensionError::OwnPath { extension, path });
    }
    // Several may share the root: the first that has a route answers.
    let mount = match &scope.mount {
        Mount::Root => None,
        mount => Some(format!("the routes under {mount}")),
    };
    let routes = routes
        .iter()
        .map(|(method, path)| format!("{method} {path}"));
    Ok(mount.into_iter().chain(routes).collect())
}
