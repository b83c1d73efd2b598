//! The overseer as the keeper sees it: a process to start, to talk to, and to start again when it dies.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Instant;

use crate::backoff::Backoff;
use crate::handover::OUR_VARIABLES;
use crate::link::{DESCRIPTOR_VARIABLE, Inbox, Inheritance, Letter, Socket};
use crate::patience::Patience;
use crate::protocol::{Event, Launch, Request, Step};
use crate::runs::Runs;
use crate::sys::descriptors::OpenFiles;
use crate::sys::spawn::{OVERSEER_IGNORES, Setting, Spawner};
use crate::sys::wait::halted;
use crate::sys::{Failure, program, signals};

/// While this many answers wait to be read, no request is taken.
const OUTBOX_MAX: usize = 64;
/// The number under which an overseer finds its end of the socket.
const DESCRIPTOR: i32 = 3;

/// How to start the overseer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverseerCommand {
    /// By what name it is started: the program is that of the keeper itself, whatever is at its path by then.
    pub program: PathBuf,
    /// Its arguments, without the program's own name.
    pub args: Vec<OsString>,
    /// The app lives in the background: a hang-up is a request to read its files again, and none to stop.
    pub background: bool,
}

/// The overseer and the conversation with it.
pub(crate) struct Overseer {
    launch: Launch,
    open_files: OpenFiles,
    process: Option<Living>,
    /// What came with the latest hello.
    pub(crate) kept: Vec<OwnedFd>,
    backoff: Backoff,
    patience: Patience,
    again_at: Option<Instant>,
    /// Any overseer ever said hello.
    pub(crate) ever_greeted: bool,
}

struct Living {
    pid: u32,
    since: Instant,
    /// None once the conversation is over: it is to end by itself.
    socket: Option<Socket>,
    inbox: Inbox<Request>,
    /// When it is killed if it has not ended by then: it may have something to tell its user.
    kill_at: Option<Instant>,
    /// When it is killed if it has not gone on by then. A debugger's stop is none that we are told of.
    halted_until: Option<Instant>,
    /// When it is killed if it has not read anything by then of what fills its socket.
    unread_until: Option<Instant>,
    greeted: bool,
    /// Its number means nothing any more; what it said last is still to be read.
    reaped: bool,
    outbox: VecDeque<Event>,
}

impl Living {
    /// Whether so many answers wait that no request is taken.
    fn is_full(&self) -> bool {
        self.outbox.len() >= OUTBOX_MAX
    }
}

impl Overseer {
    /// One that is not started yet.
    pub(crate) fn new(
        command: OverseerCommand,
        open_files: OpenFiles,
        patience: Patience,
        kept: Vec<OwnedFd>,
    ) -> io::Result<Self> {
        let mut env = program::environment(&OUR_VARIABLES);
        env.push(format!("{DESCRIPTOR_VARIABLE}={DESCRIPTOR}").into());
        let mut argv = vec![command.program.into_os_string()];
        argv.extend(command.args);
        let dir = std::env::current_dir()?;
        let launch = Launch { argv, env, dir, ..Launch::default() };
        Ok(Self {
            launch,
            open_files,
            process: None,
            kept,
            backoff: Backoff::default(),
            patience,
            again_at: None,
            ever_greeted: false,
        })
    }

    /// Starts it. A failure counts as a death.
    pub(crate) fn start(&mut self, spawner: &mut Spawner) -> Result<u32, Failure> {
        self.again_at = None;
        let started = self.try_start(spawner);
        if started.is_err() {
            self.schedule();
        }
        started
    }

    fn try_start(&mut self, spawner: &mut Spawner) -> Result<u32, Failure> {
        let failed = |error: &io::Error| Failure {
            step: Step::Descriptors,
            errno: rustix::io::Errno::from_io_error(error).unwrap_or(rustix::io::Errno::IO),
        };
        let (ours, its) = Socket::pair().map_err(|error| failed(&error))?;
        if !self.kept.is_empty() {
            let kept: Vec<_> = self.kept.iter().map(AsFd::as_fd).collect();
            ours.send(0, &Inheritance::Kept, &kept).map_err(|error| failed(&error))?;
        }
        let setting = Setting {
            own_program: true,
            fourth: Some(its.descriptor()),
            ignore: OVERSEER_IGNORES,
            open_files: Some(self.open_files),
            witnesses: self
                .kept
                .iter()
                .fold(libc::STDERR_FILENO, |highest, one| highest.max(one.as_raw_fd())),
            ..Setting::default()
        };
        let pid = spawner.spawn(&self.launch, setting)?;
        let outbox = VecDeque::new();
        self.process = Some(Living {
            pid,
            since: Instant::now(),
            socket: Some(ours),
            inbox: Inbox::default(),
            kill_at: None,
            halted_until: None,
            unread_until: None,
            greeted: false,
            reaped: false,
            outbox,
        });
        Ok(pid)
    }

    /// Notes its death, and when the next one is due.
    pub(crate) fn ended(&mut self) {
        self.schedule();
        self.process = None;
    }

    fn schedule(&mut self) {
        let lived = self.process.as_ref().map(|process| process.since.elapsed());
        self.again_at = Some(Instant::now() + self.backoff.after_death(lived.unwrap_or_default()));
    }

    /// When it is to be started again.
    pub(crate) fn again_at(&self) -> Option<Instant> {
        self.again_at
    }

