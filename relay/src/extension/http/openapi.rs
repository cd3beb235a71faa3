//! What extensions mount, as parts of an OpenAPI 3.1 document.
//!
//! Not here: the relay's own routes and the frame of the document, which are `http/openapi`'s.

use super::super::hooks::Hooks;
use super::operation::Operation;
use super::routes::mounting;
use super::scope::Scope;
use super::{EVERYWHERE, Mount};
use serde_json::{Map, Value, json};

/// What is in force at one Host name.
#[derive(Debug, Default)]
pub(crate) struct Mounts {
    /// Whether an extension has the whole Host name, so that the relay's own pages are not there.
    pub(crate) is_host_taken: bool,
    /// One for each extension with routes, by its name.
    pub(crate) tags: Vec<Value>,
    /// `paths` of the document.
    pub(crate) paths: Map<String, Value>,
    /// `components.schemas` of the document.
    pub(crate) schemas: Map<String, Value>,
}

/// Describes what is mounted for a request with this `Host`. Mounts for other names are left out.
pub(crate) fn describe(hooks: &Hooks, host: &str) -> Mounts {
    let mut mounts = Mounts::default();
    let mut about: Vec<(&'static str, Vec<String>)> = Vec::new();
    for (hook, scope) in mounting(hooks) {
        if !scope.mount.is_at(host) {
            continue;
        }
        mounts.is_host_taken |= matches!(scope.mount, Mount::Host(_));
        let extension = hook.owner.name;
        let said = about_scope(scope);
        match about.iter_mut().find(|(name, _)| *name == extension) {
            Some((_, all)) => all.extend(said),
            None => about.push((extension, said.into_iter().collect())),
        }
        let names = mounts.add_schemas(extension, &scope.schemas);
        for operation in scope.operations() {
            let mut described = describe_operation(extension, scope, operation);
            let below = operation.template().0;
            let method = operation.method.as_str().to_lowercase();
            let path = match server_of(scope, &below) {
                Some((server, path)) if !mounts.has(&path, &method) => {
                    described["servers"] = json!([{ "url": server }]);
                    path
                }
                _ => scope.mount.path_of(&below),
            };
            if !EVERYWHERE.contains(&path.as_str()) {
                mounts.add(path, &method, described, &names);
            }
        }
    }
    let tags = about.into_iter();
    mounts.tags = tags
        .map(|(name, said)| json!({ "name": name, "description": said.join("\n\n") }))
        .collect();
    mounts
}

/// Where clients find a route of a scope that they know under another address, and its path there. The mount's own path is
/// kept where it ends that address; the root of another is left at the mount, since `/` is the relay's.
fn server_of(scope: &Scope, below: &str) -> Option<(String, String)> {
    let known_as = scope.settings.known_as.as_deref()?.trim_end_matches('/');
    let path = scope.mount.path_of(below);
    match &scope.mount {
        Mount::Prefix(prefix) => match known_as.strip_suffix(prefix.as_str()) {
            Some(server) => Some((server.to_owned(), path)),
            None => (below != "/").then(|| (known_as.to_owned(), below.to_owned())),
        },
        Mount::Root | Mount::Host(_) => Some((known_as.to_owned(), path)),
    }
}

impl Mounts {
    fn has(&self, path: &str, method: &str) -> bool {
        let at_path = self.paths.get(path);
        at_path.is_some_and(|at_path| at_path.get(method).is_some())
    }

    /// Adds a route, unless one that is asked before has the same place.
    fn add(&mut self, path: String, method: &str, mut described: Value, names: &Names) {
        point_elsewhere(&mut described, names);
        let at_path = self.paths.entry(path).or_insert_with(|| json!({}));
        if let Some(at_path) = at_path.as_object_mut() {
            at_path.entry(method.to_owned()).or_insert(described);
        }
    }

    /// Adds the schemas of a scope, each under a name of the extension's own, since two may call theirs the same.
    fn add_schemas(&mut self, extension: &str, schemas: &Map<String, Value>) -> Names {
        let mut names = Names::new();
        for name in schemas.keys() {
            let clean = name.replace(|char: char| !char.is_ascii_alphanumeric(), "_");
            let mut own = format!("{extension}.{clean}");
            while self.schemas.contains_key(&own) || names.iter().any(|(_, taken)| *taken == own) {
                own.push('_');
            }
            names.push((name.clone(), own));
        }
        for (name, own) in &names {
            let mut schema = schemas[name].clone();
            point_elsewhere(&mut schema, &names);
            self.schemas.insert(own.clone(), schema);
        }
        names
    }
}

/// What a scope calls its schemas, and what they are called in the document.
type Names = Vec<(String, String)>;

const SCHEMAS: &str = "#/components/schemas/";

/// Renames what is referred to.
fn point_elsewhere(value: &mut Value, names: &Names) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("$ref")
                && let Some(name) = reference.strip_prefix(SCHEMAS)
                && let Some((_, own)) = names.iter().find(|(known, _)| known == name)
            {
                *reference = format!("{SCHEMAS}{own}");
            }
            object
                .values_mut()
                .for_each(|value| point_elsewhere(value, names));
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|value| point_elsewhere(value, names)),
        _ => {}
    }
}

