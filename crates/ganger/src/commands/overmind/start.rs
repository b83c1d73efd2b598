//! `overmind start`: the flags of Overmind as a spec, in this terminal or in the background.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ganger_spec::{Options, OvermindListen, OvermindOptions, Signal};

use super::super::flags::Said;
use super::super::{background, daemon, flags, start};
use super::environment::Surroundings;
use super::{NAME, words};
use crate::cli::Where;
use crate::failure::{Failure, Outcome};

const PROCFILE: &str = "./Procfile";
const SOCKET: &str = "./.overmind.sock";
const COLORS: [u8; 10] = [2, 3, 4, 5, 6, 42, 130, 103, 129, 108];
const PORT: &str = "5000";
const PORT_STEP: u32 = 100;
const FORMATION_PORT_STEP: u32 = 10;
/// The signals that may stop a process.
const SIGNALS: [&str; 8] = ["ABRT", "INT", "KILL", "QUIT", "STOP", "TERM", "USR1", "USR2"];

/// What is to be overseen.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    said: Said,
    /// Where the user was: relative paths begin there.
    at: PathBuf,
    options: OvermindOptions,
}

/// Starts it.
pub(super) fn run(said: Said, here: Surroundings) -> Outcome {
    let Surroundings { dir, files, .. } = here;
    let task = Task::new(said.with("at", [&dir]).with("env-file", &files))?;
    let place = task.place();
    let loaded = ganger_spec::load(&task.options())?;
    if loaded.spec.groups.iter().all(|group| group.count == 0) {
        return Err(Failure::new("No processes to run")
            .hinted("--processes, --ignored-processes or --formation leaves none"));
    }
    if let Some((_, app)) = start::running_here(&place)? {
        let (name, pid) = (app.name, app.keeper_pid);
        let failure = Failure::new(format!("it looks like Overmind is already running: {name} (pid {pid})"));
        return Err(failure.hinted("`overmind status` lists its processes, `overmind quit` ends it"));
    }
    start::clear(&place)?;
    task.remark();
    if task.is_daemon() {
        for warning in &loaded.warnings {
            say(&format!("warning: {warning}"));
        }
        background::detach_with(&place, task.words(), dir, None)?;
        let text = "Daemonized. Use `overmind echo` to view logs and `overmind quit` to gracefully quit daemonized \
                    instance";
        writeln!(io::stdout(), "system | {text}")?;
        return Ok(ExitCode::SUCCESS);
    }
    if io::stdout().is_terminal() {
        let root = loaded.spec.root.file_name().map(|name| name.to_string_lossy().into_owned());
        let title = task.said.value("title").map(str::to_owned).or(root).unwrap_or_default();
        write!(io::stdout(), "\x1b]0;{title} | overmind\x07")?;
        io::stdout().flush()?;
    }
    daemon::keep(task.words(), false, None)
}

impl Task {
    fn new(said: Said) -> Result<Self, Failure> {
        let at = said.value("at").map(PathBuf::from).unwrap_or_default();
        let options = options(&said, &at).map_err(Failure::new)?;
        Ok(Self { said, at, options })
    }

    /// From the words that [`Task::words`] made.
    pub(crate) fn of(words: &[OsString]) -> Result<Self, Failure> {
        let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let unknown = || Failure::usage("it is started by its shell");
        let (name, rest) = words.split_first().ok_or_else(unknown)?;
        let command = words::command(name).filter(|command| command.name == "start").ok_or_else(unknown)?;
        let said = flags::parse(&command.flags(), rest, |_| None).map_err(Failure::usage)?;
        if said.value("at").is_none() {
            return Err(unknown());
        }
        Self::new(said)
    }

    /// The same words for a process that is elsewhere. No variable counts there: all is said.
    fn words(&self) -> Vec<OsString> {
        [NAME, "start"]
            .map(OsString::from)
            .into_iter()
            .chain(self.said.said().into_iter().map(OsString::from))
            .collect()
    }

