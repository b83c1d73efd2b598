//! The words of the command line: the one definition of each command and flag.

mod act;
mod attach;
mod top;
mod ui;
mod upgrade;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) use act::{NamesArgs, ScaleArgs, SignalArgs};
pub(crate) use attach::AttachArgs;
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use ganger_spec::Terminals;
pub(crate) use top::{Column, TopArgs};
pub(crate) use ui::UiArgs;
pub(crate) use upgrade::UpgradeArgs;

use crate::commands::ImportArgs;
use crate::failure::USAGE;
use crate::stamp::Stamp;

/// The overseer of your workers: runs the processes of a Procfile and never loses one.
#[derive(Debug, Parser)]
#[command(name = "ganger", version, disable_help_subcommand = true, max_term_width = 100)]
#[command(after_help = "Exit status: 0 done, 1 failed or unknown name, 2 wrong usage. \
`start` and `run` pass on the status of what they ran.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: Where,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Which app a command is about.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Where {
    /// The Procfile, or a file in the native form if it ends in .toml
    #[arg(short = 'f', long, visible_alias = "file", global = true, value_name = "FILE")]
    pub(crate) procfile: Option<PathBuf>,
    /// The app's directory
    #[arg(short = 'd', long, global = true, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// A running app, by its name, directory or id
    #[arg(long, global = true, value_name = "APP", conflicts_with_all = ["procfile", "root"])]
    pub(crate) app: Option<String>,
}

/// `--procfile` without its short form, for commands whose `-f` follows. It takes the place of the global flag.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LongProcfile {
    /// The Procfile, or a file in the native form if it ends in .toml
    #[arg(id = "procfile", long = "procfile", visible_alias = "file", value_name = "FILE")]
    procfile: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the app in this terminal; or, while it runs, bring workers up
    Start(StartArgs),
    /// Run the app, or all that were added, without a terminal until told to end: for systemd and containers
    Daemon(DaemonArgs),
    /// Add, remove and list the apps that one daemon oversees
    #[command(subcommand)]
    App(AppCommand),
    /// Run one command or one worker in this terminal with the app's environment
    Run(RunArgs),
    /// Check the files and show what would run
    Check(CheckArgs),
    /// Print the ganger.toml that says what a supervisord.conf or a process-compose.yaml says
    Import(ImportArgs),
    /// List the workers
    #[command(visible_alias = "status")]
    Ps(ListArgs),
    /// Show what workers use, again and again: CPU, memory, processes, descriptors, I/O
    Top(TopArgs),
    /// Show workers and what they write on the whole terminal, and act on them by keys
    Ui(UiArgs),
    /// Bring workers down and keep them down
    Stop(NamesArgs),
    /// End the present run of workers and start new ones
    Restart(NamesArgs),
    /// Set how many workers groups have: web=3 worker=0
    Scale(ScaleArgs),
    /// Show what workers wrote
    Logs(LogsArgs),
    /// See the terminal of a worker in this one and type there
    #[command(visible_alias = "connect")]
    Attach(AttachArgs),
    /// Send a signal to the main process of workers
    Signal(SignalArgs),
    /// Show the environment of a worker, a group or the app
    Env(EnvArgs),
    /// Show the port of each worker and who holds it
    Ports(ListArgs),
    /// Show where lines are forwarded to, and how far that is
    Forwards(JsonArgs),
    /// Tell why a worker is as it is
    Why(WhyArgs),
    /// Show what happened
    Events(EventsArgs),
    /// Read the files again and restart the workers whose spec changed
    Reload(ReloadArgs),
    /// Stop every worker and end
    Quit(QuitArgs),
    /// Put another ganger in place of the one that runs, and let the workers run on
    Upgrade(UpgradeArgs),
    /// Show what this machine lets ganger do, and where its things are
    Doctor(JsonArgs),
    /// Run the programs of a supervisord.conf, as supervisord does; also when called by that name
    #[command(disable_help_flag = true)]
    Supervisord(InnerArgs),
    /// Talk to a supervisord, as its supervisorctl does; also when called by that name
    #[command(disable_help_flag = true)]
    Supervisorctl(InnerArgs),
    /// Do what overmind does, with its flags and variables; also when called by that name
    #[command(disable_help_flag = true)]
    Overmind(InnerArgs),
    /// Do what foreman does, with its flags; also when called by that name
    #[command(disable_help_flag = true)]
    Foreman(InnerArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Print the version
    Version(JsonArgs),
    /// The process that decides; the keeper starts it
    #[command(hide = true)]
    Overseer(InnerArgs),
    /// The process that holds the workers of an app in the background; `start -D` starts it
    #[command(hide = true)]
    Keeper(InnerArgs),
    /// Says whether this program could take the place of a keeper, which starts it; `upgrade` asks for that
    #[command(hide = true)]
    Attempt(InnerArgs),
}

