//! `supervisord`: the daemon under its old name, with the options, the files and the exit codes that scripts know.

mod options;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ganger_overseer::{Line, Start, Survivors, Viewer};
use ganger_spec::{Daemon, Loaded, Spec};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::options::{AT, Given, Parsed};
use super::{background, daemon};
use crate::ask::current_dir;
use crate::cli::Where;
use crate::failure::{Failure, Outcome, USAGE};
use crate::notes::Notes;

/// Its name.
pub(crate) const NAME: &str = "supervisord";
/// The version whose place it takes.
const VERSION: &str = "4.3.0";

/// Under its own name: the first word is the program.
pub(crate) fn run(words: Vec<OsString>) -> Outcome {
    let mut words = words.into_iter();
    let program = words.next().map_or_else(|| NAME.to_owned(), |program| lossy(&program));
    start(&program, words.collect())
}

/// As `ganger supervisord`.
pub(crate) fn run_inner() -> Outcome {
    let mut words = std::env::args_os();
    let ganger = words.next().map_or_else(|| "ganger".to_owned(), |program| lossy(&program));
    // All that follows is its own: `-d` means something else there.
    let words = words.skip_while(|word| word != NAME).skip(1).collect();
    start(&format!("{ganger} {NAME}"), words)
}

fn lossy(word: &OsString) -> String {
    word.to_string_lossy().into_owned()
}

fn start(program: &str, words: Vec<OsString>) -> Outcome {
    try_start(program, words).or_else(|failure| Ok(refuse(program, &failure)))
}

/// Says what is wrong as supervisord does.
pub(crate) fn refuse(program: &str, failure: &Failure) -> ExitCode {
    let hint = failure.hint.as_ref().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    let text = format!("Error: {}\n{hint}For help, use {program} -h\n", failure.message);
    // A closed stderr is no reason to say anything else.
    let _ = io::stderr().write_all(text.as_bytes());
    ExitCode::from(USAGE)
}

