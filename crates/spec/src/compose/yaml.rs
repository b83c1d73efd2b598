//! YAML as a tree whose every part knows its line.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::problem::Problem;

/// The deepest nesting.
const MAX_DEPTH: usize = 64;
/// So many parts a file may have, what aliases repeat included.
const MAX_PARTS: usize = 200_000;

/// A part of the file.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Counted from 1.
    pub(super) line: u32,
    pub(super) value: Value,
    /// How many parts it has, those of aliases included.
    parts: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Text, and whether it had no quotes.
    Scalar(String, bool),
    List(Vec<Rc<Node>>),
    /// In the order of the file; a name is there once.
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) line: u32,
    pub(super) value: Rc<Node>,
}

/// A list or a map that has not ended.
struct Open {
    line: u32,
    anchor: usize,
    parts: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Rc<Node>>),
    Map { entries: Vec<Entry>, merged: Vec<Entry>, key: Option<(String, u32)> },
}

/// The first document of a file; none if it is empty.
pub(super) fn parse(path: &Path, text: &str) -> Result<Option<Rc<Node>>, Problem> {
    let mut reader = Reader { path, open: Vec::new(), anchors: HashMap::new(), whole: None };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let line = u32::try_from(error.marker().line()).unwrap_or(u32::MAX);
            let column = u32::try_from(error.marker().col() + 1).ok();
            let problem = Problem::at(path, line, format!("is no YAML: {}", error.info()));
            Problem { column, ..problem }
                .hinted("indent with spaces, and put text with `: `, `#` or `{` into quotes")
        })?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        reader.event(event, span)?;
    }
    Ok(reader.whole)
}

struct Reader<'a> {
    path: &'a Path,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    whole: Option<Rc<Node>>,
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let line = u32::try_from(span.start.line()).unwrap_or(u32::MAX);
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let is_plain = style == ScalarStyle::Plain;
                let value = Value::Scalar(text.into_owned(), is_plain);
                self.add(Node { line, value, parts: 1 }, anchor)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => self.put(node, line),
                None => Err(Problem::at(self.path, line, "an alias stands in what it names")
                    .hinted("write it out, or name another anchor")),
            },
            Event::SequenceStart(anchor, _) => self.begin(line, anchor, Kind::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                self.begin(line, anchor, Kind::Map { entries: Vec::new(), merged: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn begin(&mut self, line: u32, anchor: usize, kind: Kind) -> Result<(), Problem> {
        if self.open.len() >= MAX_DEPTH {
            let message = format!("is nested deeper than {MAX_DEPTH} levels");
            return Err(Problem::at(self.path, line, message).hinted("is it the right file?"));
        }
        self.open.push(Open { line, anchor, parts: 1, kind });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Problem> {
        let Some(Open { line, anchor, parts, kind }) = self.open.pop() else { return Ok(()) };
        let value = match kind {
            Kind::List(items) => Value::List(items),
            Kind::Map { mut entries, merged, .. } => {
                for entry in merged {
                    if entries.iter().all(|own| own.name != entry.name) {
                        entries.push(entry);
                    }
                }
                Value::Map(entries)
            }
        };
        self.add(Node { line, value, parts }, anchor)
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        let line = node.line;
        let node = Rc::new(node);
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.put(node, line)
    }

    /// Puts a part where it belongs.
    fn put(&mut self, node: Rc<Node>, line: u32) -> Result<(), Problem> {
        let Some(open) = self.open.last_mut() else {
            self.whole = Some(node);
            return Ok(());
        };
        open.parts = open.parts.saturating_add(node.parts);
        if open.parts > MAX_PARTS {
            let message = format!("has more than {MAX_PARTS} parts, with what its aliases repeat");
            return Err(Problem::at(self.path, line, message).hinted("is it the right file?"));
        }
        match &mut open.kind {
            Kind::List(items) => items.push(node),
            Kind::Map { entries, merged, key } => match key.take() {
                None => {
                    let Value::Scalar(name, _) = &node.value else {
                        return Err(Problem::at(
                            self.path,
                            line,
                            "a list or a map stands where a name is to be",
                        )
                        .hinted("write `name: value`, and templates in quotes"));
                    };
                    *key = Some((name.clone(), line));
                }
                Some((name, _)) if name == "<<" => merge(&node, merged),
                Some((name, line)) if entries.iter().any(|entry| entry.name == name) => {
                    return Err(Problem::at(self.path, line, format!("`{name}` is said twice"))
                        .hinted("remove one of them"));
                }
                Some((name, line)) => entries.push(Entry { name, line, value: node }),
            },
        }
        Ok(())
    }
}

/// What `<<` adds: of several maps the first that has a name counts.
fn merge(node: &Node, merged: &mut Vec<Entry>) {
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                if merged.iter().all(|own| own.name != entry.name) {
                    merged.push(entry.clone());
                }
            }
        }
        Value::List(items) => {
            for item in items.iter().filter(|item| matches!(item.value, Value::Map(_))) {
                merge(item, merged);
            }
        }
        Value::Scalar(..) => {}
    }
}

