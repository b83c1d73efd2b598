//! What is searched for: a regular expression, as in `ganger logs --grep`.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

/// A pattern that compiles.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// As it was typed.
    pub(crate) text: String,
    /// Without a capital letter in it, small and capital letters are the same.
    pub(crate) ignores_case: bool,
    regex: Regex,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let ignores_case = !text.chars().any(char::is_uppercase);
        let built = RegexBuilder::new(text).case_insensitive(ignores_case).build();
        let regex = built.map_err(|error| {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        })?;
        Ok(Self { text: text.to_owned(), ignores_case, regex })
    }

    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// Where it is in this text; what is empty cannot be seen.
    pub(crate) fn places(&self, text: &str) -> Vec<Range<usize>> {
        self.regex.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_letters_mean_both_and_capital_ones_themselves() {
        assert!(Pattern::new("error").unwrap().is_in("an ERROR"));
        assert!(!Pattern::new("Error").unwrap().is_in("an ERROR"));
        assert_eq!(Pattern::new("a+|x*").unwrap().places("aabca"), [0..2, 4..5]);
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        assert!(Pattern::new("(").unwrap_err().contains("unclosed group"));
    }
}
