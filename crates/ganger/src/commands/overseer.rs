//! `ganger overseer`: the process that decides, started by the keeper with the words that the user typed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ganger_api::{Environment, MAIN_DEPLOYMENT, Place};
use ganger_keeper::{Bereaved, Signals};
use ganger_logs::{From, Limits, Marks, Size, Store};
use ganger_overseer::{Config, Heir, Life, Line, Messenger, Office, Reading, Start, Successor, Viewer};
use ganger_spec::{
    Group, Loaded, LogName, Options, Overmind, Settings, Signal, Spec, Stderr, Terminals, WorkerName,
};
use rustix::termios::tcgetwinsize;

use super::background::tell_starter;
use super::daemon::{is_for_all, program};
use super::overmind::{self, Voice};
use super::supervisord::{self, Echo};
use crate::ask::here;
use crate::clean::Keep;
use crate::cli::{self, Command, LogFormat, SpecArgs, StartArgs, Where};
use crate::failure::{Failure, Outcome};
use crate::load;
use crate::notes::Notes;
use crate::printer::{Options as Printing, Printer, System};

/// So many rotated files of each worker are kept where the spec says nothing.
const LOG_BACKUPS: u32 = 5;
/// The printer may lag by this much behind a worker before that worker has to wait.
const UNREAD_BYTES: u64 = 64 << 20;
/// A terminal that takes no output for this long is not waited for at the end.
const PRINTED_WITHIN: Duration = Duration::from_secs(5);

/// However long names are, workers have so many columns to write.
const COLUMNS_MIN: u16 = 20;

/// What a worker gets from nobody but its own manager, and what is ganger's alone.
const NOT_INHERITED: [&str; 4] =
    [ganger_keeper::DESCRIPTOR_VARIABLE, ganger_keeper::SOCKET_VARIABLE, "WATCHDOG_USEC", "WATCHDOG_PID"];

/// What is to be overseen, and how it is shown.
struct Task {
    place: Where,
    groups: Vec<String>,
    spec: SpecArgs,
    life: Life,
    terminals: Terminals,
    shown: Shown,
}

/// What of the app is shown where.
enum Shown {
    /// All that workers write and what happens to them, on stdout.
    Output(StartArgs),
    /// What happens, on stderr.
    Notes(Notes),
    /// supervisord's main log, on stdout if anywhere.
    Main(Option<Notes>),
}

/// Oversees what these words say.
pub(crate) fn run(words: Vec<OsString>) -> Outcome {
    if std::env::var_os(ganger_keeper::DESCRIPTOR_VARIABLE).is_none() {
        let failure = Failure::usage("the overseer is started by its keeper");
        return Err(failure.hinted("`ganger start` starts both"));
    }
    ganger_keeper::take_own_name();
    let becoming =
        |what: &str| std::iter::once(OsString::from(what)).chain(words.clone()).collect::<Vec<_>>();
    let heir = Heir::Overseer(program()?, becoming("keeper"));
    let (keep, attempt) = (becoming("keeper"), becoming("attempt"));
    let successor = Successor { keep, attempt, bereaved: Bereaved::GoOn };
    let cli = match cli::parse(std::iter::once("ganger".into()).chain(words)) {
        Ok(cli) => cli,
        Err(shown) => return Ok(shown),
    };
    ganger_keeper::ignore_terminal_signals();
    match cli.command {
        Some(Command::Start(args)) if args.daemon => {
            let terminals = args.terminals(false);
            let StartArgs { names, spec, .. } = args;
            let (groups, shown) = (names, on_stderr()?);
            let task = Task { place: cli.place, groups, spec, life: Life::Background, terminals, shown };
            oversee(task, Some(heir), successor).inspect_err(tell_starter)
        }
        Some(Command::Start(args)) if args.ui => {
            let terminals = args.terminals(true);
            let StartArgs { names, spec, .. } = args;
            // On a screen it is seen what ended, and started again by a key.
            let spec = SpecArgs { any_can_die: spec.can_die.is_none(), ..spec };
            let (groups, life, shown) = (names, Life::Screen, on_stderr()?);
            let task = Task { place: cli.place, groups, spec, life, terminals, shown };
            oversee(task, None, successor).inspect_err(tell_starter)
        }
        Some(Command::Start(args)) => {
            let (groups, spec, life) = (args.names.clone(), args.spec.clone(), Life::Foreground);
            let suits = std::io::stdout().is_terminal() && args.log_format == LogFormat::Text;
            let terminals = args.terminals(suits);
            let task = Task { place: cli.place, groups, spec, life, terminals, shown: Shown::Output(args) };
            oversee(task, None, successor)
        }
        Some(Command::Daemon(args)) if is_for_all(&cli.place, &args)? => {
            oversee_all(managed_or(heir), successor)
        }
        Some(Command::Daemon(args)) => {
            let heir = managed_or(heir);
            let place = args.place(&cli.place);
            let shown = if args.output { Shown::Output(StartArgs::default()) } else { on_stderr()? };
            let (groups, spec, life) = (args.groups, args.spec, Life::Background);
            let task = Task { place, groups, spec, life, terminals: Terminals::default(), shown };
            oversee(task, Some(heir), successor)
        }
        Some(Command::Supervisord(args)) => oversee_programs(supervisord::Task::of(&args.words)?, heir),
        Some(Command::Overmind(args)) => {
            oversee_as_overmind(&overmind::Task::of(&args.words)?, heir, successor)
        }
        _ => Err(Failure::usage("only `start`, `daemon` and other managers have an overseer")),
    }
}

