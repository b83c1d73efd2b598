//! Copies what some logs get to where it can only be copied to: `/dev/stdout`, a terminal, a named pipe.
//!
//! Each target has a thread, which follows the store as anybody else does: a target that takes nothing holds up no worker.
//! Whole lines are copied, so that those of several logs do not mix. How far it came is kept, so that the next start goes
//! on there: a kill gives a few lines twice.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::{Command, Event};
use crate::name::Paths;
use crate::watch::{Bell, Waker};
use crate::{Error, From, Marks, Place, Read, Reader, Result, Store, Watch};

/// So much of a log is copied at once; a longer line is copied in pieces.
const COPY_BYTES: usize = 64 * 1024;
/// A target that cannot be opened or written to is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// At the end, targets have so long to take what is left; the rest is copied after the next start.
const FINISH_WITHIN: Duration = Duration::from_secs(2);

/// The threads that copy.
pub(super) struct Copiers {
    store: Store,
    commands: SyncSender<Command>,
    bell: Arc<Bell>,
    running: BTreeMap<PathBuf, Running>,
}

struct Running {
    stop: Arc<AtomicBool>,
    waker: Waker,
    ended: Receiver<()>,
}

impl Copiers {
    pub(super) fn new(store: Store, commands: SyncSender<Command>, bell: Arc<Bell>) -> Self {
        Self { store, commands, bell, running: BTreeMap::new() }
    }

    /// Starts a thread for each target that has none.
    pub(super) fn look(&mut self) -> Result<()> {
        for log in self.store.all() {
            if let Place::Copied(target) = &log.home().place
                && !self.running.contains_key(target)
            {
                let running = self.start(target)?;
                self.running.insert(target.clone(), running);
            }
        }
        Ok(())
    }