impl Node {
    /// Its text, if it is a scalar; empty where nothing is said.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text, true) if matches!(text.as_str(), "~" | "null" | "Null" | "NULL") => Some(""),
            Value::Scalar(text, _) => Some(text),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Whether nothing is said.
    pub(super) fn is_null(&self) -> bool {
        self.text() == Some("") && matches!(self.value, Value::Scalar(_, true))
    }

    pub(super) fn list(&self) -> Option<&[Rc<Node>]> {
        match &self.value {
            Value::List(items) => Some(items),
            Value::Scalar(..) if self.is_null() => Some(&[]),
            Value::Scalar(..) | Value::Map(_) => None,
        }
    }

    pub(super) fn map(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            Value::Scalar(..) if self.is_null() => Some(&[]),
            Value::Scalar(..) | Value::List(_) => None,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Rc<Node>> {
        self.map()?.iter().find(|entry| entry.name == name).map(|entry| &entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Rc<Node>>, String> {
        parse(Path::new("c.yaml"), text).map_err(|problem| problem.to_string())
    }

    #[test]
    fn every_part_knows_its_line_and_merged_names_count_less_than_own_ones() {
        let text = "a: &a\n  x: 1\n  y: 'null'\nb:\n  <<: *a\n  x: [2, ~]\n";
        let whole = read(text).unwrap().unwrap();
        let b = whole.get("b").unwrap();
        assert_eq!((whole.get("a").unwrap().line, b.map().unwrap()[0].line), (1, 6));
        assert_eq!(b.get("x").unwrap().list().unwrap()[0].text(), Some("2"));
        assert!(b.get("x").unwrap().list().unwrap()[1].is_null());
        assert_eq!(b.get("y").unwrap().text(), Some("null"));
        assert!(read("").unwrap().is_none());
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_place() {
        let bad = read("a: 1\nb: [1,\nc: 2\n").unwrap_err();
        assert!(bad.starts_with("c.yaml:") && bad.contains("is no YAML"), "{bad}");
        assert_eq!(read("a: 1\na: 2\n").unwrap_err(), "c.yaml:2: `a` is said twice");
        assert!(read("{{x}}: 1").is_err() && read("a: *b").is_err() && read("a: &a [*a]").is_err());
    }

    #[test]
    fn neither_depth_nor_what_aliases_repeat_is_without_bound() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(read(&deep(MAX_DEPTH)).is_ok());
        assert!(read(&deep(MAX_DEPTH + 1)).unwrap_err().contains("nested deeper"));
        let mut laughs = "a0: &a0 ha\n".to_owned();
        for level in 1..40 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            laughs.extend([format!("a{level}: &a{level} [{before}]\n")]);
        }
        assert!(read(&laughs).unwrap_err().contains("more than 200000 parts"));
    }
}