/// A daemon whose keeper a service manager started is the manager's to start again. (`start -D` tells its starter that it is
/// up as a service tells its manager, but nobody starts it again.)
fn managed_or(heir: Heir) -> Heir {
    if is_managed() { Heir::Manager } else { heir }
}

/// Whether a service manager started the keeper, and starts another when that one dies: it listens to what the keeper says,
/// or names it as the process that it started.
fn is_managed() -> bool {
    let keeper = std::os::unix::process::parent_id().to_string();
    std::env::var_os(ganger_keeper::SOCKET_VARIABLE).is_some()
        || std::env::var_os("SYSTEMD_EXEC_PID").is_some_and(|started| started == *keeper)
}

/// Who goes on with the runs should a program that takes the keeper's place end at once: as when a keeper is killed.
fn bereaved(heir: Option<&Heir>) -> Bereaved {
    match heir {
        Some(Heir::Overseer(..)) => Bereaved::GoOn,
        Some(Heir::Manager) => Bereaved::Wait,
        None => Bereaved::End,
    }
}

fn oversee(task: Task, heir: Option<Heir>, successor: Successor) -> Outcome {
    let Task { place: asked, groups, spec, life, terminals, shown } = task;
    let mut options = load::options(&asked, &spec, &groups)?;
    options.background = life == Life::Background;
    options.terminals = terminals;
    let place = here(&asked)?;
    let successor = Some(Successor { bereaved: bereaved(heir.as_ref()), ..successor });
    let is_on_terminal = life == Life::Foreground && std::io::stdout().is_terminal();
    let resized = is_on_terminal.then(|| Signals::catch(&[Signal::WINCH.number()])).transpose();
    let resized = resized.map_err(|error| Failure::new(format!("cannot watch the terminal: {error}")))?;
    let config = Config { heir, successor, resized, ..config(None, life, place, options, shown) };
    Ok(ExitCode::from(ganger_overseer::run(config)?))
}

/// Oversees the programs of a supervisord.conf.
fn oversee_programs(task: supervisord::Task, heir: Heir) -> Outcome {
    let is_foreground = task.is_foreground();
    let heir = if is_foreground { managed_or(heir) } else { heir };
    let shown = if is_foreground && !task.is_silent() {
        let notes = Notes::start(std::io::stdout());
        Some(notes.map_err(|error| Failure::new(format!("cannot print: {error}")))?)
    } else {
        None
    };
    let place = here(&task.place())?;
    let config = config(None, Life::Background, place, task.options(), Shown::Main(shown));
    let Config { load, .. } = config;
    let load: Box<ganger_overseer::Load> = Box::new(move |reading| {
        let mut loaded = load(reading)?;
        // It was checked when it was typed; what a new file makes of it is checked as that is read.
        let _ = task.amend(&mut loaded.spec);
        Ok(loaded)
    });
    let config = Config { heir: Some(heir), load, ..config };
    match ganger_overseer::run(config).map_err(Failure::from) {
        Ok(status) => Ok(ExitCode::from(status)),
        Err(failure) if is_foreground => Ok(supervisord::refuse(supervisord::NAME, &failure)),
        Err(failure) => {
            tell_starter(&failure);
            Err(failure)
        }
    }
}