    /// Copies what is left, as far as the targets take it soon.
    pub(super) fn finish(&mut self) {
        let until = Instant::now() + FINISH_WITHIN;
        for running in self.running.values() {
            running.stop.store(true, Ordering::Release);
            running.waker.wake();
        }
        for running in std::mem::take(&mut self.running).into_values() {
            // It has ended, or what it has not copied is copied the next time.
            let _ = running.ended.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
    }

    fn start(&self, target: &Path) -> Result<Running> {
        let seal = Paths { dir: target, name: "", file: Some(target) }.seal();
        let marks = self.store.dir().join(format!("copied.{seal:016x}"));
        let marks = Marks::open(&marks).map_err(|e| Error::io("open", &marks, e))?;
        let watch = self.store.watch()?;
        let (stop, waker, (end, ended)) = (Arc::default(), watch.waker(), channel());
        let mut copier = Copier {
            store: self.store.clone(),
            target: target.to_owned(),
            at: marks.positions(),
            marks,
            watch,
            stop: Arc::clone(&stop),
            sources: BTreeMap::new(),
            output: None,
            failed: false,
            commands: self.commands.clone(),
            bell: Arc::clone(&self.bell),
        };
        let builder = std::thread::Builder::new().name("copy".to_owned());
        let thread = builder.spawn(move || {
            copier.run();
            // Nobody listens any more if `finish` gave up.
            let _ = end.send(());
        });
        thread.map_err(|e| Error::io("copy to", target, e))?;
        Ok(Running { stop, waker, ended })
    }
}

/// Copies some logs to one target.
struct Copier {
    store: Store,
    target: PathBuf,
    marks: Marks,
    /// How far the starts before came.
    at: BTreeMap<String, u64>,
    watch: Watch,
    stop: Arc<AtomicBool>,
    sources: BTreeMap<Arc<str>, Source>,
    output: Option<File>,
    /// It was said that it fails.
    failed: bool,
    commands: SyncSender<Command>,
    bell: Arc<Bell>,
}

struct Source {
    reader: Reader,
    mark: u64,
    /// What is read and not written yet.
    pending: Vec<u8>,
}

impl Copier {
    fn run(&mut self) {
        loop {
            self.watch.arm();
            let stopping = self.stop.load(Ordering::Acquire);
            match self.turn(stopping) {
                Ok(true) => self.failed = false,
                Ok(false) if stopping => return,
                // It fails only where waiting does not work at all.
                Ok(false) if self.watch.wait(None).is_err() => return,
                Ok(false) => {}
                Err(error) => {
                    self.tell(&error);
                    self.output = None;
                    if stopping || self.watch.wait(Some(RETRY)).is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Copies something of each log; `false` if there is nothing.
    fn turn(&mut self, stopping: bool) -> io::Result<bool> {
        self.choose()?;
        let mut has_copied = false;
        let mut sources = std::mem::take(&mut self.sources);
        let copied = sources.iter_mut().try_for_each(|(log, source)| {
            let (has_more, ready) = source.read(stopping)?;
            has_copied |= has_more;
            if ready > 0 {
                self.write(source, ready)?;
                source.pending.drain(..ready);
                let position = source.reader.position() - source.pending.len() as u64;
                self.marks.put(source.mark, log, position);
                has_copied = true;
            }
            Ok(())
        });
        self.sources = sources;
        copied.map(|()| has_copied)
    }

    /// Takes up the logs that are to be copied here, and leaves those that are not any more.
    fn choose(&mut self) -> io::Result<()> {
        let wanted = |log: &crate::log::Log| log.home().place == Place::Copied(self.target.clone());
        let logs: Vec<_> = self.store.all().into_iter().filter(|log| wanted(log)).collect();
        self.sources.retain(|name, _| logs.iter().any(|log| log.name == *name));
        for log in logs {
            if !self.sources.contains_key(&log.name) {
                let before = self.at.remove(&*log.name).unwrap_or(0);
                let from = before.max(log.home().floor);
                let reader = self.store.reader(&log.name, From::Position(from)).map_err(io::Error::other)?;
                let mark = self.marks.number(&log.name);
                let source = Source { reader, mark, pending: Vec::new() };
                self.sources.insert(Arc::clone(&log.name), source);
            }
        }
        Ok(())
    }

    /// Writes so many of a source's bytes. What was written before an error is not written again.
    fn write(&mut self, source: &mut Source, ready: usize) -> io::Result<()> {
        let flags = OFlags::NONBLOCK.union(OFlags::NOCTTY).bits().cast_signed();
        let mut options = OpenOptions::new();
        options.append(true).custom_flags(flags);
        let mut output = match self.output.take() {
            Some(output) => output,
            None => options.open(&self.target)?,
        };
        let mut written = 0;
        while written < ready {
            match output.write(&source.pending[written..ready]) {
                Ok(n) => written += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.wait_for_room(&output)?,
                Err(e) => {
                    source.pending.drain(..written);
                    return Err(e);
                }
            }
        }
        self.output = Some(output);
        Ok(())
    }

    fn wait_for_room(&self, output: &File) -> io::Result<()> {
        let within = Timespec::try_from(RETRY).ok();
        match poll(&mut [PollFd::new(output, PollFlags::OUT)], within.as_ref()) {
            Ok(0) if self.stop.load(Ordering::Acquire) => Err(ErrorKind::TimedOut.into()),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    fn tell(&mut self, error: &io::Error) {
        if std::mem::replace(&mut self.failed, true) {
            return;
        }
        let errno = error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
        let event = Event::NotCopied { path: self.target.clone(), errno };
        if self.commands.try_send(Command::Tell(event)).is_ok() {
            self.bell.ring();
        }
    }
}

impl Source {
    /// Reads on. Says whether there was something, and how many bytes are ready to be copied: those of whole lines.
    fn read(&mut self, is_last: bool) -> io::Result<(bool, usize)> {
        let held = self.pending.len();
        self.pending.resize(COPY_BYTES.max(held), 0);
        let read = self.reader.read(&mut self.pending[held..]).map_err(io::Error::other);
        let got = if let Ok(Read::Bytes(bytes)) = read { bytes } else { 0 };
        self.pending.truncate(held + got);
        let has_more = got > 0 || matches!(read?, Read::Skipped(_));
        let is_whole = is_last || self.pending.len() == COPY_BYTES;
        let lines = memchr::memrchr(b'\n', &self.pending).map_or(0, |at| at + 1);
        Ok((has_more, if is_whole && lines == 0 { self.pending.len() } else { lines }))
    }
}
