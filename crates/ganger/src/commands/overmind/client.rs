//! The commands that talk to an app that runs, over its socket.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use ganger_api::limits::MAX_SOCKET_PATH_BYTES;
use ganger_api::overmind::{ANSWERED, Ask, DONE, FAILED, HINT};

use super::super::attach;
use super::super::flags::Said;
use super::start::{Network, network, socket};
use crate::cli::{self, Command};
use crate::failure::{Failure, Outcome};

/// Ganger says within this that it will answer; an Overmind never does.
const GREETED_WITHIN: Duration = Duration::from_secs(10);
/// Any effect takes less, and a table as well.
const ANSWERED_WITHIN: Duration = Duration::from_hours(1);

/// A connection to the socket of an app.
enum Line {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Line {
    fn open(said: &Said) -> Result<Self, Failure> {
        let name = socket(said);
        let opened = match network(said).map_err(Failure::new)? {
            Network::Unix => unix(Path::new(name)).map(Self::Unix),
            Network::Tcp => {
                let own = if name.starts_with(':') { format!("127.0.0.1{name}") } else { name.to_owned() };
                TcpStream::connect(own).map(Self::Tcp)
            }
        };
        opened.map_err(|error| {
            let failure = Failure::new(format!("cannot reach {name}: {error}"));
            failure.hinted("is the app started? `overmind start` makes the socket, --socket names another")
        })
    }

    /// How long a read may take; for ever if nothing is said.
    fn wait_at_most(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_read_timeout(timeout),
            Self::Tcp(stream) => stream.set_read_timeout(timeout),
        }
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Connects to a socket, whose path may be longer than the kernel takes.
fn unix(path: &Path) -> io::Result<UnixStream> {
    if path.as_os_str().len() < MAX_SOCKET_PATH_BYTES {
        return UnixStream::connect(path);
    }
    let dir = File::open(path.parent().unwrap_or(Path::new(".")))?;
    let name = path.file_name().unwrap_or_default();
    let short: PathBuf = ["/proc/self/fd", &dir.as_raw_fd().to_string()].iter().collect();
    UnixStream::connect(short.join(name))
}

/// Asks for it; shows what comes back.
pub(super) fn ask(said: &Said, ask: Ask) -> Outcome {
    match ask {
        Ask::Status => show(said, &ask, Some(ANSWERED_WITHIN)),
        // It may be long before there is something to show.
        Ask::Echo => show(said, &ask, None),
        ask => act(said, &ask).map(|_| ExitCode::SUCCESS),
    }
}

fn show(said: &Said, ask: &Ask, timeout: Option<Duration>) -> Outcome {
    let mut line = Line::open(said)?;
    line.write_all(ask.line().as_bytes()).map_err(|error| broken(&error))?;
    line.wait_at_most(timeout).map_err(|error| broken(&error))?;
    let mut output = io::stdout().lock();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match line.read(&mut buffer).map_err(|error| broken(&error))? {
            0 => return Ok(ExitCode::SUCCESS),
            length => {
                output.write_all(&buffer[..length])?;
                output.flush()?;
            }
        }
    }
}

/// Asks for an effect and waits for it; gives what was asked for.
fn act(said: &Said, ask: &Ask) -> Result<String, Failure> {
    let mut line = Line::open(said)?;
    line.write_all(format!("{ANSWERED} {}", ask.line()).as_bytes()).map_err(|error| broken(&error))?;
    line.wait_at_most(Some(GREETED_WITHIN)).map_err(|error| broken(&error))?;
    let mut line = BufReader::new(line);
    let mut greeting = String::new();
    if line.read_line(&mut greeting).is_err() || greeting.trim_end() != ANSWERED {
        // An Overmind answers nothing: what it is told it does.
        line.get_mut().write_all(ask.line().as_bytes()).map_err(|error| broken(&error))?;
        return Ok(String::new());
    }
    line.get_ref().wait_at_most(Some(ANSWERED_WITHIN)).map_err(|error| broken(&error))?;
    let mut answer = String::new();
    let heard = line.read_to_string(&mut answer);
    match read_answer(&answer) {
        Some(answer) => answer,
        // The app is gone, which is what was asked for.
        None if matches!(ask, Ask::Quit | Ask::Kill) => Ok(String::new()),
        None => Err(match heard {
            Ok(_) => Failure::new("the app ended before it answered"),
            Err(error) => broken(&error),
        }),
    }
}

/// What an answer says; none if it is not whole.
fn read_answer(answer: &str) -> Option<Result<String, Failure>> {
    let mut lines = answer.lines();
    let (word, text) = lines.next()?.split_once(' ')?;
    if word == DONE {
        return Some(Ok(text.to_owned()));
    }
    let failure = Failure::new(text);
    let hint = lines.next().and_then(|line| line.strip_prefix(HINT)).map(|hint| hint.trim().to_owned());
    (word == FAILED).then_some(Err(Failure { hint, ..failure }))
}

/// `overmind connect`.
pub(super) fn connect(said: &Said) -> Outcome {
    let [name] = match said.words.as_slice() {
        [] => [None],
        [name] => [Some(name.clone())],
        _ => return Err(Failure::new("specify a single name of a process")),
    };
    let found = act(said, &Ask::Connection(name))?;
    let Some((app, worker)) = found.split_once(' ') else {
        return Err(Failure::new("this socket is an Overmind's")
            .hinted("its own `overmind connect` reaches its tmux"));
    };
    let words = ["ganger", "attach", "--app", app, worker].map(OsString::from);
    // It has said what is wrong.
    let cli = cli::parse(words).map_err(|_| Failure::new(""))?;
    match &cli.command {
        Some(Command::Attach(args)) => attach::run(&cli.place, args),
        _ => Err(Failure::new("attach is no command")),
    }
}

fn broken(error: &io::Error) -> Failure {
    Failure::new(format!("the connection to the app broke: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_or_none() {
        assert_eq!(read_answer("done app web.1\n"), Some(Ok("app web.1".to_owned())));
        let refusal = Failure::new("no process `x`").hinted("known: web");
        assert_eq!(read_answer("failed no process `x`\nhint known: web\n"), Some(Err(refusal)));
        assert_eq!((read_answer(""), read_answer("dono x")), (None, None));
    }
}
