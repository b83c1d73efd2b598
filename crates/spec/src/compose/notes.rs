//! Comments: what the native form says otherwise, or not at all.

/// So many are written of one thing.
const MOST: usize = 100;

/// The comments above a table, each once.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<String>);

impl Notes {
    pub(super) fn add(&mut self, note: impl Into<String>) {
        let note = note.into().split_whitespace().collect::<Vec<_>>().join(" ");
        if self.0.len() < MOST && !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    /// A key that has no match.
    pub(super) fn none(&mut self, key: &str, instead: &str) {
        let space = if instead.is_empty() { "" } else { " " };
        self.add(format!("`{key}` has no match here.{space}{instead}"));
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The comments as lines.
    pub(super) fn write(&self, out: &mut String) {
        for note in &self.0 {
            out.push_str("# ");
            out.push_str(note);
            out.push('\n');
        }
    }
}
