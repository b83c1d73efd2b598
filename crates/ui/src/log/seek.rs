//! Searching: first in the lines that are kept, then in all that is stored.

use ganger_api::{LogLine, LogQuery};

use super::{Log, Space};
use crate::message::{Effect, Page, Place};
use crate::search::Pattern;

impl Log {
    /// Searches for this, from the last line that is seen upwards.
    pub(crate) fn search_for(&mut self, pattern: Option<Pattern>, space: Space) -> Vec<Effect> {
        self.search = pattern;
        self.found = None;
        if self.search.is_some() { self.seek_older(space) } else { Vec::new() }
    }

    /// To the next match above.
    pub(crate) fn seek_older(&mut self, space: Space) -> Vec<Effect> {
        let Some(pattern) = &self.search else { return self.without_pattern() };
        let from = self.found.unwrap_or_else(|| self.below(space));
        let found = self.window.before(from).find(|(_, entry)| pattern.is_in(&entry.styled.text));
        if let Some(line) = found.map(|(line, _)| line) {
            return self.found_at(line, space);
        }
        if self.at_start {
            return self.not_found("above");
        }
        let Some(query) = self.matching(self.above(1)) else { return self.not_found_in_filter() };
        vec![self.ask(Place::OlderMatch, query, usize::MAX)]
    }

    /// To the next match below.
    pub(crate) fn seek_newer(&mut self, space: Space) -> Vec<Effect> {
        let Some(pattern) = &self.search else { return self.without_pattern() };
        let from = self.found.map_or_else(|| self.anchor(space).line, |found| found + 1);
        let found = self.window.from(from).find(|(_, entry)| pattern.is_in(&entry.styled.text));
        if let Some(line) = found.map(|(line, _)| line) {
            return self.found_at(line, space);
        }
        if self.at_end {
            return self.not_found("below");
        }
        let Some(query) = self.matching(self.behind()) else { return self.not_found_in_filter() };
        vec![self.ask(Place::NewerMatch, query, 1)]
    }

    fn found_at(&mut self, line: i64, space: Space) -> Vec<Effect> {
        self.found = Some(line);
        self.reveal(line, space);
        self.prefetch(space)
    }

    /// The same lines as far as the search finds them; none where a filter takes its place.
    fn matching(&self, query: LogQuery) -> Option<LogQuery> {
        let pattern = self.search.as_ref().filter(|_| self.filter.is_none())?;
        Some(LogQuery { grep: Some(pattern.text.clone()), ignore_case: pattern.ignores_case, ..query })
    }

    /// A stored line matches, or none does.
    pub(super) fn match_came(&mut self, page: &Page, lines: Vec<LogLine>) -> Vec<Effect> {
        let is_older = page.place == Place::OlderMatch;
        let mut lines = lines.into_iter();
        let found = if is_older { lines.rfind(|line| !self.is_below_first(line)) } else { lines.next() };
        match found {
            Some(line) => self.go_to(line),
            None => self.not_found(if is_older { "above" } else { "below" }),
        }
    }

    /// Whether this line is the first of its log that is kept, or comes after that.
    fn is_below_first(&self, line: &LogLine) -> bool {
        let mut of_log = self.window.from(self.window.first()).filter(|(_, entry)| entry.log == line.log);
        of_log.next().is_some_and(|(_, first)| line.position >= first.position)
    }

    fn without_pattern(&mut self) -> Vec<Effect> {
        self.remark = Some("nothing is searched for: / begins".to_owned());
        Vec::new()
    }

    fn not_found(&mut self, place: &str) -> Vec<Effect> {
        let text = self.search.as_ref().map(|pattern| pattern.text.as_str()).unwrap_or_default();
        self.remark = Some(format!("{text:?} is not {place}"));
        Vec::new()
    }

    fn not_found_in_filter(&mut self) -> Vec<Effect> {
        let text = self.search.as_ref().map(|pattern| pattern.text.as_str()).unwrap_or_default();
        let text = format!(
            "{text:?} is not in the lines that are here; without the filter all that is stored is searched"
        );
        self.remark = Some(text);
        Vec::new()
    }
}
