//! One route as `/openapi.json` describes it.
//!
//! OpenAPI 3.1 takes JSON Schema as it is, so what schemars says of a type is all there is to know.

use super::super::panics;
use super::path::{Part, braces_match, parts};
use actix_web::dev::ResourceDef;
use actix_web::http::{Method, StatusCode};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Under which name a way to authenticate stands in the document.
pub(super) const NIP98: &str = "nip98";
pub(super) const BEARER: &str = "bearer";

/// One route: what it takes and answers.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) method: Method,
    /// As actix writes it, `/{name:pattern}` and all, without the mount.
    pub(super) path: String,
    pub(super) summary: Option<String>,
    pub(super) description: Option<String>,
    /// Of parameters in the path, in order, as the handler takes them.
    pub(super) in_path: Vec<(Option<String>, Value)>,
    /// Parameters in the query and in headers, as the document has them.
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Value>,
    pub(super) answers: BTreeMap<u16, Value>,
    /// Ways to authenticate, any of which will do; `None` is none at all.
    pub(super) security: Vec<Option<&'static str>>,
}

impl Operation {
    pub(super) fn new(method: Method, path: &str) -> Self {
        Operation {
            method,
            path: path.to_owned(),
            summary: None,
            description: None,
            in_path: Vec::new(),
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            security: Vec::new(),
        }
    }

    /// What is wrong with its path, if anything.
    pub(super) fn problem(&self) -> Option<String> {
        let is_good = self.path.starts_with('/') && braces_match(&self.path);
        if !is_good {
            return Some(format!(
                "cannot route {:?}: a path begins with a slash, and its parameters are {{named}}",
                self.path
            ));
        }
        // actix panics where an expression is none.
        let compiled = panics::contain(|| drop(ResourceDef::new(self.path.as_str())));
        let wrong = || format!("cannot route {:?}: a pattern is none", self.path);
        compiled.is_err().then(wrong)
    }

    /// The path with `{}` for each parameter.
    pub(super) fn nameless_path(&self) -> String {
        let parts = parts(&self.path).into_iter();
        let parts = parts.map(|part| match part {
            Part::Text(text) => text,
            Part::Parameter { .. } => "{}",
        });
        parts.collect()
    }

    /// The path as OpenAPI writes it, and the names and patterns of its parameters.
    pub(super) fn template(&self) -> (String, Vec<(&str, Option<&str>)>) {
        let mut path = String::new();
        let mut parameters = Vec::new();
        for part in parts(&self.path) {
            match part {
                Part::Text(text) => path.push_str(text),
                Part::Parameter { name, pattern } => {
                    path.push_str(&format!("{{{name}}}"));
                    parameters.push((name, pattern));
                }
            }
        }
        (path, parameters)
    }
}

/// What a route takes, while it is put together.
#[derive(Debug)]
pub struct Inputs<'o> {
    pub(super) operation: &'o mut Operation,
    pub(super) schemas: &'o mut SchemaGenerator,
}

impl Inputs<'_> {
    /// The query: each field of `T` is a parameter.
    pub fn query<T: JsonSchema>(&mut self) {
        let schema = Value::from(T::json_schema(self.schemas));
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            let mut parameter = json!({ "name": name, "in": "query", "schema": schema });
            if required.iter().any(|required| required == name) {
                parameter["required"] = true.into();
            }
            self.parameter(parameter, schema["description"].as_str());
        }
    }

    /// One optional parameter of the query, with its JSON Schema.
    pub fn query_parameter(&mut self, name: &str, about: &str, schema: Value) {
        let parameter = json!({ "name": name, "in": "query", "schema": schema });
        self.parameter(parameter, Some(about));
    }

    /// A header that the route reads.
    pub fn header(&mut self, name: &str, about: &str) {
        let parameter = json!({ "name": name, "in": "header", "schema": { "type": "string" } });
        self.parameter(parameter, Some(about));
    }

    fn parameter(&mut self, mut parameter: Value, about: Option<&str>) {
        if let Some(about) = about {
            parameter["description"] = about.into();
        }
        let is_same =
            |known: &Value| known["name"] == parameter["name"] && known["in"] == parameter["in"];
        self.operation.parameters.retain(|known| !is_same(known));
        self.operation.parameters.push(parameter);
    }

    /// The parameters of the path: one value, a tuple in order, or a struct by name.
    pub fn path<T: JsonSchema>(&mut self) {
        let schema = Value::from(T::json_schema(self.schemas));
        let by_name = schema["properties"].as_object();
        let in_order = schema["prefixItems"].as_array();
        self.operation.in_path = match (by_name, in_order) {
            (Some(fields), _) => fields
                .iter()
                .map(|(name, schema)| (Some(name.clone()), schema.clone()))
                .collect(),
            (None, Some(items)) => items.iter().map(|item| (None, item.clone())).collect(),
            (None, None) => vec![(None, schema)],
        };
    }

    /// A body of JSON.
    pub fn body<T: JsonSchema>(&mut self) {
        let schema = self.schemas.subschema_for::<T>();
        self.body_as("application/json", schema.into());
    }

    /// A body of another kind: `application/octet-stream`, `text/plain`, ...
    pub fn body_of(&mut self, media_type: &str) {
        self.body_as(media_type, json!({}));
    }

    fn body_as(&mut self, media_type: &str, schema: Value) {
        let mut media_types = Map::new();
        media_types.insert(media_type.to_owned(), json!({ "schema": schema }));
        self.operation.body = Some(json!({ "required": true, "content": media_types }));
    }

    /// The request must be signed with a Nostr key (NIP-98).
    pub fn nip98(&mut self) {
        self.operation.security.push(Some(NIP98));
    }

    /// The request must bear a token of a service.
    pub fn service_token(&mut self) {
        self.operation.security.push(Some(BEARER));
    }

    /// What `describe` says of it may be missing.
    pub(super) fn optional(&mut self, describe: impl FnOnce(&mut Inputs<'_>)) {
        let (had_body, ways) = (self.operation.body.is_some(), self.operation.security.len());
        describe(self);
        if self.operation.security.len() > ways {
            self.operation.security.push(None);
        }
        if let (false, Some(body)) = (had_body, &mut self.operation.body) {
            body["required"] = false.into();
        }
    }

    pub(super) fn answer(&mut self, code: u16, content: Option<Value>, about: Option<&str>) {
        let status = StatusCode::from_u16(code).ok();
        let reason = status.and_then(|status| status.canonical_reason());
        let mut answer = json!({ "description": about.or(reason).unwrap_or("An answer") });
        if let Some(content) = content {
            answer["content"] = content;
        }
        self.operation.answers.insert(code, answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(path: &str) -> Operation {
        Operation::new(Method::GET, path)
    }

    #[test]
    fn e11_paths_are_written_as_openapi_has_them() {
        let path = operation("/{id:[0-9a-f]{64}}/of/{name}.txt");
        let (template, parameters) = path.template();
        assert_eq!(template, "/{id}/of/{name}.txt");
        assert_eq!(parameters, [("id", Some("[0-9a-f]{64}")), ("name", None)]);
        assert_eq!(path.nameless_path(), "/{}/of/{}.txt");
    }

    #[test]
    fn e11_a_path_that_is_none_is_refused() {
        for good in ["/", "/a", "/{id}", "/{id:[0-9]{3}}", "/{tail:.*}"] {
            assert_eq!(operation(good).problem(), None);
        }
        for bad in ["", "a", "/{id", "/id}", "/{}", "/}{", "/{id:(}"] {
            assert!(operation(bad).problem().is_some(), "{bad}");
        }
    }
}
