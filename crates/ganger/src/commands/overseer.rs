//! `ganger overseer`: the process that decides, started by the keeper with the words that the user typed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use ganger_api::{Environment, Place};
use ganger_logs::{From, Limits, Marks, Store};
use ganger_overseer::{Config, Line, Messenger, Reading, Start, Viewer};
use ganger_spec::{Group, Loaded, LogName, Settings, Spec, Stderr, WorkerName};

use crate::ask::directory;
use crate::cli::{self, Command, LogFormat, StartArgs};
use crate::failure::{Failure, Outcome};
use crate::load;
use crate::printer::{Options, Printer, System};

/// So many rotated files of each worker are kept where the spec says nothing.
const LOG_BACKUPS: u32 = 5;
/// The printer may lag by this much behind a worker before that worker has to wait.
const UNREAD_BYTES: u64 = 64 << 20;
/// A terminal that takes no output for this long is not waited for at the end.
const PRINTED_WITHIN: Duration = Duration::from_secs(5);

/// Oversees what these words say.
pub(crate) fn run(words: Vec<OsString>) -> Outcome {
    if std::env::var_os(ganger_keeper::DESCRIPTOR_VARIABLE).is_none() {
        let failure = Failure::usage("the overseer is started by its keeper");
        return Err(failure.hinted("`ganger start` starts both"));
    }
    let cli = match cli::parse(std::iter::once("ganger".into()).chain(words)) {
        Ok(cli) => cli,
        Err(shown) => return Ok(shown),
    };
    let Some(Command::Start(args)) = cli.command else {
        return Err(Failure::usage("only `start` has an overseer"));
    };
    ganger_keeper::ignore_terminal_signals();
    let options = load::options(&cli.place, &args.spec, &args.names)?;
    let environment = Environment::of_process();
    let mut inherited = options.inherited.clone();
    inherited.remove(std::ffi::OsStr::new(ganger_keeper::DESCRIPTOR_VARIABLE));
    let place = Place::of(&directory(&cli.place)?, &environment)?;
    let marks = place.runtime.join("printed");
    let config = Config {
        place,
        environment,
        load: Box::new(move |reading| {
            ganger_spec::load(&ganger_spec::Options { again: reading == Reading::Again, ..options.clone() })
        }),
        inherited,
        limits: Limits {
            file_bytes: ganger_spec::LOG_FILE_BYTES,
            backups: LOG_BACKUPS,
            unread_bytes: UNREAD_BYTES,
            ..Limits::default()
        },
        viewer: Box::new(move |store, loaded, messenger| view(&args, &marks, store, loaded, messenger)),
    };
    Ok(ExitCode::from(ganger_overseer::run(config)?))
}

/// The printer on our own stdout.
fn view(
    args: &StartArgs,
    marks: &Path,
    store: Store,
    loaded: &Loaded,
    messenger: Messenger,
) -> std::io::Result<Box<dyn Viewer>> {
    let output = std::io::stdout().as_fd().try_clone_to_owned()?;
    let options = printing(args, loaded.settings, longest_name(&loaded.spec), &output);
    let broken = Box::new(move |error| messenger.output_broken(error));
    let marks = Marks::open(marks)?;
    let left = marks.positions();
    let printer = Printer::start(store, options, output, marks, broken)?;
    let terminal = Terminal { printer, left };
    for warning in &loaded.warnings {
        terminal.system(format!("warning: {warning}"));
    }
    if !loaded.left_out.is_empty() {
        let names = loaded.left_out.join(", ");
        terminal.system(format!("not started, as the formation does not name them: {names} (add all=1)"));
    }
    Ok(Box::new(terminal))
}

/// The command line counts before `.foreman`, and that before what suits the output.
fn printing(args: &StartArgs, settings: Settings, name_width: usize, output: &OwnedFd) -> Options {
    let timestamps = args.wants_timestamps().or(settings.timestamps).unwrap_or(false);
    let json = args.log_format == LogFormat::Json;
    let suiting = Options { json, name_width, ..Options::suiting(output, args.no_color, timestamps) };
    match args.wants_color().or(settings.color) {
        Some(color) => Options { color, ..suiting },
        None => suiting,
    }
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
    /// How far the viewer of the overseer before had come.
    left: BTreeMap<String, u64>,
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

    fn say(&self, line: Line) {
        let Line { log, at, text, ends_run } = line;
        let log = log.unwrap_or_else(|| "system".to_owned());
        self.printer.system(System { log, at, text, ends_run });
    }

    fn finish(self: Box<Self>) {
        // A terminal that takes nothing any more gets nothing any more.
        let _ = self.printer.finish(PRINTED_WITHIN);
    }
}