/// Oversees what Overmind was to: in the background too it ends with its workers, and no stop outlives it.
fn oversee_as_overmind(task: &overmind::Task, heir: Heir, successor: Successor) -> Outcome {
    let is_daemon = task.is_daemon();
    let (life, heir) = if is_daemon { (Life::Background, Some(heir)) } else { (Life::Foreground, None) };
    let shown = if is_daemon { on_stderr()? } else { Shown::Output(StartArgs::default()) };
    let place = here(&task.place())?;
    let successor = Some(Successor { bereaved: bereaved(heir.as_ref()), ..successor });
    let config =
        Config { heir, successor, recalls: false, ..config(None, life, place, task.options(), shown) };
    match ganger_overseer::run(config).map_err(Failure::from) {
        Ok(status) => Ok(ExitCode::from(status)),
        Err(failure) if is_daemon => {
            tell_starter(&failure);
            Err(failure)
        }
        Err(failure) => Ok(overmind::refuse(&failure)),
    }
}

/// Oversees all apps that were added, each as if it had been started in its directory.
fn oversee_all(heir: Heir, successor: Successor) -> Outcome {
    let environment = Environment::of_process();
    let notes = Notes::start(std::io::stderr());
    let notes = notes.map_err(|error| Failure::new(format!("cannot print: {error}")))?;
    let shown = notes.named(None);
    let office = Office {
        environment: environment.clone(),
        successor: Successor { bereaved: bereaved(Some(&heir)), ..successor },
        heir,
        make: Box::new(move |entry| {
            let options = Options {
                dir: entry.root.clone(),
                background: true,
                inherited: std::env::vars_os().collect(),
                ..Options::default()
            };
            let place = entry.place(&environment)?;
            let name = if entry.deployment == MAIN_DEPLOYMENT { entry.app.clone() } else { entry.name() };
            let shown = Shown::Notes(notes.named(Some(&entry.name())));
            Ok(config(Some(name), Life::Background, place, options, shown))
        }),
        say: Box::new(move |text| shown.note(text)),
    };
    Ok(ExitCode::from(ganger_overseer::run_all(office)?))
}

fn config(name: Option<String>, life: Life, place: Place, options: Options, shown: Shown) -> Config {
    let mut inherited = options.inherited.clone();
    inherited.retain(|name, _| NOT_INHERITED.iter().all(|one| name != *one));
    let marks = place.runtime.join("printed");
    Config {
        name,
        life,
        recalls: true,
        heir: None,
        successor: None,
        place,
        environment: Environment::of_process(),
        load: Box::new(move |reading| {
            ganger_spec::load(&Options { again: reading == Reading::Again, ..options.clone() })
        }),
        inherited,
        limits: Limits {
            file_bytes: ganger_spec::LOG_FILE_BYTES,
            backups: LOG_BACKUPS,
            unread_bytes: UNREAD_BYTES,
            ..Limits::default()
        },
        viewer: Box::new(move |store, loaded, messenger, from| match &shown {
            Shown::Output(args) => view((args, from), &marks, store, loaded, messenger),
            Shown::Notes(notes) => Ok(note(notes, loaded)),
            Shown::Main(notes) => Ok(Box::new(Echo(notes.as_ref().map(|notes| notes.named(None))))),
        }),
        resized: None,
    }
}

/// What is to be said of the files before anything runs.
fn remarks(loaded: &Loaded) -> Vec<String> {
    let mut remarks: Vec<String> =
        loaded.warnings.iter().map(|warning| format!("warning: {warning}")).collect();
    if !loaded.left_out.is_empty() {
        let names = loaded.left_out.join(", ");
        remarks.push(format!("not started, as the formation does not name them: {names} (add all=1)"));
    }
    remarks
}

/// Plain lines on our own stderr.
fn note(notes: &Notes, loaded: &Loaded) -> Box<dyn Viewer> {
    for remark in remarks(loaded) {
        notes.note(&remark);
    }
    Box::new(notes.named(None))
}

/// Lines go to our own stderr.
fn on_stderr() -> Result<Shown, Failure> {
    let notes = Notes::start(std::io::stderr());
    notes.map(Shown::Notes).map_err(|error| Failure::new(format!("cannot print: {error}")))
}

