//! What was expected against what was printed.

use std::fmt::Write;

/// Stands for any lines.
const ANY_LINES: &str = "...";
/// Stands for anything within a line.
const ANY_TEXT: &str = "[..]";

/// Whether `actual` is what `expected` describes.
pub(super) fn lines_match(expected: &[String], actual: &[String]) -> bool {
    let Some((first, rest)) = expected.split_first() else { return actual.is_empty() };
    if first == ANY_LINES {
        return (0..=actual.len()).any(|skipped| lines_match(rest, &actual[skipped..]));
    }
    actual.split_first().is_some_and(|(line, others)| line_matches(first, line) && lines_match(rest, others))
}

/// Whether one line is what `pattern` describes.
pub(super) fn line_matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.trim_end().split(ANY_TEXT);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.trim_end().strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            let Some(at) = rest.find(middle) else { return false };
            rest = &rest[at + middle.len()..];
        }
    }
    last.map_or(rest.is_empty(), |end| rest.ends_with(end))
}

/// Both, one under the other, where they differ; `-` was expected, `+` was printed.
pub(super) fn difference(expected: &[String], actual: &[String]) -> String {
    let same = expected.iter().zip(actual).take_while(|(pattern, line)| line_matches(pattern, line)).count();
    let mut text = String::new();
    for line in &expected[..same] {
        let _ = writeln!(text, "  {line}");
    }
    for line in &expected[same..] {
        let _ = writeln!(text, "- {line}");
    }
    for line in &actual[same..] {
        let _ = writeln!(text, "+ {line}");
    }
    text
}

/// `actual`, but with the lines of `expected` where they match: their wildcards stay.
pub(super) fn blessed(expected: &[String], actual: &[String]) -> Vec<String> {
    if lines_match(expected, actual) {
        return expected.to_vec();
    }
    let mut left = expected;
    let mut lines = Vec::new();
    for line in actual {
        match left.iter().position(|pattern| pattern != ANY_LINES && line_matches(pattern, line)) {
            Some(at) => {
                lines.push(left[at].clone());
                left = &left[at + 1..];
            }
            None => lines.push(line.clone()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_wildcard_spans_anything_within_a_line() {
        assert!(line_matches("pid [..] started", "pid 12 started"));
        assert!(line_matches("[..]", ""));
        assert!(line_matches("a[..]b[..]c", "a-b-b-c"));
        assert!(line_matches("[..]b", "abb"));
        assert!(!line_matches("a[..]b", "a-c"));
        assert!(!line_matches("ab[..]ba", "aba"));
        assert!(!line_matches("exact", "exactly"));
    }

    #[test]
    fn three_dots_span_any_lines() {
        assert!(lines_match(&lines("one\n...\nlast"), &lines("one\ntwo\nthree\nlast")));
        assert!(lines_match(&lines("one\n..."), &lines("one")));
        assert!(!lines_match(&lines("one\n...\nlast"), &lines("one\ntwo")));
        assert!(!lines_match(&lines("one"), &lines("one\ntwo")));
    }

    #[test]
    fn a_difference_shows_both_sides_after_what_is_the_same() {
        let text = difference(&lines("same\nold"), &lines("same\nnew"));
        assert_eq!(text, "  same\n- old\n+ new\n");
    }

    #[test]
    fn blessing_keeps_lines_that_match() {
        let blessed = blessed(&lines("pid [..]\nold"), &lines("pid 7\nnew"));
        assert_eq!(blessed, lines("pid [..]\nnew"));
    }
}
