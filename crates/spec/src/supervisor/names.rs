//! The names of programs and processes.

use std::collections::BTreeSet;

use super::ini::Said;
use crate::Family;
use crate::problem::Findings;
use crate::procfile::{MAX_NAME, check_name};

/// The name of the group of a program: its own where that is a group's name and nobody has it yet. Else what cannot be in
/// a name is `_`, and a number made of the name sets it apart; it is the same each time.
pub(crate) fn group_name(program: &str, family: Option<&Family>, taken: &mut BTreeSet<String>) -> String {
    if check_name(program).is_ok() && taken.insert(program.to_owned()) {
        return program.to_owned();
    }
    let whole = family.map_or_else(|| program.to_owned(), |family| format!("{}:{program}", family.name));
    let letters =
        program.chars().map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' });
    let start: String = letters.take(MAX_NAME - 9).collect();
    let start = if start.is_empty() { "program".to_owned() } else { start };
    let mut number = fingerprint(&whole);
    loop {
        let name = format!("{start}-{number:08x}");
        if taken.insert(name.clone()) {
            return name;
        }
        number = number.wrapping_add(1);
    }
}

/// FNV-1a, so that a program has the same name in the next version.
fn fingerprint(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |print, byte| (print ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

const NUMBER: &str = "%(process_num)";

/// Tells of a `process_name` that cannot name several processes, or that names them in a way that nobody means.
pub(crate) fn check_process_name(said: &Said, name: &str, numprocs: i64, findings: &mut Findings) {
    if numprocs > 1 && !name.contains(NUMBER) {
        let problem = said.problem("`process_name` needs `%(process_num)` where `numprocs` is more than 1");
        findings.error(problem.hinted("write `process_name=%(program_name)s_%(process_num)02d`"));
    }
    for (at, _) in name.match_indices(NUMBER) {
        let rest = &name[at + NUMBER.len()..];
        let format: String =
            rest.chars().take_while(|c| "#0- +.".contains(*c) || c.is_ascii_digit()).collect();
        let kind = rest[format.len()..].chars().next();
        if let Some(kind) = kind.filter(|kind| "uoxXeEfFgGcra".contains(*kind)) {
            let message = format!(
                "`process_name`: `{format}{kind}` after `{NUMBER}` is taken for its format, and is not in the name"
            );
            let hint = format!("write `{NUMBER}02d{format}{kind}`");
            findings.warn(said.problem(message).hinted(hint));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_its_own_name_or_one_that_is_made_of_it() {
        let mut taken = BTreeSet::new();
        assert_eq!(group_name("web", None, &mut taken), "web");
        let made: Vec<String> = ["my@app", "web.1", "all", "", "web", "é".repeat(90).as_str()]
            .iter()
            .map(|name| group_name(name, None, &mut taken))
            .collect();
        assert_eq!(made[..2], ["my_app-2a7feb18", "web_1-06bf5594"].map(str::to_owned));
        assert!(made.iter().all(|name| check_name(name).is_ok()), "{made:?}");
        assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), made.len());
    }
}
