//! The one thread that moves bytes from the workers' pipes to their logs.

mod copier;
mod feed;
mod packer;
mod relay;
mod trouble;
mod turn;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use rustix::io::{Errno, ioctl_fionread};

use crate::hand::{Hand, Lasting};
use crate::home::Home;
use crate::log::Log;
use crate::store::lock;
use crate::watch::Bell;
use crate::{Error, Limits, Place, Result, Store};

/// That many commands may wait for the capture thread.
const COMMANDS: usize = 1024;
/// So long it is waited until the thread knows of a new run. After that, its first output may count as the run's before.
const BEGUN_WITHIN: Duration = Duration::from_secs(1);

/// Something that happened to a log and that somebody should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Output cannot be stored now; it waits in the pipe, and is tried again each second. Said once of all logs that
    /// meet the same error.
    Failed {
        /// Whose output was the first.
        log: String,
        /// The file.
        path: PathBuf,
        /// Why.
        errno: Errno,
        /// Since when.
        since: SystemTime,
    },
    /// All output can be stored again; nothing was lost.
    Recovered {
        /// Since when it could not.
        since: SystemTime,
        /// Of how many logs.
        logs: usize,
        /// How often it was tried in vain.
        attempts: u64,
    },
    /// What some logs get cannot be copied to where it is to be; it waits in the store, and is tried again each second.
    /// Said once, until it is possible again.
    NotCopied {
        /// Where to.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// A rotated file cannot be compressed or removed; it stays as it is, and is tried again with the next rotation.
    /// Said once, until it is possible again.
    Untidy {
        /// Whose output.
        log: String,
        /// The file.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
}

impl Event {
    fn untidy(log: &Log, error: &Error) -> Self {
        let (path, errno) = place(error);
        Self::Untidy { log: log.name.to_string(), path, errno }
    }
}

/// Where an error was met, and what the system said.
fn place(error: &Error) -> (PathBuf, Errno) {
    match error {
        Error::Io { path, source, .. } => {
            (path.clone(), source.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error))
        }
        Error::Name(_)
        | Error::Shared { .. }
        | Error::NoSuchLog(_)
        | Error::NotAPipe(_)
        | Error::Terminal(_)
        | Error::Ended => (PathBuf::new(), Errno::IO),
    }
}

/// A run that the thread is to know of: only that knows what it has taken out of the pipe.
#[must_use = "what is written before it holds may count as the run's before"]
pub struct Begun(Receiver<()>);

impl Begun {
    /// Waits until it holds; but not for ever, should the thread wait for a disk.
    pub fn wait(self) {
        // Nothing is sent: it ends by being dropped, or in vain.
        let _ = self.0.recv_timeout(BEGUN_WITHIN);
    }
}

/// Moves bytes from pipes to logs, in a thread of its own, until stopped.
pub struct Capture {
    store: Store,
    copiers: Mutex<copier::Copiers>,
    commands: SyncSender<Command>,
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

/// What is done to a log between two moves of bytes.
enum Deed {
    /// From now on it is kept there.
    Move(Home),
    Reopen,
    Clear,
}

type Done = Box<dyn FnOnce(u64) + Send>;

enum Command {
    Add {
        log: Arc<Log>,
        pipe: OwnedFd,
        /// What comes from this position on is of this run.
        begins: Option<(u64, u64)>,
    },
    Begin {
        log: String,
        run: u64,
        /// Dropped once it holds.
        holds: SyncSender<()>,
    },
    Relay {
        log: String,
        terminal: OwnedFd,
        run: Option<u64>,
    },
    Drain {
        log: String,
        done: Done,
    },
    Remove {
        log: String,
        done: Done,
    },
    Do {
        deed: Deed,
        log: Arc<Log>,
        reply: SyncSender<Result<()>>,
    },
    /// Limits have changed.
    Tidy,
    Tell(Event),
    Stop,
}

impl Capture {
    /// Opens the store in `dir` (made when missing), heals what a crash left there, and starts to capture.
    ///
    /// `limits` are those of each log until [`Capture::limit`] says otherwise. `on_event` is called in the capture
    /// thread: it must not wait. With memory of [`crate::HAND_BYTES`] that outlives the process, loud workers need not
    /// wait for their logs, and what was in it at a kill is stored first.
    pub fn start(
        dir: &Path,
        limits: Limits,
        on_event: Box<dyn FnMut(Event) + Send>,
        memory: Option<Box<dyn Lasting>>,
    ) -> Result<Self> {
        std::fs::create_dir_all(dir).map_err(|e| Error::io("make the directory", dir, e))?;
        let wrap = |e| Error::io("capture into", dir, e);
        let bell = Bell::new().map_err(wrap)?;
        let store = Store::new(dir, Some(Arc::clone(&bell)), limits)?;
        let (commands, inbox) = sync_channel(COMMANDS);
        let mut copiers = copier::Copiers::new(store.clone(), commands.clone(), Arc::clone(&bell));
        copiers.look()?;
        let packer = packer::Packer::new(store.clone(), commands.clone(), Arc::clone(&bell));
        let mut turns =
            turn::Turns::new(store.clone(), packer, inbox, Arc::clone(&bell), on_event, Hand::new(memory))?;
        let builder = std::thread::Builder::new().name("capture".to_owned());
        let thread = builder.spawn(move || turns.run()).map_err(wrap)?;
        Ok(Self { store, copiers: Mutex::new(copiers), commands, bell, thread: Some(thread) })
    }

