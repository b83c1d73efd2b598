//! What clients of earlier versions ask is understood by this one, and what servers of earlier versions answered is
//! understood by its client. `tests/vX.Y.Z` is what a version that was released asked and answered; it is never changed. A
//! release adds a directory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use ganger_api::{Data, HttpParts, ROUTES, Route, encode, parse};
use serde_json::Value;

/// The lines of this file of each version.
fn recorded(name: &str) -> Vec<Value> {
    let versions = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")).unwrap();
    let files = versions.map(|entry| entry.unwrap().path().join(name)).filter(|path| path.exists());
    let lines: Vec<Value> = files
        .map(|path| std::fs::read_to_string(path).unwrap())
        .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>())
        .collect();
    assert!(!lines.is_empty(), "{name}");
    lines
}

fn route(name: &str) -> &'static Route {
    let found = ROUTES.iter().find(|route| format!("{:?}", route.operation) == name);
    found.unwrap_or_else(|| panic!("{name} is gone"))
}

#[test]
fn what_earlier_clients_ask_is_understood_and_asked_the_same_way_today() {
    for recorded in recorded("requests.jsonl") {
        let text = |name: &str| recorded[name].as_str();
        let target = text("target").unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let parts = HttpParts {
            method: text("method").unwrap(),
            path,
            query,
            accept: text("accept"),
            last_event_id: text("last_event_id"),
            body: text("body").unwrap().as_bytes(),
        };
        let request = parse(&parts).unwrap_or_else(|error| panic!("{recorded}: {error}"));
        assert_eq!(format!("{:?}", request.operation()), text("operation").unwrap());
        assert_eq!(encode(&request).target, target);
    }
}

#[test]
fn what_earlier_servers_answered_is_understood() {
    for recorded in recorded("answers.jsonl") {
        let operation = route(recorded["operation"].as_str().unwrap()).operation;
        let body = serde_json::to_vec(&recorded["body"]).unwrap();
        let data = Data::decode(operation, &body).unwrap_or_else(|error| panic!("{recorded}: {error}"));
        drop(data);
    }
}

/// Adds a field that nobody knows to every object.
fn newer(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // Counts by state have a field for each state, and no others.
            let is_count = |(name, value): &(&String, &mut Value)| *name != "workers" || !value.is_object();
            fields.iter_mut().filter(is_count).for_each(|(_, value)| newer(value));
            fields.insert("of_a_later_version".to_owned(), Value::from(1));
        }
        Value::Array(items) => items.iter_mut().for_each(newer),
        _ => {}
    }
}

#[test]
fn a_field_that_a_later_server_adds_is_passed_over() {
    for mut recorded in recorded("answers.jsonl") {
        let operation = route(recorded["operation"].as_str().unwrap()).operation;
        newer(&mut recorded["body"]);
        let body = serde_json::to_vec(&recorded["body"]).unwrap();
        Data::decode(operation, &body).unwrap_or_else(|error| panic!("{recorded}: {error}"));
    }
}
