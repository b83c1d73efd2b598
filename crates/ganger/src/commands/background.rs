//! `ganger start -D`: starts the app in the background and waits until it is up.
//!
//! The keeper gets a session of its own and no terminal. It tells us what it tells a service manager, on a socket that
//! is there for this start alone; what kept the overseer from coming up is said there too.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ganger_api::{Data, Place, Request, WantedState, WorkerInfo, WorkerState};
use ganger_keeper::{Detached, Exit, Happened, Launch, SOCKET_VARIABLE, detach};

use super::daemon::program;
use super::readiness;
use crate::ask::{ask_at, current_dir, made_here, unexpected};
use crate::cli::{StartArgs, Where};
use crate::failure::{FAILED, Failure, Outcome};
use crate::load;

/// An app that is not up by then goes on coming up without being waited for.
const UP_WITHIN: Duration = Duration::from_secs(90);
/// An app of which nothing could be started is gone by then.
const GONE_WITHIN: Duration = Duration::from_mins(1);
/// The longest message that is understood.
const MESSAGE_MAX: usize = 64 << 10;
/// How a line of what kept the overseer from coming up begins.
const FAILURE: &str = "X_GANGER_FAILURE=";
/// How a line of what may help begins.
const HINT: &str = "X_GANGER_HINT=";
/// What only the app's own service manager is to read.
const MANAGERS: [&str; 3] = [SOCKET_VARIABLE, "WATCHDOG_USEC", "WATCHDOG_PID"];