/// What is said about the spec beside its files.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SpecArgs {
    /// Files of variables instead of .env
    #[arg(short = 'e', long = "env", value_name = "FILE,…", value_delimiter = ',')]
    pub(crate) env: Vec<PathBuf>,
    /// How many workers of each group: web=2,all=1
    #[arg(short = 'm', long, value_name = "GROUP=N,…")]
    pub(crate) formation: Option<String>,
    /// The base of the ports
    #[arg(short = 'p', long, value_name = "PORT")]
    pub(crate) port: Option<String>,
    /// How long a stop may take before everything left is killed: seconds, or 1m30s
    #[arg(short = 't', long, value_name = "TIME")]
    pub(crate) timeout: Option<String>,
    /// The end of these groups does not end the app
    #[arg(long, value_name = "GROUP,…")]
    pub(crate) can_die: Option<String>,
    /// No end ends the app
    #[arg(long)]
    pub(crate) any_can_die: bool,
    /// These groups, or all, are started again whenever they end
    #[arg(long, value_name = "GROUP,…")]
    pub(crate) auto_restart: Option<String>,
    /// Send lines there too: journald or a syslog server, as `to` of ganger.toml names them
    #[arg(long, value_name = "PLACE")]
    pub(crate) forward: Vec<String>,
}

/// `ganger start`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StartArgs {
    /// Groups to start, all if none; while the app runs: workers, groups, globs or all
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Start it in the background and return when it is up
    #[arg(short = 'D', long)]
    pub(crate) daemon: bool,
    /// With -D, or while the app runs: return when every worker is ready, or has done its work
    #[arg(long)]
    pub(crate) wait: bool,
    /// With --wait: how long that may take; then it is said who is not ready, and why
    #[arg(long, value_name = "TIME", requires = "wait", default_value = "5m", value_parser = ganger_spec::parse_duration)]
    pub(crate) wait_timeout: std::time::Duration,
    /// Show it on the whole terminal, as `ganger ui` does; it ends with the screen
    #[arg(long, conflicts_with = "daemon")]
    pub(crate) ui: bool,
    /// Go on with the workers that survived when all of ganger was killed
    #[arg(long, conflicts_with = "end_survivors")]
    pub(crate) adopt: bool,
    /// First end the workers that survived when all of ganger was killed: usual where a terminal had them
    #[arg(long)]
    pub(crate) end_survivors: bool,
    /// Give each worker a terminal of its own, unless its group says otherwise: usual where stdout is a terminal
    #[arg(long, overrides_with = "no_tty")]
    pub(crate) tty: bool,
    /// Give no worker a terminal
    #[arg(long, overrides_with = "tty")]
    pub(crate) no_tty: bool,
    /// Print what workers write, byte for byte: without it, colours on a terminal and else no escape sequences
    #[arg(long)]
    pub(crate) raw: bool,
    /// Begin each line with the time
    #[arg(long, alias = "timestamp", overrides_with = "no_timestamps")]
    pub(crate) timestamps: bool,
    /// Begin no line with the time
    #[arg(long, alias = "no-timestamp", overrides_with = "timestamps")]
    pub(crate) no_timestamps: bool,
    /// Colour the names, also where stdout is no terminal
    #[arg(short = 'c', long, overrides_with = "no_color")]
    pub(crate) color: bool,
    /// Do not colour the names
    #[arg(long, overrides_with = "color")]
    pub(crate) no_color: bool,
    /// What lines look like: text for people, or a JSON object each
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) log_format: LogFormat,
    /// Print what came of it as JSON, while the app runs
    #[arg(long)]
    pub(crate) json: bool,
}

