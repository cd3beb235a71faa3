//! The relay's own routes as the OpenAPI document has them, and what all routes share.

use serde_json::{Map, Value, json};

/// Under which the relay's own routes stand.
pub(super) const TAG: &str = "relay";

/// The relay's own routes; calls of the management API only where there is an operator.
pub(super) fn paths(is_managed: bool) -> Map<String, Value> {
    let mut paths = Map::new();
    let pages = [
        (
            "/",
            "getInformation",
            "The relay information document (NIP-11), or a page for people; WebSocket handshakes go here, too",
            json!({
                "application/nostr+json": { "schema": { "type": "object" } },
                "text/html": {},
            }),
        ),
        (
            "/livez",
            "getLiveness",
            "Whether the process answers",
            status(),
        ),
        (
            "/health",
            "getHealth",
            "How the store and the extensions are; 503 where one of them is down",
            status(),
        ),
        (
            "/ready",
            "getReadiness",
            "Whether the relay should get traffic; 503 where it should not",
            status(),
        ),
        (
            "/status",
            "getStatus",
            "What the relay takes at the moment, and what users are told about it",
            json!({ "application/json": { "schema": { "type": "object" } } }),
        ),
        (
            "/metrics",
            "getMetrics",
            "Metrics for Prometheus; with a key where the operator has set one, otherwise for the relay's own machine",
            json!({ "text/plain": {} }),
        ),
        (
            "/policy",
            "getPolicy",
            "The rules under which the relay is run; 404 where the operator publishes none",
            json!({
                "text/html": {},
                "text/markdown": {},
                "text/plain": {},
                "application/json": { "schema": { "type": "object" } },
            }),
        ),
        (
            "/.well-known/security.txt",
            "getSecurityContact",
            "To whom weaknesses are reported (RFC 9116); 404 where nobody is named",
            json!({ "text/plain": {} }),
        ),
        (
            "/openapi.json",
            "getDescription",
            "This document",
            json!({ "application/json": { "schema": { "type": "object" } } }),
        ),
        (
            "/openapi",
            "getDescriptionPage",
            "This document as a page for people",
            json!({ "text/html": {} }),
        ),
    ];
    for (path, id, summary, content) in pages {
        paths.insert(path.to_owned(), json!({ "get": get(id, summary, content) }));
    }
    paths.insert("/own/events".to_owned(), json!({ "get": own_events() }));
    paths["/metrics"]["get"]["security"] = json!([{}, { "bearer": [] }]);
    if is_managed {
        paths["/"]["post"] = management();
    }
    paths
}

fn get(id: &str, summary: &str, content: Value) -> Value {
    json!({
        "operationId": id,
        "tags": [TAG],
        "summary": summary,
        "responses": {
            "200": { "description": "OK", "content": content },
            "default": { "$ref": "#/components/responses/Error" },
        },
    })
}

fn status() -> Value {
    let schema = json!({
        "type": "object",
        "properties": { "status": { "type": "string" } },
        "required": ["status"],
    });
    json!({ "application/json": { "schema": schema } })
}

fn own_events() -> Value {
    let lines = json!({ "application/x-ndjson": {} });
    let summary =
        "All events that the signer of the request has published, one a line, oldest first";
    let mut operation = get("getOwnEvents", summary, lines);
    operation["security"] = json!([{ "nip98": [] }]);
    operation["parameters"] = json!([{
        "name": "since",
        "in": "query",
        "description": "Leaves out what is older; seconds since 1970. For going on where a stream broke off.",
        "schema": { "type": "integer", "minimum": 0 },
    }]);
    operation
}

/// NIP-86.
fn management() -> Value {
    json!({
        "operationId": "callManagement",
        "tags": [TAG],
        "summary": "The relay management API (NIP-86), for the relay's operator",
        "description": "The method `supportedmethods` lists those there are. A method that fails answers with status 200 \
                        and `error`.",
        "security": [{ "nip98": [] }],
        "requestBody": {
            "required": true,
            "content": { "application/nostr+json+rpc": { "schema": {
                "type": "object",
                "properties": {
                    "method": { "type": "string", "examples": ["supportedmethods"] },
                    "params": { "type": "array", "items": {} },
                },
                "required": ["method"],
            } } },
        },
        "responses": {
            "200": { "description": "OK", "content": { "application/nostr+json+rpc": { "schema": {
                "type": "object",
                "properties": { "result": {}, "error": { "type": "string" } },
            } } } },
            "default": { "$ref": "#/components/responses/Error" },
        },
    })
}

/// How every error looks.
pub(super) fn error_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "error": { "type": "string", "description": "What is wrong, in a sentence." },
            "code": { "type": "integer", "description": "The status once more." },
        },
        "required": ["error", "code"],
    })
}

pub(super) fn error_response() -> Value {
    json!({
        "description": "An error",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    })
}

pub(super) fn security_schemes() -> Value {
    json!({
        "nip98": {
            "type": "http",
            "scheme": "Nostr",
            "description": "NIP-98: `Authorization: Nostr` and a signed event of kind 27235 in base64, with the tags `u` \
                            (the absolute URL), `method`, and for a body `payload` (its sha256 in hex). Each event is good \
                            for one request.",
        },
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token that the operator has given to a service.",
        },
    })
}
