//! The binary under another name: a program whose place it takes.

use std::ffi::OsString;
use std::path::Path;

use crate::commands::{foreman, overmind, supervisorctl, supervisord};
use crate::failure::Outcome;

/// What a name does with the words of the command line, itself among them.
type Run = fn(Vec<OsString>) -> Outcome;

/// The names that the binary may be installed under.
const NAMES: [(&str, Run); 4] = [
    ("supervisorctl", supervisorctl::run),
    (supervisord::NAME, supervisord::run),
    (overmind::NAME, overmind::run),
    (foreman::NAME, foreman::run),
];

/// What these words do if the program was started under another name.
pub(crate) fn other(words: &[OsString]) -> Option<Run> {
    let name = Path::new(words.first()?).file_name()?;
    NAMES.iter().find(|(known, _)| name == *known).map(|(_, run)| *run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_path_counts() {
        let run = |program: &str| other(&[program.into(), "status".into()]).is_some();
        assert!(run("supervisorctl") && run("/usr/bin/supervisorctl"));
        assert!(run("/usr/local/bin/supervisord") && run("bin/overmind") && run("foreman"));
        assert!(!run("ganger") && !run("/usr/supervisorctl/ganger"));
        assert!(other(&[]).is_none());
    }
}