/// What the lines of `ganger start` look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// A name, a bar and the line
    #[default]
    Text,
    /// An object with time, worker, run and text
    Json,
}

impl StartArgs {
    /// Which workers have a terminal: where nothing is said, those that it `suits`.
    pub(crate) fn terminals(&self, suits: bool) -> Terminals {
        match said(self.tty, self.no_tty) {
            Some(false) => Terminals::None,
            Some(true) => Terminals::Usual,
            None if suits => Terminals::Usual,
            None => Terminals::AsSaid,
        }
    }

    /// Whether times are asked for; none if nothing is said.
    pub(crate) fn wants_timestamps(&self) -> Option<bool> {
        said(self.timestamps, self.no_timestamps)
    }

    /// Whether colours are asked for; none if nothing is said.
    pub(crate) fn wants_color(&self) -> Option<bool> {
        said(self.color, self.no_color)
    }
}

fn said(yes: bool, no: bool) -> Option<bool> {
    (yes || no).then_some(yes)
}

/// `ganger daemon`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DaemonArgs {
    /// Groups to start, all if none
    #[arg(value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// The Procfile, or a file in the native form if it ends in .toml; as -f
    #[arg(short = 'c', long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Print what workers write on stdout, as `start` does
    #[arg(long)]
    pub(crate) output: bool,
}

impl DaemonArgs {
    /// Which app it is about: `-c` says it as `-f` does.
    pub(crate) fn place(&self, place: &Where) -> Where {
        Where { procfile: self.config.clone().or_else(|| place.procfile.clone()), ..place.clone() }
    }
}

/// `ganger app`.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum AppCommand {
    /// Oversee one more app, from now on and after each start of the daemon
    Add(AppAddArgs),
    /// Stop an app and oversee it no more; its logs and its state stay
    Remove(AppRemoveArgs),
    /// List the apps
    #[command(visible_alias = "ls")]
    List(JsonArgs),
}

/// `ganger app add`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AppAddArgs {
    /// Its directory
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// app/deployment, or app for its main deployment; else the directory's name
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ganger app remove`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AppRemoveArgs {
    /// app/deployment, or app for its main deployment
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ganger overseer`, `ganger keeper` and the names of other programs, which read their words themselves.
#[derive(Args, Clone, Debug)]
pub(crate) struct InnerArgs {
    /// The words that the user typed
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<OsString>,
}

/// `ganger run`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RunArgs {
    /// Name what can be run
    #[arg(long)]
    pub(crate) list: bool,
    /// With --list: as JSON
    #[arg(long, requires = "list")]
    pub(crate) json: bool,
    /// Files of variables instead of .env
    #[arg(short = 'e', long = "env", value_name = "FILE,…", value_delimiter = ',')]
    pub(crate) env: Vec<PathBuf>,
    /// The base of the ports
    #[arg(short = 'p', long, value_name = "PORT")]
    pub(crate) base_port: Option<String>,
    #[command(flatten)]
    pub(crate) worker: RunWorkerArgs,
    /// A group, or a command and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "GROUP|COMMAND")]
    pub(crate) words: Vec<OsString>,
}

/// What can be said about one worker, before or after the name of its group.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RunWorkerArgs {
    /// Set QUEUE to this
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,
    /// Set PORT to this
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
}

/// What follows the name of a group in `ganger run GROUP …`.
#[derive(Clone, Debug, Default, Parser, PartialEq, Eq)]
#[command(name = "ganger run GROUP", no_binary_name = true, disable_help_flag = true)]
pub(crate) struct AfterGroup {
    #[command(flatten)]
    pub(crate) worker: RunWorkerArgs,
    /// Arguments that are added to the group's command
    #[arg(last = true)]
    pub(crate) args: Vec<OsString>,
}