    /// When it is to be killed, since the conversation with it is over, or since it stands still.
    pub(crate) fn kill_at(&self) -> Option<Instant> {
        let process = self.process.as_ref()?;
        [process.kill_at, process.halted_until, process.unread_until].into_iter().flatten().min()
    }

    /// Some child changed: whether it is this one that stands still, or goes on.
    pub(crate) fn look(&mut self) {
        let Some(process) = self.process.as_mut().filter(|process| !process.reaped) else { return };
        // It may have gone on and been stopped again: the last change counts.
        while let Some(halted) = halted(process.pid) {
            process.halted_until = halted.then(|| Instant::now() + self.patience.stopped);
        }
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        if let Some(process) = self.process.as_mut().filter(|process| !process.reaped) {
            process.kill_at = None;
            process.halted_until = None;
            process.unread_until = None;
            // If it has ended already, that is what was wanted.
            let _ = signals::send(process.pid, libc::SIGKILL);
        }
    }

    /// The highest number of what the end of this process is seen by: the socket, and what the overseer let us keep, like
    /// its lock.
    pub(crate) fn witnesses(&self) -> RawFd {
        let socket = self.process.as_ref().and_then(|process| process.socket.as_ref());
        let all = self.kept.iter().map(AsRawFd::as_raw_fd);
        all.chain(socket.map(|socket| socket.descriptor().as_raw_fd())).fold(libc::STDERR_FILENO, RawFd::max)
    }

    /// Its process, if it lives.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.pid)
    }

    /// The socket to wait on, and whether there is something to be read and to be written.
    pub(crate) fn interest(&self) -> Option<(&Socket, bool, bool)> {
        let process = self.process.as_ref()?;
        let socket = process.socket.as_ref()?;
        Some((socket, !process.is_full(), !process.outbox.is_empty()))
    }

    /// Whether a request can be taken although the socket has nothing new.
    pub(crate) fn has_request(&self) -> bool {
        self.process.as_ref().is_some_and(|process| !process.inbox.is_empty() && !process.is_full())
    }

    /// Whether it said hello, so that it may be told things.
    pub(crate) fn is_greeted(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.greeted)
    }

    /// It said hello; None if what was to be kept did not arrive.
    pub(crate) fn greet(&mut self, kept: Option<Vec<OwnedFd>>) {
        self.ever_greeted = true;
        if let Some(kept) = kept {
            self.kept = kept;
        }
        if let Some(process) = &mut self.process {
            process.greeted = true;
            process.outbox.clear();
        }
    }

    /// Notes that it was reaped, and drops what waits to be sent: nobody will read it.
    pub(crate) fn reaped(&mut self) {
        if let Some(process) = &mut self.process {
            process.reaped = true;
            process.unread_until = None;
            process.outbox.clear();
        }
    }

    /// How much of what was told has not gone out.
    pub(crate) fn waiting(&self) -> usize {
        self.process.as_ref().map_or(0, |process| process.outbox.len())
    }

    /// Queues an event. Answers, and others while few wait: requests are not taken while many do.
    pub(crate) fn tell(&mut self, event: Event) {
        if let Some(process) = &mut self.process {
            process.outbox.push_back(event);
        }
    }

    /// Sends what waits, as far as it fits; with a terminal, the descriptor of it that is kept.
    pub(crate) fn flush(&mut self, runs: &Runs) {
        let Some(process) = &mut self.process else { return };
        let Some(socket) = &process.socket else { return };
        while let Some(first) = process.outbox.front() {
            let sent = if let Event::Terminal { worker } = first {
                // One that was let go of meanwhile is not told of.
                runs.terminal(worker).map_or(Ok(()), |one| socket.send(0, first, &[one])).map(|()| 1)
            } else {
                let plain = process.outbox.iter().take_while(|one| !matches!(one, Event::Terminal { .. }));
                socket.send_together(plain.map(|event| (event.id(), event)))
            };
            match sent {
                Ok(sent) => {
                    process.unread_until = None;
                    process.outbox.drain(..sent);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    process.unread_until.get_or_insert_with(|| Instant::now() + self.patience.unread);
                    return;
                }
                Err(_) => return self.hang_up(),
            }
        }
    }

    /// The next request, if one came and there is room for its answer.
    pub(crate) fn receive(&mut self) -> Option<Letter<Request>> {
        let process = self.process.as_mut().filter(|process| !process.is_full())?;
        let Ok(letter) = process.socket.as_ref()?.receive(&mut process.inbox) else {
            self.hang_up();
            return None;
        };
        letter
    }

    /// Ends a conversation that makes no sense any more. The process is of no use without it, and gets its time to
    /// end.
    fn hang_up(&mut self) {
        if let Some(process) = &mut self.process {
            process.socket = None;
            process.kill_at = Some(Instant::now() + self.patience.farewell);
            process.unread_until = None;
            process.outbox.clear();
        }
    }

    /// By what name it is started.
    pub(crate) fn program(&self) -> PathBuf {
        self.launch.argv.first().map(PathBuf::from).unwrap_or_default()
    }

    /// What to say when not even the first one could be started.
    pub(crate) fn explain(&self, failure: Failure) -> String {
        let program = self.launch.argv.first().map(|program| String::from_utf8_lossy(program.as_bytes()));
        let program = program.unwrap_or_default();
        format!("cannot start the overseer {program}: {}: {}", failure.step, failure.errno)
    }
}