    /// Whether it runs in the background.
    pub(crate) fn is_daemon(&self) -> bool {
        self.said.is_on("daemonize")
    }

    fn procfile(&self) -> PathBuf {
        absolute(&self.at, self.said.value("procfile").unwrap_or(PROCFILE))
    }

    /// Which app it is.
    pub(crate) fn place(&self) -> Where {
        let root = self.said.value("root").map(|root| absolute(&self.at, root));
        Where { procfile: Some(self.procfile()), root, app: None }
    }

    /// What the files are read with.
    pub(crate) fn options(&self) -> Options {
        let text = |long| self.said.value(long).map(str::to_owned);
        let any_can_die = self.said.is_on("any-can-die");
        let can_die = self.said.list("can-die");
        // What can die is not started again.
        let auto_restart: Vec<String> = self.said.list("auto-restart");
        let auto_restart: Vec<String> =
            auto_restart.into_iter().filter(|name| !any_can_die && !can_die.contains(name)).collect();
        let listed = |names: Vec<String>| (!names.is_empty()).then(|| names.join(","));
        let Where { procfile, root, .. } = self.place();
        Options {
            dir: self.at.clone(),
            file: procfile,
            root,
            env_files: Some(self.said.values("env-file").iter().map(PathBuf::from).collect()),
            formation: text("formation"),
            port: text("port").or_else(|| Some(PORT.to_owned())),
            timeout: text("timeout"),
            can_die: listed(can_die),
            any_can_die,
            auto_restart: listed(auto_restart),
            overmind: Some(Box::new(self.options.clone())),
            inherited: std::env::vars_os().collect(),
            ..Options::default()
        }
    }

    /// Says what is not as it was.
    fn remark(&self) {
        if let Some(config) = self.said.value("tmux-config") {
            say(&format!("--tmux-config {config} is not used: there is no tmux"));
        }
        if let OvermindListen::Tcp(address) = &self.options.listen
            && !["127.", "localhost:", "[::1]:"].iter().any(|own| address.starts_with(own))
        {
            say(&format!("whoever reaches {address} can stop this app: there is no password"));
        }
    }
}

impl Said {
    /// With all of these said of a flag.
    fn with<P: AsRef<Path>>(mut self, long: &'static str, paths: impl IntoIterator<Item = P>) -> Self {
        let paths = paths.into_iter().map(|path| path.as_ref().to_string_lossy().into_owned());
        self.set(long, paths.collect());
        self
    }
}

fn absolute(at: &Path, path: &str) -> PathBuf {
    at.join(path).components().collect()
}

fn options(said: &Said, at: &Path) -> Result<OvermindOptions, String> {
    Ok(OvermindOptions {
        port_step: said.number("port-step")?.unwrap_or(PORT_STEP),
        formation_port_step: said.number("formation-port-step")?.unwrap_or(FORMATION_PORT_STEP),
        no_port: said.is_on("no-port"),
        processes: said.list("processes"),
        ignored: said.list("ignored-processes"),
        stop_signals: stop_signals(said.value("stop-signals").unwrap_or_default())?,
        shell: said.value("shell").unwrap_or("sh").to_owned(),
        listen: listen(said, at)?,
        colors: colors(said.value("colors").unwrap_or_default())?,
        timestamps: said.is_on("show-timestamps"),
    })
}

/// Where commands are answered.
fn listen(said: &Said, at: &Path) -> Result<OvermindListen, String> {
    let socket = said.value("socket").unwrap_or(SOCKET);
    match network(said)? {
        Network::Unix => Ok(OvermindListen::Unix(absolute(at, socket))),
        Network::Tcp => Ok(OvermindListen::Tcp(socket.to_owned())),
    }
}

/// How a socket is reached.
pub(super) enum Network {
    Unix,
    Tcp,
}

pub(super) fn network(said: &Said) -> Result<Network, String> {
    match said.value("network").unwrap_or("unix") {
        "unix" => Ok(Network::Unix),
        "tcp" | "tcp4" | "tcp6" => Ok(Network::Tcp),
        other => Err(format!("--network: unknown network {other} (unix, tcp, tcp4 or tcp6)")),
    }
}