/// What there is to say of a scope itself.
fn about_scope(scope: &Scope) -> Option<String> {
    match &scope.declared {
        Some(_) => scope.about.clone(),
        None => Some(format!("Under `{}`, without a description.", scope.mount)),
    }
}

fn describe_operation(extension: &str, scope: &Scope, operation: &Operation) -> Value {
    let (path, names) = operation.template();
    let path = scope.mount.path_of(&path);
    let mut parameters: Vec<Value> = Vec::new();
    for (place, (name, pattern)) in names.iter().enumerate() {
        let by_name = |taken: &&(Option<String>, Value)| taken.0.as_deref() == Some(*name);
        let taken = operation.in_path.iter().find(by_name).or_else(|| {
            let in_order = operation.in_path.get(place);
            in_order.filter(|(name, _)| name.is_none())
        });
        let mut schema = match taken {
            Some((_, schema)) => schema.clone(),
            None => json!({ "type": "string" }),
        };
        if let (Some(pattern), Some(schema)) = (pattern, schema.as_object_mut()) {
            schema.insert("pattern".to_owned(), format!("^{pattern}$").into());
        }
        let mut parameter = json!({ "name": name, "in": "path", "required": true });
        if let Some(about) = schema.get("description").cloned() {
            parameter["description"] = about;
        }
        parameter["schema"] = schema;
        parameters.push(parameter);
    }
    parameters.extend(operation.parameters.iter().cloned());

    let mut responses = Map::new();
    for (code, answer) in &operation.answers {
        responses.insert(code.to_string(), answer.clone());
    }
    let error = json!({ "$ref": "#/components/responses/Error" });
    responses.insert("default".to_owned(), error);

    let mut described = json!({
        "operationId": operation_id(extension, operation.method.as_str(), &path),
        "tags": [extension],
        "responses": responses,
    });
    if let Some(summary) = &operation.summary {
        described["summary"] = summary.as_str().into();
    }
    if let Some(description) = &operation.description {
        described["description"] = description.as_str().into();
    }
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(body) = &operation.body {
        described["requestBody"] = body.clone();
    }
    let ways = operation.security.iter();
    let ways = ways.map(|way| {
        way.iter()
            .map(|name| ((*name).to_owned(), json!([])))
            .collect()
    });
    let ways: Vec<Value> = ways.collect();
    if !ways.is_empty() {
        described["security"] = ways.into();
    }
    described
}

/// `probe_get_things_by_id`: what generators of clients call a function.
fn operation_id(extension: &str, method: &str, path: &str) -> String {
    let path = path.replace('{', "by_");
    let words = path.split(|char: char| !char.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty()).collect::<Vec<_>>();
    let method = method.to_lowercase();
    let mut id = format!("{extension}_{method}");
    for word in words {
        id.push('_');
        id.push_str(word);
    }
    id
}