/// The printer on our own stdout.
fn view(
    (args, from): (&StartArgs, Start),
    marks: &Path,
    store: Store,
    loaded: &Loaded,
    messenger: Messenger,
) -> std::io::Result<Box<dyn Viewer>> {
    let output = std::io::stdout().as_fd().try_clone_to_owned()?;
    let overmind = loaded.spec.overmind.as_deref().cloned().map(Arc::new);
    let options = printing(args, loaded.settings, longest_name(&loaded.spec), &output);
    let options = match &overmind {
        Some(looks) => as_overminds(&options, looks),
        None => options,
    };
    let options = Printing { goes_on: from == Start::WhereLeft, ..options };
    let is_bold = options.color;
    let broken = Box::new(move |error| messenger.output_broken(error));
    let marks = Marks::open(marks)?;
    let left = marks.positions();
    let window = output.is_terminal().then(|| output.try_clone()).transpose()?;
    let printer = Printer::start(store, options, output, marks, broken)?;
    let voice = overmind.map(|looks| Voice::new(&looks, is_bold));
    let terminal = Terminal { printer, window, left, voice };
    if let Some(voice) = terminal.voice.as_ref().filter(|_| from == Start::Now) {
        terminal.system(format!("Listening at {}", voice.listens_at));
    }
    for remark in remarks(loaded) {
        terminal.system(remark);
    }
    Ok(Box::new(terminal))
}

/// With names, colours and times as Overmind has them.
fn as_overminds(options: &Printing, looks: &Arc<Overmind>) -> Printing {
    let (timestamps, name_width) = (looks.timestamps, looks.width());
    Printing { timestamps, name_width, overmind: Some(Arc::clone(looks)), ..*options }
}

/// The command line counts before `.foreman`, and that before what suits the output.
fn printing(args: &StartArgs, settings: Settings, name_width: usize, output: &OwnedFd) -> Printing {
    let timestamps = args.wants_timestamps().or(settings.timestamps).unwrap_or(false);
    let json = args.log_format == LogFormat::Json;
    let suiting = Printing { json, name_width, ..Printing::suiting(output, args.no_color, timestamps) };
    let color = args.wants_color().or(settings.color).unwrap_or(suiting.color);
    // Who wants colours where stdout is no terminal wants those of workers, too.
    let keep = Keep::suiting(suiting.keep == Keep::Colors || args.color, args.raw);
    Printing { color, keep, ..suiting }
}

/// The length of the longest name before a line of a worker that is started.
fn longest_name(spec: &Spec) -> usize {
    let started = spec.groups.iter().filter(|group| group.count > 0);
    let length = |group: &Group| {
        let last = WorkerName::new(&group.name, group.count);
        let name = match group.logs.stderr {
            Stderr::Together => LogName::from(last),
            Stderr::Separate => LogName::err(&last),
        };
        name.to_string().len()
    };
    started.map(length).max().unwrap_or(0)
}

/// The foreground's viewer.
struct Terminal {
    printer: Printer,
    /// The terminal, if it is one.
    window: Option<OwnedFd>,
    /// How far the viewer of the overseer before had come.
    left: BTreeMap<String, u64>,
    /// How Overmind says things, if it is to be as that.
    voice: Option<Voice>,
}

impl Terminal {
    fn system(&self, text: String) {
        self.say(Line { log: None, at: 0, text, ends_run: false });
    }
}

impl Viewer for Terminal {
    fn follow(&self, log: &str, from: Start) -> Result<(), ganger_logs::Error> {
        let left = match from {
            Start::Now => None,
            Start::WhereLeft => self.left.get(log).copied(),
        };
        self.printer.add(log, left.map_or(From::End, From::Position))
    }

    /// The columns behind the names: no line of a worker is longer than the window with its name before it.
    fn window(&self) -> Option<Size> {
        let size = tcgetwinsize(self.window.as_ref()?).ok()?;
        let columns = size.ws_col.saturating_sub(self.printer.prefix_columns()).max(COLUMNS_MIN);
        (size.ws_col > 0 && size.ws_row > 0).then_some(Size { columns, rows: size.ws_row })
    }

    fn say(&self, line: Line) {
        let Line { log, at, text, ends_run } = line;
        let text = match &self.voice {
            Some(voice) => voice.say(log.as_deref(), &text, ends_run),
            None => text,
        };
        let log = log.unwrap_or_else(|| "system".to_owned());
        self.printer.system(System { log, at, text, ends_run });
    }

    fn finish(self: Box<Self>) {
        // A terminal that takes nothing any more gets nothing any more.
        let _ = self.printer.finish(PRINTED_WITHIN);
    }
}
