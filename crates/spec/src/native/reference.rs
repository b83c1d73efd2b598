//! The JSON schema and the reference page of `ganger.toml`, made of the tables' doc comments.

use std::fmt::Write as _;

use serde_json::Value;

use super::tables::AppTable;

/// The tables of the page: the heading and the schema's definition, none for the file itself.
const TABLES: [(&str, Option<&str>); 10] = [
    ("The file", None),
    ("`[groups.NAME]`", Some("Group")),
    ("`[groups.NAME.stop]`", Some("Stop")),
    ("`[groups.NAME.backoff]`", Some("Backoff")),
    ("`[groups.NAME.budget]`", Some("Budget")),
    ("`[groups.NAME.readiness]` and `[groups.NAME.liveness]`", Some("Probe")),
    ("`[groups.NAME.watch]`", Some("Watch")),
    ("`[groups.NAME.limits]`", Some("Limits")),
    ("`[logs]` and `[groups.NAME.logs]`", Some("Logs")),
    ("`[[forward]]`", Some("Forward")),
];

/// Kinds of values that have words of their own.
const VALUES: [&str; 8] = ["Command", "Depends", "Duration", "Exits", "Limit", "LogFile", "Port", "Size"];

/// The JSON schema of `ganger.toml`, for editors.
pub fn schema() -> String {
    format!("{:#}\n", schema_value())
}

fn schema_value() -> Value {
    Value::from(schemars::schema_for!(AppTable))
}

/// The reference page of `ganger.toml`, as Markdown.
pub fn reference_page() -> String {
    let schema = schema_value();
    let mut page = String::from(
        "# ganger.toml\n\n<!-- Made from crates/spec/src/native/tables.rs: GANGER_BLESS=1 cargo test -p ganger-spec -->\n\n",
    );
    for (heading, definition) in TABLES {
        let table = definition.map_or(&schema, |name| &schema["$defs"][name]);
        section(&mut page, heading, table, &schema);
    }
    page.push_str("## Values\n\n");
    for name in VALUES {
        let value = &schema["$defs"][name];
        // Writing to a string cannot fail.
        let _ = writeln!(page, "- **{}**: {}", text(&value["title"]), text(&value["description"]));
    }
    page
}

fn section(page: &mut String, heading: &str, table: &Value, schema: &Value) {
    let _ = write!(
        page,
        "## {heading}\n\n{}\n\n| key | value | meaning |\n| --- | --- | --- |\n",
        text(&table["description"])
    );
    let Some(properties) = table["properties"].as_object() else { return };
    for (key, property) in properties {
        let meaning = text(&property["description"]);
        let _ = writeln!(page, "| `{key}` | {} | {meaning} |", kind(property, schema));
    }
    page.push('\n');
}

/// The kind of a value, in words.
fn kind(value: &Value, schema: &Value) -> String {
    if let Some(name) = value["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        let definition = &schema["$defs"][name];
        return if definition["properties"].is_object() {
            "table".to_owned()
        } else {
            kind(definition, schema)
        };
    }
    if let Some(title) = value["title"].as_str() {
        return title.to_owned();
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(all) = value[choice].as_array() {
            let kinds: Vec<String> =
                all.iter().filter(|one| one["type"] != "null").map(|one| kind(one, schema)).collect();
            return kinds.join(", ");
        }
    }
    if let Some(word) = value["const"].as_str() {
        return format!("`\"{word}\"`");
    }
    let kind = value["type"].as_str().or_else(|| value["type"][0].as_str());
    match kind {
        Some("string") => "text".to_owned(),
        Some("integer" | "number") => "number".to_owned(),
        Some("array") if value["items"]["$ref"].is_string() => "list of tables".to_owned(),
        Some("array") => "list of texts".to_owned(),
        Some("object") => "table".to_owned(),
        Some(other) => other.to_owned(),
        None => "value".to_owned(),
    }
}

/// A description on one line.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::{env, fs};

    use super::*;

    fn same(name: &str, made: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
        if env::var_os("GANGER_BLESS").is_some() {
            fs::write(&path, made).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == made,
            "docs/{name} is not what the tables say: GANGER_BLESS=1 cargo test -p ganger-spec"
        );
    }

    #[test]
    fn the_schema_in_docs_is_what_the_tables_say() {
        same("ganger.schema.json", &schema());
    }

    #[test]
    fn the_reference_page_in_docs_is_what_the_tables_say() {
        same("ganger.toml.md", &reference_page());
    }

    #[test]
    fn every_key_has_a_meaning_and_every_table_is_on_the_page() {
        let schema = schema_value();
        for (_, definition) in TABLES {
            let table = definition.map_or(&schema, |name| &schema["$defs"][name]);
            assert_eq!(table["additionalProperties"], false, "{definition:?}");
            for (key, property) in table["properties"].as_object().unwrap() {
                assert!(!text(&property["description"]).is_empty(), "{key} has no meaning");
            }
        }
        let tables = schema["$defs"].as_object().unwrap();
        let on_page = |name: &String| TABLES.iter().any(|(_, table)| *table == Some(name));
        assert!(
            tables.iter().filter(|(_, table)| table["properties"].is_object()).all(|(name, _)| on_page(name))
        );
    }
}