    /// Captures `pipe` into `log` from now on; as of `run`, if one is given, what is not in the pipe yet. When this
    /// returns, [`Store::reader`] knows the log.
    ///
    /// A log that is still captured, until what a [`Capture::remove`] is for is done, is to be given a run by
    /// [`Capture::begin`].
    pub fn add(&self, log: &str, pipe: OwnedFd, run: Option<u64>) -> Result<()> {
        let log = self.store.get_or_begin(log)?;
        // It is looked here, where nobody writes for the run yet: once the thread comes to it, the run may have written.
        let begins = run.map(|run| (log.end() + ioctl_fionread(&pipe).unwrap_or(0), run));
        if self.send(Command::Add { log, pipe, begins }) { Ok(()) } else { Err(Error::Ended) }
    }

    /// From now on, these are the limits of this log. What is kept beyond them goes with its next rotation.
    pub fn limit(&self, log: &str, limits: Limits) -> Result<()> {
        // Of what they bound, nothing is done before the next rotation; but old texts may be compressed at once.
        if self.store.get_or_begin(log)?.limit(limits) && limits.compress {
            self.send(Command::Tidy);
        }
        Ok(())
    }

    /// From now on, this log is kept at `place`, with escape sequences or without them. What is in the place before stays
    /// there and is not of the log any more; what is in a file that it gets is.
    ///
    /// A file that cannot be rotated (a terminal, a pipe, `/dev/stdout`) becomes [`Place::Copied`], and `/dev/null`
    /// [`Place::Dropped`].
    pub fn place(&self, log: &str, place: &Place, strip_ansi: bool) -> Result<()> {
        let place = place.file().map_or_else(|| place.clone(), Place::of);
        let log = self.store.get_or_begin(log)?;
        let home = Home { place, strip: strip_ansi, ..(*log.home()).clone() };
        if home == *log.home() {
            return Ok(());
        }
        let is_copied = matches!(home.place, Place::Copied(_));
        self.bid(Deed::Move(home), log)?;
        if is_copied { lock(&self.copiers).look() } else { Ok(()) }
    }

    /// Looks for the file of a log again, which somebody may have renamed or removed, and makes one if it has a place of
    /// its own and there is none. What was written before is read on where it can be found.
    pub fn reopen(&self, log: &str) -> Result<()> {
        self.bid(Deed::Reopen, self.store.get_or_begin(log)?)
    }

    /// The same with all logs. Gives those that cannot be opened.
    pub fn reopen_all(&self) -> Vec<(String, Error)> {
        let failed = |log: String| self.reopen(&log).err().map(|error| (log, error));
        self.store.logs().into_iter().filter_map(failed).collect()
    }

    /// Removes what the file being written holds; it begins anew. Rotated files stay. Readers go on with what comes next.
    pub fn clear(&self, log: &str) -> Result<()> {
        self.bid(Deed::Clear, self.store.get_or_begin(log)?)
    }

    /// Has something done to a log, and waits for it.
    fn bid(&self, deed: Deed, log: Arc<Log>) -> Result<()> {
        let (reply, answer) = sync_channel(1);
        if self.send(Command::Do { deed, log, reply }) {
            answer.recv().unwrap_or(Err(Error::Ended))
        } else {
            Err(Error::Ended)
        }
    }

    /// From now on, all logs together take at most this on the disk: of all their rotated files, the oldest go first.
    /// The files being written are never removed.
    pub fn bound(&self, total_bytes: Option<u64>) {
        if self.store.bound(total_bytes) {
            self.send(Command::Tidy);
        }
    }

    /// What is written once [`Begun::wait`] returns is of this run.
    pub fn begin(&self, log: &str, run: u64) -> Begun {
        let (holds, held) = sync_channel(0);
        self.send(Command::Begin { log: log.to_owned(), run, holds });
        Begun(held)
    }

    /// From now on, what a terminal shows comes into the pipe of this log, which is captured; as of `run`, if one is given,
    /// as with [`Capture::begin`]. What still is in a terminal that it took the place of comes before it.
    pub fn relay(&self, log: &str, terminal: OwnedFd, run: Option<u64>) {
        self.send(Command::Relay { log: log.to_owned(), terminal, run });
    }

    /// Calls `done` with the log's end once all that is in the pipe now is in the store, and all that is in its
    /// terminal, if it has one.
    ///
    /// It is called in the capture thread and must not wait; at once if the log is not captured.
    pub fn drain(&self, log: &str, done: Box<dyn FnOnce(u64) + Send>) {
        self.send(Command::Drain { log: log.to_owned(), done });
    }

    /// Stores what the pipe still holds, then lets go of it and calls `done`, as with [`Capture::drain`]. The files
    /// stay. A pipe that is added under this name meanwhile takes the place of this one at once: it must be the same
    /// one, for what is still in it is lost with another.
    pub fn remove(&self, log: &str, done: Box<dyn FnOnce(u64) + Send>) {
        self.send(Command::Remove { log: log.to_owned(), done });
    }

    /// The store, for readers.
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Stores what all pipes still hold and ends the thread.
    pub fn stop(self) {}

    /// Hands a command to the thread; `false` if it has ended.
    fn send(&self, command: Command) -> bool {
        let sent = self.commands.send(command).is_ok();
        self.bell.ring();
        sent
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported by its own hook.
            let _ = thread.join();
        }
        lock(&self.copiers).finish();
    }
}
