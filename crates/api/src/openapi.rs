//! The `OpenAPI` document, made from the table of routes.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::routes::{Answer, Method, Parameter, ParameterKind, ROUTES, Route};
use crate::{API_VERSION, ATTACH_PROTOCOL, ErrorBody, REQUEST_ID_HEADER, VERSION_HEADER};

/// The document that describes the API: `OpenAPI` 3.1.
pub fn openapi() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        item[method(route.method)] = operation(route, &mut generator);
    }
    let error = generator.subschema_for::<ErrorBody>();
    let headers = json!({
        REQUEST_ID_HEADER: {"description": "The id of the request.", "schema": {"type": "string"}},
        VERSION_HEADER: {"description": "The version of the API.", "schema": {"const": API_VERSION}},
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ganger",
            "version": API_VERSION,
            "description": "The control API of a running app, on a Unix socket in its runtime directory.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "http://localhost", "description": "Over the Unix socket; the host does not count."}],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": {"Error": {
                "description": "It failed; `error.code` says how.",
                "headers": headers,
                "content": {"application/json": {"schema": error}},
            }},
        },
    })
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Get => "get",
        Method::Post => "post",
    }
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "responses": responses(route, generator),
    });
    if !route.parameters.is_empty() {
        operation["parameters"] = route.parameters.iter().map(parameter).collect();
    }
    if let Some(body) = route.body {
        operation["requestBody"] = json!({"content": {"application/json": {"schema": body(generator)}}});
    }
    operation
}

fn responses(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut responses = json!({"default": {"$ref": "#/components/responses/Error"}});
    if let Answer::Frames(server, client) = route.answer {
        let [server, client] = [server, client].map(|schema| schema(generator));
        responses["101"] = json!({
            "description": "Frames follow: see docs/attach.md.",
            "headers": {"upgrade": {"schema": {"const": ATTACH_PROTOCOL}}},
            "x-objects-of-the-server": server,
            "x-objects-of-the-client": client,
        });
    } else {
        responses["200"] = json!({"description": "It is done.", "content": content(route, generator)});
    }
    responses
}

fn operation_id(route: &Route) -> String {
    let name = format!("{:?}", route.operation);
    name[..1].to_ascii_lowercase() + &name[1..]
}

fn content(route: &Route, generator: &mut SchemaGenerator) -> Value {
    match route.answer {
        Answer::Json(schema) => json!({"application/json": {"schema": schema(generator)}}),
        Answer::Stream(schema) => {
            let schema = schema(generator);
            json!({"text/event-stream": {"itemSchema": schema}, "application/jsonl": {"itemSchema": schema}})
        }
        Answer::Frames(..) => json!({}),
        Answer::Document => json!({"application/json": {"schema": {"type": "object"}}}),
    }
}

fn parameter(parameter: &Parameter) -> Value {
    let schema = match parameter.kind {
        ParameterKind::Path | ParameterKind::Text => json!({"type": "string"}),
        ParameterKind::Texts => json!({"type": "array", "items": {"type": "string"}}),
        ParameterKind::Number => json!({"type": "integer", "minimum": 0}),
        ParameterKind::Time => json!({"type": "string", "format": "date-time"}),
        ParameterKind::Flag => json!({"type": "boolean", "default": false}),
    };
    let in_path = parameter.kind == ParameterKind::Path;
    json!({
        "name": parameter.name,
        "in": if in_path { "path" } else { "query" },
        "required": in_path,
        "description": parameter.summary,
        "schema": schema,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checked in, so that a change of the API shows in its review; `GANGER_BLESS=1` writes it anew.
    #[test]
    fn the_document_that_is_checked_in_is_the_one_that_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let served = format!("{}\n", serde_json::to_string_pretty(&openapi()).unwrap());
        if std::env::var_os("GANGER_BLESS").is_some() {
            std::fs::write(path, &served).unwrap();
        }
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        let differs = stored.lines().zip(served.lines()).position(|(stored, served)| stored != served);
        assert!(
            stored == served,
            "{path} differs from line {differs:?}; GANGER_BLESS=1 cargo test writes it"
        );
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        fn check(value: &Value, document: &Value) {
            match value {
                Value::Object(map) => {
                    if let Some(Value::String(target)) = map.get("$ref") {
                        let target = target.strip_prefix('#').unwrap();
                        assert!(document.pointer(target).is_some(), "{target}");
                    }
                    map.values().for_each(|value| check(value, document));
                }
                Value::Array(list) => list.iter().for_each(|value| check(value, document)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let document = openapi();
        check(&document, &document);
        assert!(document.pointer("/components/schemas/WorkerInfo/properties/state").is_some());
    }
}