/// The socket or the address of a client's flags.
pub(super) fn socket(said: &Said) -> &str {
    said.value("socket").unwrap_or(SOCKET)
}

fn colors(text: &str) -> Result<Vec<u8>, String> {
    if text.is_empty() {
        return Ok(COLORS.to_vec());
    }
    text.split(',')
        .map(|code| code.trim().parse().map_err(|_| format!("Invalid xterm color code: {code}")))
        .collect()
}

fn stop_signals(text: &str) -> Result<BTreeMap<String, Signal>, String> {
    let parts = text.split(',').filter(|_| !text.is_empty());
    parts
        .map(|part| {
            let pair = part.split_once('=').map(|(name, signal)| (name.trim(), signal.trim()));
            let Some((name, signal)) = pair.filter(|(name, _)| !name.is_empty()) else {
                return Err(format!("Invalid stop-signals format: {part} (web=TERM)"));
            };
            let known = SIGNALS.contains(&signal).then(|| signal.parse().ok()).flatten();
            let known = known.ok_or_else(|| format!("Invalid signal: {signal} ({})", SIGNALS.join(", ")))?;
            Ok((name.to_owned(), known))
        })
        .collect()
}

/// Tells something beside the result; a closed stderr does not matter.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{NAME}: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(words: &[&str]) -> Result<Task, String> {
        let words = ["start", "--at=/app"].iter().chain(words).map(OsString::from);
        Task::of(&words.collect::<Vec<_>>()).map_err(|failure| failure.message)
    }

    #[test]
    fn flags_become_a_spec_and_the_words_say_them_again() {
        let task = task(&[
            "-f",
            "Procfile.dev",
            "-l",
            "web, job",
            "-c",
            "job",
            "-r",
            "job,css",
            "-i",
            "web=QUIT",
            "-b",
            "1,255",
            "-T",
            "-D",
            "-s",
            "run/o.sock",
            "-P",
            "0",
        ])
        .unwrap();
        assert!(task.is_daemon());
        let options = task.options();
        assert_eq!(options.file.as_deref(), Some(Path::new("/app/Procfile.dev")));
        assert_eq!((options.can_die.as_deref(), options.auto_restart.as_deref()), (Some("job"), Some("css")));
        assert_eq!(
            (options.port.as_deref(), options.env_files.as_deref()),
            (Some("5000"), Some([].as_slice()))
        );
        let overmind = options.overmind.unwrap();
        assert_eq!(overmind.listen, OvermindListen::Unix("/app/run/o.sock".into()));
        assert_eq!((overmind.colors.as_slice(), overmind.port_step), ([1, 255].as_slice(), 0));
        assert_eq!(overmind.processes, ["web", "job"]);
        assert_eq!(overmind.stop_signals["web"], Signal::QUIT);
        let again = Task::of(&task.words()[1..]).unwrap();
        assert_eq!(again.said, task.said);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (words, message) in [
            (["-b", "256"], "Invalid xterm color code: 256"),
            (["-i", "web"], "Invalid stop-signals format: web (web=TERM)"),
            (["-i", "web=HUP"], "Invalid signal: HUP (ABRT, INT, KILL, QUIT, STOP, TERM, USR1, USR2)"),
            (["-S", "udp"], "--network: unknown network udp (unix, tcp, tcp4 or tcp6)"),
            (["-P", "x"], "invalid value \"x\" for --port-step: not a number"),
        ] {
            assert_eq!(task(&words).unwrap_err(), message);
        }
    }

    #[test]
    fn another_network_takes_an_address() {
        let task = task(&["-S", "tcp", "-s", ":4321", "--any-can-die", "-r", "all"]).unwrap();
        assert_eq!(task.options.listen, OvermindListen::Tcp(":4321".to_owned()));
        assert_eq!(task.options().auto_restart, None);
    }
}
