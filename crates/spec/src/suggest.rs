//! "Did you mean": the known word that is nearest to a mistyped one.

/// Longer words are not compared: nobody mistypes them, and the cost grows with the square.
const MAX_LENGTH: usize = 100;

/// The known word nearest to `word`, if one is near enough to be meant.
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length > MAX_LENGTH {
        return None;
    }
    let allowed = (length / 3).max(1);
    known
        .into_iter()
        .filter(|candidate| candidate.chars().count() <= MAX_LENGTH)
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean "web"?`, or all that there is to choose from.
pub(crate) fn hint_for<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(near) = suggest(word, known.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let mut all = known.into_iter().peekable();
    all.peek()?;
    Some(format!("known: {}", listed(all)))
}

/// So many words of a list are printed.
const MAX_LISTED: usize = 20;

/// `a, b, c`, and how many more where there are many.
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut words = words.into_iter();
    let shown: Vec<&str> = words.by_ref().take(MAX_LISTED).collect();
    match words.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Edits between two words: a letter put in, left out, replaced, or two neighbours swapped.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_word_that_was_meant() {
        let known = ["web", "worker", "clock", "command"];
        for (typed, meant) in
            [("wbe", "web"), ("wroker", "worker"), ("Clock", "clock"), ("comand", "command"), ("weeb", "web")]
        {
            assert_eq!(suggest(typed, known), Some(meant), "{typed}");
        }
    }

    #[test]
    fn another_word_finds_nothing() {
        for typed in ["database", "", "x", "cl"] {
            assert_eq!(suggest(typed, ["web", "clock"]), None, "{typed}");
        }
        assert_eq!(suggest("b", ["a"]), None, "a word of one letter is not a slip of another");
        assert_eq!(suggest(&"w".repeat(MAX_LENGTH + 1), ["web"]), None);
    }

    #[test]
    fn a_long_list_is_cut() {
        let words = vec!["w"; MAX_LISTED + 3];
        assert!(listed(words).ends_with("w and 3 more"));
        assert_eq!(listed(["a", "b"]), "a, b");
        assert_eq!(hint_for("zzz", ["a", "b"]).as_deref(), Some("known: a, b"));
        assert_eq!(hint_for("zzz", []), None);
    }
}