fn try_start(program: &str, words: Vec<OsString>) -> Outcome {
    let shown = match parse(&words)? {
        Parsed::Help => options::help(program),
        Parsed::Version => format!("{VERSION}\n"),
        Parsed::Run(given) => return begin(program, words, given),
    };
    // Help for somebody who has gone away is no failure.
    let _ = io::stdout().write_all(shown.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn parse(words: &[OsString]) -> Result<Parsed, Failure> {
    options::parse(&words.iter().map(lossy).collect::<Vec<_>>()).map_err(Failure::usage)
}

fn begin(program: &str, words: Vec<OsString>, given: Given) -> Outcome {
    let here = current_dir()?;
    let file = file(program, &here, given.file.as_deref())?;
    let task = Task { given: Given { at: Some(here.clone()), ..given }, file, at: here };
    let Loaded { mut spec, warnings, .. } = ganger_spec::load(&task.options())?;
    task.amend(&mut spec).map_err(Failure::usage)?;
    for warning in &warnings {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
    let Some(daemon) = &spec.supervisor else {
        return Err(Failure::usage("the file is none of supervisord's"));
    };
    become_user(daemon)?;
    raise_limits(daemon)?;
    let words = task.words(words, daemon);
    // One that runs already is an error here, where somebody reads it.
    let found = daemon::find(&task.place())?;
    if daemon.nodaemon {
        return daemon::keep(words, true, found);
    }
    drop(found);
    let dir = daemon.directory.clone().unwrap_or_else(|| task.at.clone());
    background::detach_with(&task.place(), words, dir, Some(daemon.umask))?;
    Ok(ExitCode::SUCCESS)
}

/// The file that is named, or the first one that is there.
fn file(program: &str, here: &Path, named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(named) = named {
        let file = here.join(named);
        return if file.exists() {
            Ok(file)
        } else {
            Err(Failure::usage(format!("could not find config file {}", named.display())))
        };
    }
    if rustix::process::geteuid().is_root() {
        // Whoever may write to the present directory says what root is to run.
        let _ = writeln!(
            io::stderr(),
            "warning: the file of root is looked for in the usual places, the present directory too; name it with -c"
        );
    }
    let paths = ganger_spec::search_paths(Path::new(program), here);
    paths.iter().find(|path| path.exists()).cloned().ok_or_else(|| {
        let listed: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        Failure::usage(format!(
            "No config file found at default paths ({}); use the -c option to specify a config file at a different \
             path",
            listed.join(", ")
        ))
    })
}

/// Programs run as the user that is said; only root can let them.
fn become_user(daemon: &Daemon) -> Result<(), Failure> {
    let Some(user) = &daemon.user else { return Ok(()) };
    let uid = ganger_keeper::lookup_user(user, None).map_err(Failure::usage)?.uid;
    let own = rustix::process::geteuid();
    if own.is_root() || own.as_raw() == uid {
        return Ok(());
    }
    Err(Failure::usage("Can't drop privilege as nonroot user"))
}

/// Lets this process and all programs have what the file says that they need.
pub(super) fn raise_limits(daemon: &Daemon) -> Result<(), Failure> {
    raise(Resource::Nofile, daemon.minfds, "file descriptors", "minfds")?;
    raise(Resource::Nproc, daemon.minprocs, "processes", "minprocs")
}

/// Lets this process and all that it starts have at least so many.
fn raise(resource: Resource, least: i64, what: &str, key: &str) -> Result<(), Failure> {
    let Ok(least) = u64::try_from(least) else { return Ok(()) };
    let Rlimit { current, maximum } = getrlimit(resource);
    if current.is_none_or(|current| current >= least) {
        return Ok(());
    }
    let wanted = Rlimit { current: Some(least), maximum: maximum.map(|maximum| maximum.max(least)) };
    setrlimit(resource, wanted).map_err(|_| {
        let hard = maximum.map_or_else(|| "unlimited".to_owned(), |maximum| maximum.to_string());
        Failure::usage(format!(
            "The minimum number of {what} required to run this process is {least} as per the \"{key}\" command-line \
             argument or config file setting. The current environment will only allow you to open {hard} {what}.  \
             Either raise the number of usable {what} in your environment or lower the {key} setting in the config \
             file to allow the process to start."
        ))
    })
}

/// What is to be overseen.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    file: PathBuf,
    /// Where the user was: relative paths begin there.
    at: PathBuf,
    given: Given,
}

impl Task {
    /// From the words that [`Task::words`] made.
    pub(crate) fn of(words: &[OsString]) -> Result<Self, Failure> {
        match parse(words)? {
            Parsed::Run(given) if let (Some(file), Some(at)) = (given.file.clone(), given.at.clone()) => {
                Ok(Self { file, at, given })
            }
            Parsed::Run(_) | Parsed::Help | Parsed::Version => {
                Err(Failure::usage("it is started by its shell"))
            }
        }
    }

    /// The same words for a process that is elsewhere.
    fn words(&self, words: Vec<OsString>, daemon: &Daemon) -> Vec<OsString> {
        let at = [OsString::from(format!("--{AT}")), self.at.clone().into_os_string()];
        let file = [OsString::from("-c"), self.file.clone().into_os_string()];
        let flags = [(daemon.nodaemon, "-n"), (daemon.silent, "-s")];
        let flags = flags.into_iter().filter(|(is_so, _)| *is_so).map(|(_, flag)| OsString::from(flag));
        [OsString::from(NAME)].into_iter().chain(at).chain(file).chain(flags).chain(words).collect()
    }

    /// Whether it is in the foreground.
    pub(crate) fn is_foreground(&self) -> bool {
        self.given.has("nodaemon")
    }

    /// Whether it says nothing there.
    pub(crate) fn is_silent(&self) -> bool {
        self.given.has("silent")
    }

    /// Which app it is: the file's directory names it.
    pub(crate) fn place(&self) -> Where {
        Where { procfile: Some(self.file.clone()), ..Where::default() }
    }

    /// What the file is read with.
    pub(crate) fn options(&self) -> ganger_spec::Options {
        ganger_spec::Options {
            dir: self.at.clone(),
            file: Some(self.file.clone()),
            background: true,
            inherited: std::env::vars_os().collect(),
            ..ganger_spec::Options::default()
        }
    }

    /// Puts what the command line says in place of what the file says.
    pub(crate) fn amend(&self, spec: &mut Spec) -> Result<(), String> {
        ganger_spec::amend(spec, &self.given.keys, &self.at)?;
        let user = spec.supervisor.as_ref().and_then(|daemon| daemon.user.clone());
        // Nobody else can let a program run as another user, or needs to.
        for group in spec.groups.iter_mut().filter(|_| rustix::process::geteuid().is_root()) {
            group.user = group.user.take().or_else(|| user.clone());
        }
        Ok(())
    }
}

/// The runs of its app that have no keeper.
pub(crate) fn survivors(words: &[OsString]) -> Result<Option<Survivors>, Failure> {
    daemon::find(&Task::of(words)?.place())
}

/// Shows the main log on stdout, or nothing.
pub(crate) struct Echo(pub(crate) Option<Notes>);

impl Viewer for Echo {
    fn follow(&self, _: &str, _: Start) -> Result<(), ganger_logs::Error> {
        Ok(())
    }

    fn say(&self, _: Line) {}

    fn main_log(&self, line: &str) {
        if let Some(notes) = &self.0 {
            notes.note(line.strip_suffix('\n').unwrap_or(line));
        }
    }

    fn finish(self: Box<Self>) {
        if let Some(notes) = self.0 {
            Box::new(notes).finish();
        }
    }
}