/// `ganger check`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckArgs {
    /// Groups that would be started, all if none
    #[arg(value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A command without names.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JsonArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A list of workers.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListArgs {
    /// Workers, groups, globs or all
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ganger logs`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogsArgs {
    /// Workers, groups, globs or all
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) long_procfile: LongProcfile,
    /// Go on with lines as they are written
    #[arg(short = 'f', long)]
    pub(crate) follow: bool,
    /// At most this many of the last lines
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) lines: Option<u32>,
    /// Leave out the stderr of workers that keep it apart
    #[arg(long, conflicts_with = "stderr")]
    pub(crate) stdout: bool,
    /// Only the stderr of workers that keep it apart
    #[arg(long)]
    pub(crate) stderr: bool,
    /// Nothing older: 10m, 2h, 12:30 or 2026-11-22T10:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Only what was written before
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<String>,
    /// Only lines in which this regular expression is found
    #[arg(long, value_name = "REGEX")]
    pub(crate) grep: Option<String>,
    /// --grep takes small and capital letters for the same
    #[arg(short = 'i', long, requires = "grep")]
    pub(crate) ignore_case: bool,
    /// Only lines in which --grep finds nothing
    #[arg(short = 'v', long, requires = "grep")]
    pub(crate) invert_match: bool,
    /// Begin each line with its time: clock (12:30:05, as without FORMAT), iso, unix, or with %, as strftime has it
    #[arg(
        short = 't', long, value_name = "FORMAT", num_args = 0..=1, require_equals = true,
        default_missing_value = "clock", conflicts_with = "json"
    )]
    pub(crate) timestamps: Option<Stamp>,
    /// Begin each line with the name of its worker, as without this flag
    #[arg(long = "names", overrides_with = "no_names")]
    pub(crate) with_names: bool,
    /// Print lines without names
    #[arg(long, overrides_with = "with_names", conflicts_with = "json")]
    pub(crate) no_names: bool,
    /// Print what was written, byte for byte: no names, and escape sequences as they are
    #[arg(long, conflicts_with_all = ["json", "with_names"])]
    pub(crate) raw: bool,
    /// Print a line of JSON for each line
    #[arg(long)]
    pub(crate) json: bool,
    /// Write lines of JSON with the exact bytes for tools: into a file, which is whole or not there, or - for stdout
    #[arg(long, value_name = "FILE", conflicts_with_all = ["follow", "timestamps", "with_names", "no_names", "raw"])]
    pub(crate) export: Option<PathBuf>,
}

/// `ganger env`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EnvArgs {
    /// A worker, or a group, of which the first worker is meant; the app's own environment if none is given
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Tell where each variable comes from and what it hides
    #[arg(long)]
    pub(crate) explain: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ganger why`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WhyArgs {
    /// Workers, groups, globs or all
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ganger events`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventsArgs {
    /// Only events about these: workers, groups or globs
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) long_procfile: LongProcfile,
    /// Go on with events as they happen
    #[arg(short = 'f', long)]
    pub(crate) follow: bool,
    /// Only events after the one with this number
    #[arg(long, value_name = "N")]
    pub(crate) after: Option<u64>,
    /// Print a line of JSON for each event
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ganger reload`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReloadArgs {
    /// Only show what would be done
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ganger quit`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct QuitArgs {
    /// Kill at once, without the stop signal and its timeout
    #[arg(long)]
    pub(crate) now: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ganger completions`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}

/// Processes of ours get the words that the user typed behind their own name, also flags ahead of the command's.
fn with_inner_words(mut cli: Cli, words: &[OsString]) -> Cli {
    if let Some(Command::Overseer(inner) | Command::Keeper(inner) | Command::Attempt(inner)) =
        &mut cli.command
    {
        inner.words = words.iter().skip(2).cloned().collect();
    }
    cli
}

/// What the words mean; or, where that was all, the status after help, the version or a usage error was shown.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, ExitCode> {
    let words: Vec<OsString> = words.into_iter().collect();
    let parsed = Cli::try_parse_from(&words).map(|cli| with_inner_words(cli, &words));
    parsed.map_err(|error| {
        if !error.use_stderr() {
            // Help for somebody who has gone away is no failure.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        let text = error.render().to_string();
        // It begins as every other error of ganger does.
        let text = text.strip_prefix("error: ").map_or(text.clone(), |rest| format!("ganger: {rest}"));
        let _ = std::io::stderr().write_all(text.as_bytes());
        ExitCode::from(USAGE)
    })
}

/// The whole command line, for completions.
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests;
