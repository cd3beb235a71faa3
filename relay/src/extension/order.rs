//! In which order extensions are built, and whether they get along.

use super::compiled::Compiled;
use super::error::ExtensionError;
use super::hook::{Call, Hook};
use super::http::Mount;
use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;

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

/// Whether every mount, method and subcommand has one owner, which is no extension for the methods that the relay itself
/// has, and every mount makes sense.
pub(super) fn check_claims<'h>(
    hooks: impl Iterator<Item = &'h Arc<Hook>>,
    reserved_methods: &[&str],
) -> Result<(), ExtensionError> {
    let mut owners: HashMap<String, &'static str> = HashMap::new();
    for hook in hooks {
        let extension = hook.owner.name;
        let what = match &hook.call {
            Call::Http(mount, _) => {
                if let Some(problem) = mount.problem() {
                    return Err(ExtensionError::Build { extension, problem });
                }
                match mount {
                    // Several may share the root: the first that has a route answers.
                    Mount::Root => continue,
                    _ => format!("the routes under {mount}"),
                }
            }
            Call::Rpc(method, _) if reserved_methods.contains(&method.as_str()) => {
                let method = method.clone();
                return Err(ExtensionError::Reserved { extension, method });
            }
            Call::Rpc(method, _) => format!("the management method {method}"),
            Call::Command(name, ..) => format!("the subcommand {name}"),
            _ => continue,
        };
        if let Some(first) = owners.insert(what.clone(), extension) {
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
