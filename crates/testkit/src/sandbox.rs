//! A place of its own for each test.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::census::{self, Process};
use crate::collector::Collector;
use crate::programs::write_program;
use crate::{Deadline, Finished, Launch, Running, dummy_beside};

/// The variable by which the processes of a sandbox are known.
const MARK: &str = "GANGER_TEST";

/// A directory with an app, and a home, a runtime and a state directory that no other test sees.
///
/// When it is dropped, every process that it started is killed; when a test failed, its event log is printed.
pub struct Sandbox(Arc<Grounds>);

/// What a sandbox and the programs started in it share.
pub(crate) struct Grounds {
    /// Short, for the path of a Unix socket may have 107 bytes.
    root: TempDir,
    mark: String,
    ganger: PathBuf,
}

impl Grounds {
    pub(crate) fn app(&self) -> PathBuf {
        self.root.path().join("app")
    }

    pub(crate) fn environment(&self) -> Vec<(OsString, OsString)> {
        let beside = self.ganger.parent().expect("ganger's binary is in a directory");
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let mut search = beside.as_os_str().to_owned();
        search.push(":");
        search.push(path);
        let place = |name: &str| self.root.path().join(name).into_os_string();
        [
            (MARK, OsString::from(&self.mark)),
            ("PATH", search),
            ("HOME", place("home")),
            ("TMPDIR", place("tmp")),
            ("GANGER_RUNTIME_DIR", place("run")),
            ("GANGER_STATE_DIR", place("state")),
            ("LANG", "C.UTF-8".into()),
            ("TERM", "xterm-256color".into()),
        ]
        .map(|(name, value)| (OsString::from(name), value))
        .to_vec()
    }

    pub(crate) fn census(&self) -> Vec<Process> {
        census::with_environment(&format!("{MARK}={}", self.mark))
    }

    /// What a failure shows: who is alive, and the event log.
    pub(crate) fn report(&self) -> String {
        let alive: Vec<_> = self.census().iter().map(|p| format!("{} {}", p.pid, p.command)).collect();
        format!("--- alive ---\n{}\n--- ganger events --json ---\n{}", alive.join("\n"), self.event_log())
    }

    /// The event log as ganger tells it, or why it does not.
    fn event_log(&self) -> String {
        let Ok((reader, writer)) = std::io::pipe() else { return "no pipe".to_owned() };
        let mut command = Command::new(&self.ganger);
        command.args(["events", "--json"]).current_dir(self.app()).env_clear().envs(self.environment());
        let Ok(errors) = writer.try_clone() else { return "no descriptor".to_owned() };
        command.stdin(Stdio::null()).stdout(writer).stderr(errors);
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return format!("{} does not start: {error}", self.ganger.display()),
        };
        drop(command);
        let collector = Collector::of(reader);
        // A failed test is reported soon, also when what failed is the overseer.
        let ended = collector.wait_end(Deadline::after(std::time::Duration::from_secs(5)));
        let mut child = child;
        let _ = child.kill();
        let _ = child.wait();
        format!("{}{}", collector.text(), if ended { "" } else { "(it did not answer in time)" })
    }

    fn kill_everything(&self) {
        let deadline = Deadline::generous();
        loop {
            let left: Vec<_> = self
                .census()
                .into_iter()
                .filter(|process| census::signal(process.pid, Signal::KILL))
                .collect();
            if left.is_empty() || deadline.left().is_none() {
                return;
            }
            for process in left {
                census::wait_gone(process.pid, deadline);
            }
        }
    }
}

impl Sandbox {
    /// A new one for the binary at `ganger`: `Sandbox::new(env!("CARGO_BIN_EXE_ganger"))`.
    pub fn new(ganger: impl Into<PathBuf>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let root = tempfile::Builder::new().prefix("gt").tempdir_in("/tmp").expect("a directory in /tmp");
        for name in ["app", "home", "run", "state", "tmp"] {
            let path = root.path().join(name);
            fs::create_dir(&path).expect("a directory");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("its mode");
        }
        let mark = format!("{}-{number}-{}", std::process::id(), root.path().display());
        Self(Arc::new(Grounds { root, mark, ganger: ganger.into() }))
    }

