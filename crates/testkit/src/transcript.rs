//! Whole sessions at a shell, in Markdown files that are read as documentation and run as tests.
//!
//! A block whose fence says `file NAME` is a file of the app. A block whose fence says `console` is a session:
//!
//! ```text
//! $ ganger check            a command; what follows is what it must print, on both streams
//! valid: web, worker
//! $ ganger stop nosuch
//! ganger: no group or worker named nosuch
//! [exit 1]                  the exit code, where it is not 0
//! & ganger start            a program in the background
//! ? [..] web.1 | ready      waits for a line of the last one, after what was waited for before the last command;
//! ? [..] job.1 | ready      workers may write in any order, so lines that follow each other may come in any
//! ? [exit 0]                waits for its end
//! ```
//!
//! `[..]` stands for anything within a line, a line `...` for any lines. At the end nothing may be left running.
//! With `GANGER_BLESS=1` the file is rewritten with what was printed; lines that matched stay as they are.

mod compare;
mod parse;

use std::fs;
use std::path::Path;

use crate::{Deadline, Exit, Finished, Running, Sandbox};
use parse::{Script, Step};

/// Runs the session in the file at `path` in `sandbox`, and fails with all differences.
#[track_caller]
pub fn run(sandbox: &Sandbox, path: impl AsRef<Path>) {
    let path = path.as_ref();
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let script = Script::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let outcome = play(sandbox, &script);
    if std::env::var_os("GANGER_BLESS").is_some_and(|value| value == "1") {
        fs::write(path, outcome.blessed)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    } else if !outcome.differences.is_empty() {
        let hint = "GANGER_BLESS=1 takes what was printed as right";
        panic!("{}:\n{}\n{hint}\n{}", path.display(), outcome.differences.join("\n"), sandbox.report());
    }
    sandbox.assert_nothing_left();
}

struct Outcome {
    differences: Vec<String>,
    blessed: String,
}

fn play(sandbox: &Sandbox, script: &Script) -> Outcome {
    let mut differences = Vec::new();
    let mut blessed = String::new();
    let mut background: Vec<Background> = Vec::new();
    for step in &script.steps {
        if !matches!(step, Step::Wait { .. }) {
            background.iter_mut().for_each(Background::begin);
        }
        match step {
            Step::Prose(line) => push_line(&mut blessed, line),
            Step::File { name, lines } => {
                let mut text = String::new();
                push_lines(&mut text, lines);
                sandbox.file(name, &text);
                blessed.push_str(&text);
            }
            Step::Run { line, command, expected } => {
                let actual = printed(
                    &sandbox.program(["sh", "-c", command]).start_merged().finish(Deadline::generous()),
                );
                if !compare::lines_match(expected, &actual) {
                    let difference = compare::difference(expected, &actual);
                    differences.push(format!("line {line}: $ {command}\n{difference}"));
                }
                push_line(&mut blessed, &format!("$ {command}"));
                push_lines(&mut blessed, &compare::blessed(expected, &actual));
            }
            Step::Background { command } => {
                // The shell becomes the program, so that a signal to it is one to the program.
                let running = sandbox.program(["sh", "-c", &format!("exec {command}")]).start_merged();
                background.push(Background { running, begun: 0, seen: 0, found: Vec::new() });
                push_line(&mut blessed, &format!("& {command}"));
            }
            Step::Wait { line, pattern } => {
                let Some(last) = background.last_mut() else {
                    panic!("line {line}: nothing was started in the background")
                };
                last.wait(pattern);
                push_line(&mut blessed, &format!("? {pattern}"));
            }
        }
    }
    for mut program in background {
        program.running.wait_exit(Deadline::generous());
    }
    Outcome { differences, blessed }
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn push_lines(text: &mut String, lines: &[String]) {
    for line in lines {
        push_line(text, line);
    }
}

/// The lines that a program printed, and its exit code where that is not 0.
fn printed(finished: &Finished) -> Vec<String> {
    let mut lines: Vec<String> = finished.output.lines().map(|line| line.trim_end().to_owned()).collect();
    if finished.exit != Exit::Code(0) {
        lines.push(format!("[exit {}]", finished.code()));
    }
    lines
}

struct Background {
    running: Running,
    /// Where the present waits look from.
    begun: usize,
    /// Up to where its output was waited for.
    seen: usize,
    /// The present waits and where each found its line: the same wait again wants another one.
    found: Vec<(String, usize)>,
}

impl Background {
    /// The next waits look after all that was waited for.
    fn begin(&mut self) {
        self.begun = self.seen;
        self.found.clear();
    }

    fn wait(&mut self, pattern: &str) {
        if let Some(code) = pattern.strip_prefix("[exit ").and_then(|rest| rest.strip_suffix(']')) {
            let exit = self.running.wait_exit(Deadline::generous());
            if format!("{exit:?}") != format!("Code({code})") {
                self.running.fail(&format!("it ended with {exit:?}, not with code {code}"));
            }
            return;
        }
        let same = self.found.iter().rev().find(|(known, _)| known == pattern);
        let from = same.map_or(self.begun, |(_, position)| *position);
        let found = self
            .running
            .wait_whole_line(from, |line| compare::line_matches(pattern, line))
            .unwrap_or_else(|| self.running.fail(&format!("no line like {pattern:?} came")));
        self.seen = self.seen.max(found);
        self.found.push((pattern.to_owned(), found));
    }
}

#[cfg(test)]
mod tests;
