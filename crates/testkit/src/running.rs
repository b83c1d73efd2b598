//! A program that was started and what it printed.

use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::Deadline;
use crate::census::{self, children_of, command_line};
use crate::collector::{Collector, line_with};
use crate::sandbox::Grounds;

/// A program that runs in a sandbox. When it is dropped alive, it is killed.
pub struct Running {
    grounds: Arc<Grounds>,
    name: String,
    child: Child,
    output: Collector,
    errors: Collector,
    exit: Option<Exit>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// It was ended by this signal.
    Signal(i32),
}

/// A program that ended and everything it printed.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// All of its standard output.
    pub output: String,
    /// All of its standard error.
    pub errors: String,
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => unreachable!("a process ends by exiting or by a signal: {status:?}"),
        }
    }
}

impl Running {
    pub(crate) fn new(
        grounds: Arc<Grounds>,
        words: &[OsString],
        child: Child,
        (output, errors): (Collector, Collector),
    ) -> Self {
        let name = words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        Self { grounds, name, child, output, errors, exit: None }
    }

    /// Its PID.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a PID fits")
    }

    pub(crate) fn collected(&self) -> &Collector {
        &self.output
    }

    /// What it wrote to its standard output so far (or to its terminal).
    pub fn output(&self) -> String {
        self.output.text()
    }

    /// What it wrote to its standard error so far.
    pub fn errors(&self) -> String {
        self.errors.text()
    }

    /// A place in its standard output: now.
    pub fn mark(&self) -> usize {
        self.output.len()
    }

    /// Blocks until a line of the standard output contains `pattern`, and gives that line; also an unfinished one.
    pub fn wait_line(&self, pattern: &str) -> String {
        self.wait_line_after(0, pattern)
    }

    /// The same, for what comes after `mark`.
    pub fn wait_line_after(&self, mark: usize, pattern: &str) -> String {
        let found = self.output.wait(mark, Deadline::generous(), |text| line_with(text, pattern));
        found.unwrap_or_else(|| self.fail(&format!("no line with {pattern:?} came")))
    }

    /// Blocks until `count` whole lines of the standard output contain `pattern`.
    pub fn wait_lines(&self, pattern: &str, count: usize) -> Vec<String> {
        let found = self.output.wait(0, Deadline::generous(), |text| {
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let lines: Vec<String> =
                whole.lines().filter(|line| line.contains(pattern)).map(str::to_owned).collect();
            (lines.len() >= count).then_some(lines)
        });
        found.unwrap_or_else(|| self.fail(&format!("no {count} lines with {pattern:?} came")))
    }

    /// Blocks until a line of the standard output contains `pattern`, or the output ends; whether the line came.
    pub fn line_comes(&self, pattern: &str) -> bool {
        let found = self.output.wait(0, Deadline::generous(), |text| line_with(text, pattern));
        if found.is_none() && !self.output.wait_end(Deadline::after(Duration::ZERO)) {
            self.fail(&format!("no line with {pattern:?} came, and no end either"));
        }
        found.is_some()
    }

    /// Blocks until a line of the standard error contains `pattern`, and gives that line.
    pub fn wait_error(&self, pattern: &str) -> String {
        let found = self.errors.wait(0, Deadline::generous(), |text| line_with(text, pattern));
        found.unwrap_or_else(|| self.fail(&format!("no line with {pattern:?} came on standard error")))
    }

    /// Blocks until the standard output after byte `from` is `wanted`.
    pub(crate) fn wait_output<T>(
        &self,
        from: usize,
        deadline: Deadline,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.output.wait(from, deadline, wanted)
    }

    /// Blocks until a whole line after byte `from` is `wanted`, and gives the place behind it.
    pub(crate) fn wait_whole_line(&self, from: usize, wanted: impl Fn(&str) -> bool) -> Option<usize> {
        self.output.wait(from, Deadline::generous(), |text| {
            let mut end = from;
            text.split_inclusive('\n').filter(|line| line.ends_with('\n')).find_map(|line| {
                end += line.len();
                wanted(line.trim_end()).then_some(end)
            })
        })
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        assert!(census::signal(self.pid(), signal), "{} is gone before its {signal:?}", self.name);
    }

    /// Kills it, and it alone.
    pub fn kill_nine(&self) {
        self.signal(Signal::KILL);
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        self.exit.is_none() && census::is_alive(self.pid())
    }

    /// The PID of its child whose arguments contain `pattern`.
    pub fn child_with(&self, pattern: &str) -> i32 {
        let children = children_of(self.pid());
        let found = children.iter().find(|pid| command_line(**pid).contains(pattern));
        *found.unwrap_or_else(|| {
            let commands: Vec<_> = children.iter().map(|pid| command_line(*pid)).collect();
            self.fail(&format!("no child with {pattern:?} among {commands:#?}"))
        })
    }

    /// Blocks until it has ended.
    pub fn wait_exit(&mut self, deadline: Deadline) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        if !census::wait_gone(self.pid(), deadline) {
            self.fail("it does not end");
        }
        let status = self.child.wait().unwrap_or_else(|error| panic!("cannot reap {}: {error}", self.name));
        let exit = Exit::from(status);
        self.exit = Some(exit);
        exit
    }

    /// Blocks until it has ended and everything that it printed is here.
    pub fn finish(mut self, deadline: Deadline) -> Finished {
        let exit = self.wait_exit(deadline);
        for stream in [&self.output, &self.errors] {
            if !stream.wait_end(deadline) {
                self.fail("it has ended, but something that it left behind still holds its output");
            }
        }
        Finished { exit, output: self.output.text(), errors: self.errors.text() }
    }

    /// Fails the test: with what was printed, what is alive and the event log.
    #[track_caller]
    pub fn fail(&self, why: &str) -> ! {
        panic!(
            "{}: {why}\n--- its output ---\n{}\n--- its errors ---\n{}\n{}",
            self.name,
            self.output.text(),
            self.errors.text(),
            self.grounds.report()
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.exit.is_none() {
            // Already gone or not, it must be reaped.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Finished {
    /// The exit code; a death by signal is 128 and the signal's number, as a shell has it.
    pub fn code(&self) -> i32 {
        match self.exit {
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128 + signal,
        }
    }

    /// Demands this exit code.
    #[track_caller]
    pub fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(self.code(), code, "exit code, of\n{self}");
        self
    }

    /// Demands success, and gives the standard output.
    #[track_caller]
    pub fn success(self) -> String {
        self.expect_code(0);
        self.output
    }

    /// Demands an error as every error is to be: a non-zero code, `ganger: MESSAGE` with all of `parts` in it, and a
    /// `hint: ` line. Gives the standard error.
    #[track_caller]
    pub fn error(self, parts: &[&str]) -> String {
        let errors = self.error_without_hint(parts);
        assert!(errors.lines().any(|line| line.starts_with("hint: ")), "no hint in\n{errors}");
        errors
    }

    /// The same for an error that has no hint to give.
    #[track_caller]
    pub fn error_without_hint(self, parts: &[&str]) -> String {
        assert_ne!(self.exit, Exit::Code(0), "an error must not exit with 0:\n{self}");
        assert!(matches!(self.exit, Exit::Code(_)), "an error must not be a death by signal:\n{self}");
        assert!(self.errors.lines().any(|line| line.starts_with("ganger: ")), "no message in\n{self}");
        assert!(!self.errors.contains("panicked"), "a panic:\n{self}");
        for part in parts {
            assert!(self.errors.contains(part), "no {part:?} in\n{self}");
        }
        self.errors
    }

    /// The standard output as JSON.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        let output = self.success();
        serde_json::from_str(&output).unwrap_or_else(|error| panic!("no JSON ({error}):\n{output}"))
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}\n--- output ---\n{}\n--- errors ---\n{}", self.exit, self.output, self.errors)
    }
}

/// What goes to a program's standard input.
pub(crate) struct Feed(Option<(std::io::PipeWriter, String)>);

impl Feed {
    /// Gives `command` an input with `text` in it, or an empty one.
    pub(crate) fn for_input(text: Option<String>, command: &mut Command) -> Self {
        let Some(text) = text else {
            command.stdin(Stdio::null());
            return Self(None);
        };
        let (reader, writer) = std::io::pipe().expect("a pipe");
        command.stdin(reader);
        Self(Some((writer, text)))
    }

    /// Writes it from a thread, for a program may read it late or never.
    pub(crate) fn write(self) {
        if let Some((mut writer, text)) = self.0 {
            thread::spawn(move || writer.write_all(text.as_bytes()));
        }
    }
}