    /// The app's directory.
    pub fn app(&self) -> PathBuf {
        self.0.app()
    }

    /// The directory above the app's, with `home`, `run`, `state` and `tmp`.
    pub fn root(&self) -> &Path {
        self.0.root.path()
    }

    /// The directory of what ganger keeps of the app: ledger, wishes, events, logs. It is there once the app was started.
    #[track_caller]
    pub fn state(&self) -> PathBuf {
        self.place_of_app("state")
    }

    /// The directory of the app's sockets and pipes, while it runs.
    #[track_caller]
    pub fn runtime(&self) -> PathBuf {
        self.place_of_app("run")
    }

    #[track_caller]
    fn place_of_app(&self, kind: &str) -> PathBuf {
        let entries = fs::read_dir(self.root().join(kind)).into_iter().flatten().flatten();
        let mut places = entries.map(|entry| entry.path()).filter(|path| path.is_dir());
        match (places.next(), places.next()) {
            (Some(place), None) => place,
            (None, _) => panic!("no app has a directory in `{kind}`\n{}", self.report()),
            (Some(first), Some(second)) => {
                panic!("several apps have one in `{kind}`: {} and {}", first.display(), second.display())
            }
        }
    }

    /// A path in the app's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.app().join(name)
    }

    /// Writes a file into the app's directory, with its directories. Replaced in one step, as an editor does.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path_with_directories(name);
        let fresh = path.with_extension("fresh");
        fs::write(&fresh, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        fs::rename(&fresh, &path).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }

    /// Where a file is to be, in directories that are there.
    fn path_with_directories(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("its directory");
        path
    }

    /// Writes an executable file into the app's directory.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path_with_directories(name);
        write_program(&path, text, 0o755);
        path
    }

    /// Writes the Procfile, one entry a line; the lines may be indented.
    pub fn procfile(&self, text: &str) -> &Self {
        let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        self.file("Procfile", &(lines.join("\n") + "\n"));
        self
    }

    /// The text of a file in the app's directory.
    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    }

    /// Blocks until a file in the app's directory holds `wanted`, and gives its text.
    pub fn wait_file(&self, name: &str, wanted: &str) -> String {
        crate::wait_for_file(self.path(name), Deadline::generous(), |text| text.contains(wanted))
            .unwrap_or_else(|why| panic!("{why}\n{}", self.0.report()))
    }

    /// The path of `ganger-dummy`, the worker with a scripted life.
    pub fn dummy(&self) -> String {
        dummy_beside(&self.0.ganger).to_string_lossy().into_owned()
    }

    /// `ganger` with these arguments, to be started.
    pub fn ganger<const N: usize>(&self, arguments: [&str; N]) -> Launch {
        self.ganger_with(&arguments)
    }

    /// The same for a list of arguments.
    pub fn ganger_with(&self, arguments: &[&str]) -> Launch {
        Launch::new(&self.0, arguments).through([self.0.ganger.as_os_str()])
    }

    /// Another program, to be started.
    pub fn program<const N: usize>(&self, words: [&str; N]) -> Launch {
        Launch::new(&self.0, words)
    }

    /// The same for a list of words.
    pub fn program_with(&self, words: &[&str]) -> Launch {
        Launch::new(&self.0, words)
    }

    /// Runs `ganger` to its end.
    pub fn run<const N: usize>(&self, arguments: [&str; N]) -> Finished {
        self.ganger(arguments).run()
    }

    /// Starts `ganger` with pipes for its output.
    pub fn start<const N: usize>(&self, arguments: [&str; N]) -> Running {
        self.ganger(arguments).start()
    }

    /// Every live process that was started in this sandbox, by whomever.
    pub fn census(&self) -> Vec<Process> {
        self.0.census()
    }

    /// Demands that no process of this sandbox is alive: now, not soon.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let left = self.census();
        assert!(left.is_empty(), "left alive: {left:#?}\n{}", self.0.report());
    }

    /// Who is alive and the event log, for a message of a test's own.
    pub fn report(&self) -> String {
        self.0.report()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in {}:\n{}", self.app().display(), self.0.report());
        }
        self.0.kill_everything();
    }
}

#[cfg(test)]
mod tests;
