//! How a program is started in a sandbox.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::collector::Collector;
use crate::running::{Feed, Running};
use crate::sandbox::Grounds;
use crate::{Deadline, Finished, Terminal};

/// A program about to be started in a sandbox, with that sandbox's environment.
#[must_use = "a launch does nothing until it is started or run"]
pub struct Launch {
    grounds: Arc<Grounds>,
    words: Vec<OsString>,
    directory: PathBuf,
    variables: Vec<(OsString, Option<OsString>)>,
    input: Option<String>,
}

impl Launch {
    pub(crate) fn new<W: AsRef<OsStr>>(grounds: &Arc<Grounds>, words: impl IntoIterator<Item = W>) -> Self {
        Self {
            grounds: Arc::clone(grounds),
            words: words.into_iter().map(|word| word.as_ref().to_owned()).collect(),
            directory: grounds.app(),
            variables: Vec::new(),
            input: None,
        }
    }

    /// Puts `words` in front: a program that starts the rest, as `setpriv` and `unshare` do.
    pub fn through<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        let outer: Vec<OsString> = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
        self.words.splice(0..0, outer);
        self
    }

    /// Starts in `directory` instead of in the app's.
    pub fn dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), Some(value.into())));
        self
    }

    /// Takes a variable away.
    pub fn without_env(mut self, name: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), None));
        self
    }

    /// What the program finds on its standard input; otherwise that is empty.
    pub fn input(mut self, text: impl Into<String>) -> Self {
        self.input = Some(text.into());
        self
    }

    fn command(&self) -> Command {
        let (program, arguments) = self.words.split_first().expect("a launch has a program");
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.directory).env_clear().envs(self.grounds.environment());
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Starts it with pipes for its output.
    pub fn start(self) -> Running {
        let mut command = self.command();
        let (output, output_end) = std::io::pipe().expect("a pipe");
        let (errors, errors_end) = std::io::pipe().expect("a pipe");
        command.stdout(output_end).stderr(errors_end);
        let feed = Feed::for_input(self.input.clone(), &mut command);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {:?}: {error}", self.words));
        // The command keeps its ends of the pipes: without them the readers see the end of the stream.
        drop(command);
        feed.write();
        let streams = (Collector::of(output), Collector::of(errors));
        Running::new(self.grounds, &self.words, child, streams)
    }

    /// Starts it with one pipe for both streams, as `2>&1` does: everything is in the standard output.
    pub fn start_merged(self) -> Running {
        let mut command = self.command();
        let (output, end) = std::io::pipe().expect("a pipe");
        command.stderr(end.try_clone().expect("another descriptor")).stdout(end);
        let feed = Feed::for_input(self.input.clone(), &mut command);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {:?}: {error}", self.words));
        drop(command);
        feed.write();
        Running::new(
            self.grounds,
            &self.words,
            child,
            (Collector::of(output), Collector::of(std::io::empty())),
        )
    }

    /// Starts it on a pseudo terminal of its own, which controls it: keys are signals, a hang-up reaches it.
    pub fn start_on_terminal(self) -> (Running, Terminal) {
        let terminal = Terminal::open();
        // `setsid` makes a session, takes the terminal and becomes the program, all under one PID.
        let launch = self.through(["setsid", "--ctty"]);
        let mut command = launch.command();
        let user_side = || Stdio::from(terminal.user_side());
        command.stdin(user_side()).stdout(user_side()).stderr(user_side());
        let child =
            command.spawn().unwrap_or_else(|error| panic!("cannot start {:?}: {error}", launch.words));
        drop(command);
        let screen = terminal.collect();
        let streams = (screen, Collector::of(std::io::empty()));
        (Running::new(launch.grounds, &launch.words, child, streams), terminal)
    }

    /// Runs it to its end.
    pub fn run(self) -> Finished {
        self.start().finish(Deadline::generous())
    }
}
