//! Where measures run: a directory in memory, the C programs, ganger, who does the work, and what work.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::files::Logs;
use crate::processes;
use crate::stamps::{self, Stamps};

/// A directory that outlives a boot, so it is on a disk.
const DISK: &str = "/var/tmp";

/// What all measures share.
pub(crate) struct Bed {
    directory: TempDir,
    ganger: PathBuf,
}

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The C program that does nothing else.
    Floor,
    /// Ganger.
    Ganger,
}

/// The two, in the order in which they take turns.
pub(crate) const BOTH: [Who; 2] = [Who::Floor, Who::Ganger];

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'a> {
    /// How many workers.
    pub(crate) workers: u32,
    /// What each does: a mode of `floor/worker.c`.
    pub(crate) mode: &'a str,
    /// The words of the mode after the stamps' path.
    pub(crate) words: &'a [&'a str],
    /// What the floor does with them: a kind of `floor/floor.c`.
    pub(crate) floor: &'a str,
    /// What `ganger.toml` says of the group.
    pub(crate) settings: &'a str,
    /// The command of ganger's that runs it.
    pub(crate) command: &'a str,
    /// Whether its files are on a disk instead of in memory.
    pub(crate) on_disk: bool,
}

impl Task<'_> {
    /// Workers that do nothing, in the foreground.
    pub(crate) const fn idle(workers: u32) -> Self {
        Self {
            workers,
            mode: "idle",
            words: &[],
            floor: "spawn",
            settings: "",
            command: "start",
            on_disk: false,
        }
    }

    /// Workers that do nothing, of an app that prints nothing.
    pub(crate) const fn quiet(workers: u32) -> Self {
        Self { command: "daemon", ..Self::idle(workers) }
    }
}

/// Work in progress. When it is dropped, all of it is ended.
pub(crate) struct Work {
    child: Child,
    who: Who,
    ganger: PathBuf,
    /// When it was launched.
    pub(crate) launched: u64,
    /// Where its workers leave stamps.
    pub(crate) stamps: Stamps,
    /// Where its output goes.
    pub(crate) output: PathBuf,
    // Deleted last.
    place: TempDir,
}

impl Bed {
    /// Compiles the C programs; ganger is expected beside this program.
    pub(crate) fn prepare() -> Result<Self> {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let directory = tempfile::Builder::new().prefix("gb").tempdir_in(base)?;
        let own = std::env::current_exe()?;
        let ganger = own.with_file_name("ganger");
        if !ganger.exists() {
            bail!("{} is not built; use cargo xtask bench", ganger.display());
        }
        for name in ["floor", "worker"] {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("floor").join(name).with_extension("c");
            let mut compiler = Command::new("cc");
            compiler.args(["-O2", "-static", "-Wall", "-o"]).arg(directory.path().join(name)).arg(&source);
            let status = compiler.status().context("there is no C compiler: install gcc")?;
            if !status.success() {
                bail!("{} does not compile", source.display());
            }
        }
        Ok(Self { directory, ganger })
    }

    /// Ganger's program.
    pub(crate) fn ganger(&self) -> &Path {
        &self.ganger
    }

    /// The program of the workers.
    pub(crate) fn worker(&self) -> PathBuf {
        self.directory.path().join("worker")
    }

    /// A new directory in memory.
    pub(crate) fn place(&self) -> Result<TempDir> {
        Ok(tempfile::Builder::new().prefix("gb").tempdir_in(self.directory.path())?)
    }

    /// Launches the workers of a task under `who`.
    pub(crate) fn launch(&self, who: Who, task: Task<'_>) -> Result<Work> {
        let base = if task.on_disk { Path::new(DISK) } else { self.directory.path() };
        let place = tempfile::Builder::new().prefix("gb").tempdir_in(base)?;
        let stamps = Stamps::new(place.path().join("stamps"))?;
        let output = place.path().join("output");
        let mut words: Vec<OsString> = vec![self.worker().into(), task.mode.into(), stamps.path().into()];
        words.extend(task.words.iter().map(OsString::from));
        let mut command = match who {
            Who::Floor => {
                let mut command = Command::new(self.directory.path().join("floor"));
                command.arg(task.floor).arg(task.workers.to_string()).args(&words);
                command
            }
            Who::Ganger => {
                let line = words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
                fs::write(place.path().join("Procfile"), format!("w: {line}\n"))?;
                let settings = format!("[groups.w]\ncount = {}\n{}\n", task.workers, task.settings);
                fs::write(place.path().join("ganger.toml"), settings)?;
                let mut command = ganger(&self.ganger, place.path());
                command.arg(task.command);
                command
            }
        };
        let printed = File::create(&output)?;
        if task.command == "daemon" {
            // What it notes is for a service manager.
            command.stderr(printed.try_clone()?);
        }
        command.stdin(Stdio::null()).stdout(printed).current_dir(place.path());
        let launched = stamps::now();
        let child = command.spawn().with_context(|| format!("cannot start {who:?}"))?;
        Ok(Work { child, who, ganger: self.ganger.clone(), launched, stamps, output, place })
    }
}

/// Ganger, to be run for the app in `place`.
pub(crate) fn ganger(program: &Path, place: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, directory) in [("GANGER_RUNTIME_DIR", "r"), ("GANGER_STATE_DIR", "s")] {
        command.env(name, place.join(directory));
    }
    command.current_dir(place);
    command
}

impl Work {
    /// The PID of the manager.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or(i32::MAX)
    }

    /// The processes that manage: for ganger the keeper and the overseer.
    pub(crate) fn managers(&self) -> Vec<i32> {
        processes::managers(self.pid())
    }

    /// Where all of it is.
    pub(crate) fn directory(&self) -> &Path {
        self.place.path()
    }

    /// The files of its workers' logs.
    pub(crate) fn logs(&self) -> Result<Logs> {
        Logs::below(self.place.path())
    }

    /// Runs a command of ganger's about the app to its end.
    pub(crate) fn command(&self, words: &[&str]) -> Result<()> {
        let status = self.client(words).stdout(Stdio::null()).status()?;
        if status.success() { Ok(()) } else { bail!("ganger {}: {status}", words.join(" ")) }
    }

    /// A command of ganger's about the app, to be run by a measure.
    pub(crate) fn client(&self, words: &[&str]) -> Command {
        let mut command = ganger(&self.ganger, self.place.path());
        command.args(words);
        command
    }

    /// Asks it to stop as its users do: the floor by TERM, ganger by Ctrl-C.
    pub(crate) fn ask_to_stop(&self) -> Result<()> {
        let signal = match self.who {
            Who::Floor => Signal::TERM,
            Who::Ganger => Signal::INT,
        };
        let pid = Pid::from_raw(self.pid()).context("a PID")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Whether the manager has ended.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // Asked first: it is the one who ends its workers.
        let _ = self.ask_to_stop();
        processes::end(&mut self.child);
    }
}