/// Starts it.
pub(crate) fn run(place: &Where, args: &StartArgs) -> Outcome {
    let mut options = load::options(place, &args.spec, &args.names)?;
    options.background = true;
    let loaded = ganger_spec::load(&options)?;
    for warning in &loaded.warnings {
        say(&format!("warning: {warning}"));
    }
    let here = made_here(place)?;
    let (starter, detached) = begin(&here, std::env::args_os().skip(1))?;
    if args.wait {
        let ready = readiness::wait(&here, &[], Some(&loaded.spec), args.wait_timeout)?.len();
        let (app, plural) = (&loaded.spec.app, if ready == 1 { "worker" } else { "workers" });
        writeln!(
            io::stdout(),
            "{app} runs in the background: {ready} {plural} ready (pid {})",
            detached.pid()
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let workers = workers(&here)?;
    let is_down = |worker: &&WorkerInfo| matches!(worker.state, WorkerState::Backoff | WorkerState::Fatal);
    let failed: Vec<&WorkerInfo> = workers.iter().filter(is_down).collect();
    let wanted = workers.iter().filter(|worker| worker.wanted == WantedState::Up).count();
    if !failed.is_empty() && failed.len() == wanted {
        return Err(give_up(&here, &starter, &detached, &loaded.spec.app, &failed));
    }
    for worker in &failed {
        say(&format!("{} is not up: {}", worker.name, worker.why));
    }
    let (app, up) = (&loaded.spec.app, wanted - failed.len());
    let plural = if up == 1 { "worker" } else { "workers" };
    writeln!(io::stdout(), "{app} runs in the background: {up} {plural} (pid {})", detached.pid())?;
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// Starts a keeper with these words in a session of its own; returns when the app is up.
pub(crate) fn begin(
    place: &Place,
    words: impl IntoIterator<Item = OsString>,
) -> Result<(Starter, Detached), Failure> {
    let starter = Starter::listen(place)?;
    let detached = detach(&launch(&starter.path, words, current_dir()?)?).map_err(Failure::new)?;
    starter.wait(&detached)?;
    Ok((starter, detached))
}

/// Starts a keeper with these words in the background, in this directory and with this umask, if any; returns when the app is up.
pub(crate) fn detach_with(
    place: &Where,
    words: Vec<OsString>,
    dir: PathBuf,
    umask: Option<u32>,
) -> Result<(), Failure> {
    let here = made_here(place)?;
    let starter = Starter::listen(&here)?;
    let launch = Launch { umask, ..launch(&starter.path, words, dir)? };
    let detached = detach(&launch).map_err(Failure::new)?;
    starter.wait(&detached)
}

/// Tells whoever waits in [`run`] what kept the overseer from coming up. It has no other way to say it.
pub(crate) fn tell_starter(failure: &Failure) {
    let Some(path) = std::env::var_os(SOCKET_VARIABLE) else { return };
    let lines = failure.message.lines().map(|line| format!("{FAILURE}{line}"));
    let hints = failure.hint.iter().flat_map(|hint| hint.lines()).map(|line| format!("{HINT}{line}"));
    let text = lines.chain(hints).collect::<Vec<_>>().join("\n");
    // Who has gone away does not hear it.
    let _ = UnixDatagram::unbound().and_then(|socket| socket.send_to(text.as_bytes(), path));
}

/// The same words for the keeper, which is told where we listen.
fn launch(socket: &Path, words: impl IntoIterator<Item = OsString>, dir: PathBuf) -> Result<Launch, Failure> {
    let argv = [program()?.into_os_string(), "keeper".into()].into_iter().chain(words).collect();
    let unrelated = |name: &OsStr| MANAGERS.iter().all(|manager| name != *manager);
    let inherited = std::env::vars_os().filter(|(name, _)| unrelated(name));
    let own = (OsString::from(SOCKET_VARIABLE), socket.as_os_str().to_owned());
    let env = inherited.chain([own]).map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        name
    });
    Ok(Launch { argv, env: env.collect(), dir, ..Launch::default() })
}

/// Where the keeper tells how far it is. Nobody else can get there.
pub(crate) struct Starter {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Starter {
    fn listen(place: &Place) -> Result<Self, Failure> {
        // No longer than the name of the API's socket, whose path is known to fit.
        let path = place.runtime.join(format!("s{}", std::process::id()));
        let failed = |error| Failure::new(format!("cannot listen on {}: {error}", path.display()));
        let socket = UnixDatagram::bind(&path).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        Ok(Self { socket, path })
    }

    /// Until the app is up.
    fn wait(&self, detached: &Detached) -> Result<(), Failure> {
        let deadline = Instant::now() + UP_WITHIN;
        loop {
            match detached.watch(&self.socket, deadline).map_err(Failure::new)? {
                Happened::Readable => {
                    let text = self.next();
                    if text.lines().any(|line| line == "READY=1") {
                        return Ok(());
                    }
                    if let Some(failure) = told(&text) {
                        return Err(self.ended(detached, deadline, failure));
                    }
                }
                Happened::Ended(exit) => return Err(unexplained(exit)),
                Happened::Overdue => {
                    let failure = Failure::new(format!("the app is not up after {} s", UP_WITHIN.as_secs()));
                    return Err(failure.hinted("it goes on in the background: see `ganger ps`"));
                }
            }
        }
    }

    /// Nothing is left when it is said why: the keeper ends once its overseer has failed.
    fn ended(&self, detached: &Detached, deadline: Instant, failure: Failure) -> Failure {
        loop {
            match detached.watch(&self.socket, deadline) {
                Ok(Happened::Readable) => drop(self.next()),
                Ok(Happened::Ended(Exit::Code(status))) if status != 0 => {
                    return Failure { status, ..failure };
                }
                Ok(Happened::Ended(_) | Happened::Overdue) | Err(_) => return failure,
            }
        }
    }

    /// Waits until all of it is gone, but not for ever.
    pub(crate) fn wait_end(&self, detached: &Detached) {
        let deadline = Instant::now() + GONE_WITHIN;
        while let Ok(Happened::Readable) = detached.watch(&self.socket, deadline) {
            self.next();
        }
    }

    fn next(&self) -> String {
        let mut buffer = vec![0; MESSAGE_MAX];
        let length = self.socket.recv(&mut buffer).unwrap_or(0);
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        // One that stays is of no use to anybody and goes with the runtime directory.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What the overseer told of its failure.
fn told(text: &str) -> Option<Failure> {
    let after = |prefix: &str| text.lines().filter_map(|line| line.strip_prefix(prefix)).collect::<Vec<_>>();
    let (message, hint) = (after(FAILURE), after(HINT));
    let failure = (!message.is_empty()).then(|| Failure::new(message.join("\n")))?;
    Some(if hint.is_empty() { failure } else { failure.hinted(hint.join("\n")) })
}

fn unexplained(exit: Exit) -> Failure {
    let how = match exit {
        Exit::Code(code) => format!("with status {code}"),
        Exit::Signal(signal) => format!("by signal {signal}"),
        Exit::Unknown => "unseen".to_owned(),
    };
    Failure::new(format!("ganger ended {how} before the app was up"))
        .hinted("`ganger daemon` in this directory shows more")
}

fn workers(place: &Place) -> Result<Vec<WorkerInfo>, Failure> {
    let Data::Workers(info) = ask_at(place, &Request::Workers { names: Vec::new() })? else {
        return Err(unexpected());
    };
    Ok(info.workers)
}

/// Nothing runs: nothing is left behind.
fn give_up(
    place: &Place,
    starter: &Starter,
    detached: &Detached,
    app: &str,
    failed: &[&WorkerInfo],
) -> Failure {
    // If it does not answer, it is gone already or the deadline below says so.
    let _ = ask_at(place, &Request::Quit { now: true });
    let lines: Vec<String> = failed.iter().map(|worker| format!("{}: {}", worker.name, worker.why)).collect();
    let failure = Failure::new(format!("no worker of {app} could be started\n{}", lines.join("\n")));
    let failure = failure.hinted("`ganger check` shows what would run");
    Failure { status: FAILED, ..starter.ended(detached, Instant::now() + GONE_WITHIN, failure) }
}

/// Tells something beside the result; a closed stderr does not matter.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "ganger: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_overseer_tells_becomes_our_failure() {
        let failure = told("X_GANGER_FAILURE=a\nX_GANGER_FAILURE=b\nX_GANGER_HINT=c").unwrap();
        assert_eq!((failure.message.as_str(), failure.hint.as_deref()), ("a\nb", Some("c")));
        assert_eq!(told("STATUS=1 of 1 workers up"), None);
    }
}
