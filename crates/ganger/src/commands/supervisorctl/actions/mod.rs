//! What can be asked for, by its name.

mod daemon;
mod effects;
mod groups;
mod logs;
mod status;

use ganger_api::supervisor::{API_VERSION, ClientError, Fault};

use super::python::Exception;
use super::session::{Session, Trouble, tried};
use super::{Stop, help};

/// What came of an action, if it says nothing.
type Done = Result<(), Trouble>;

/// Exit statuses, those of init scripts.
mod exit {
    pub(super) const GENERIC: u8 = 1;
    pub(super) const INVALID_ARGUMENTS: u8 = 2;
    pub(super) const UNIMPLEMENTED: u8 = 3;
    pub(super) const INSUFFICIENT_PRIVILEGES: u8 = 4;
    pub(super) const NOT_INSTALLED: u8 = 5;
    pub(super) const NOT_RUNNING: u8 = 7;
    /// Of `status`: something that was asked about is stopped.
    pub(super) const STATUS_NOT_RUNNING: u8 = 3;
    /// Of `status`: nobody knows.
    pub(super) const STATUS_UNKNOWN: u8 = 4;
}

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Leave,
}

/// The names of all actions.
pub(super) const NAMES: [&str; 22] = [
    "add", "avail", "clear", "exit", "fg", "help", "maintail", "open", "pid", "quit", "reload", "remove",
    "reread", "restart", "shutdown", "signal", "start", "status", "stop", "tail", "update", "version",
];

/// Does what a line says. What goes wrong is told, and the status remembers it.
pub(super) fn line(session: &mut Session, line: &str) -> Result<Next, Stop> {
    session.disconnect();
    let result = loop {
        match act(session, line) {
            Err(Trouble::Client(ClientError::Status(401))) => match introduced(session) {
                Ok(true) => {}
                // Once more all the same: what the server says to that is told too.
                Ok(false) => break act(session, line),
                Err(trouble) => break Err(trouble),
            },
            result => break result,
        }
    };
    let exception = match result {
        Ok(next) => return Ok(next),
        Err(Trouble::Stop(stop)) => return Err(stop),
        Err(Trouble::Client(error)) => Exception::of(&error),
        Err(Trouble::Exception(exception)) => exception,
    };
    session.status = exit::GENERIC;
    match session.say(&exception.line()) {
        Err(Trouble::Stop(stop)) => Err(stop),
        _ => Ok(Next::GoOn),
    }
}

/// The server does not know us: asks who we are, if there is somebody to ask.
fn introduced(session: &mut Session) -> Result<bool, Trouble> {
    session.say("Server requires authentication")?;
    if !session.interactive {
        session.status = exit::GENERIC;
        return Ok(false);
    }
    let username = session.ask("Username:")?;
    let password = session.ask_secretly("Password:")?;
    session.say("")?;
    session.settings.username = Some(username);
    session.settings.password = Some(password);
    session.disconnect();
    Ok(true)
}

fn act(session: &mut Session, line: &str) -> Result<Next, Trouble> {
    let line = line.trim();
    let questioned;
    let line = match line.strip_prefix('?') {
        Some(rest) => {
            questioned = format!("help {rest}");
            questioned.as_str()
        }
        None => line,
    };
    if line.is_empty() {
        return Ok(Next::GoOn);
    }
    let end = line.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(line.len());
    let (action, argument) = (&line[..end], line[end..].trim());
    match action {
        "quit" | "exit" | "EOF" => {
            session.say("")?;
            return Ok(Next::Leave);
        }
        "help" => help(session, argument),
        "status" => status::status(session, argument),
        "pid" => status::pid(session, argument),
        "start" => effects::start(session, argument),
        "stop" => effects::stop(session, argument),
        "restart" => effects::restart(session, argument),
        "signal" => effects::signal(session, argument),
        "clear" => effects::clear(session, argument),
        "avail" => groups::avail(session, argument),
        "reread" => groups::reread(session, argument),
        "update" => groups::update(session, argument),
        "add" => groups::add(session, argument),
        "remove" => groups::remove(session, argument),
        "tail" => logs::tail(session, argument),
        "maintail" => logs::maintail(session, argument),
        "fg" => logs::fg(session, argument),
        "version" => daemon::version(session, argument),
        "shutdown" => daemon::shutdown(session, argument),
        "reload" => daemon::reload(session, argument),
        "open" => daemon::open(session, argument),
        _ => {
            session.status = exit::GENERIC;
            session.say(&format!("*** Unknown syntax: {line}"))
        }
    }?;
    Ok(Next::GoOn)
}

fn help(session: &mut Session, argument: &str) -> Done {
    if argument.is_empty() {
        return session.say(help::ALL);
    }
    match help::topic(argument) {
        Some(text) => session.say(text),
        None => session.say(&format!("*** No help on {argument}")),
    }
}

/// The action was used in a wrong way: says so, and how it is used.
fn misused(session: &mut Session, action: &str, message: &str, status: u8) -> Done {
    session.say(message)?;
    session.status = status;
    session.say(help::topic(action).unwrap_or_default())
}

/// For an action without arguments: whether there are none.
fn bare(session: &mut Session, action: &str, argument: &str) -> Result<bool, Trouble> {
    if argument.is_empty() {
        return Ok(true);
    }
    misused(session, action, &format!("Error: {action} accepts no arguments"), exit::GENERIC)?;
    Ok(false)
}

const FOREIGN: &str = "Sorry, supervisord responded but did not recognize the supervisor namespace commands that \
     supervisorctl uses to control it.  Please check that the [rpcinterface:supervisor] section is enabled in the \
     configuration file (see sample.conf).";

/// Whether the server is there and speaks our language; if not, that was told.
fn is_up(session: &mut Session) -> Result<bool, Trouble> {
    let url = session.settings.server_url.clone();
    let (message, status) = match session.text("getVersion", &[]) {
        Ok(version) if version == API_VERSION => return Ok(true),
        Ok(version) => (
            format!(
                "Sorry, this version of supervisorctl expects to talk to a server with API version {API_VERSION}, \
                 but the remote version is {version}."
            ),
            exit::NOT_INSTALLED,
        ),
        Err(Trouble::Client(ClientError::Fault(fault))) if fault.code == Fault::UnknownMethod.code() => {
            (FOREIGN.to_owned(), exit::UNIMPLEMENTED)
        }
        Err(Trouble::Client(ClientError::Connect(error)))
            if error.kind() == std::io::ErrorKind::ConnectionRefused =>
        {
            (format!("{url} refused connection"), exit::INSUFFICIENT_PRIVILEGES)
        }
        Err(Trouble::Client(ClientError::Connect(error))) if error.kind() == std::io::ErrorKind::NotFound => {
            (format!("{url} no such file"), exit::NOT_RUNNING)
        }
        Err(other) => {
            session.status = exit::GENERIC;
            return Err(other);
        }
    };
    session.say(&message)?;
    session.status = status;
    Ok(false)
}

/// Remembers a fault in the exit status, unless it is one that does not count.
fn remember(session: &mut Session, code: i64, ignored: Option<Fault>) {
    let dead = [Fault::SpawnError, Fault::AbnormalTermination, Fault::NotRunning];
    match Fault::from_code(code) {
        Some(Fault::Success) => {}
        Some(fault) if Some(fault) == ignored => {}
        Some(fault) if dead.contains(&fault) => session.status = exit::NOT_RUNNING,
        _ => session.status = exit::GENERIC,
    }
}

/// A fault that the action is not prepared for.
fn raised(fault: ganger_api::xmlrpc::Fault) -> Trouble {
    ClientError::Fault(fault).into()
}
