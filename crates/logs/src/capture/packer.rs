//! Compresses rotated files in a thread of its own, which is there only while there is something to compress.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::{Command, Event};
use crate::files::RealFiles;
use crate::log::Log;
use crate::pack;
use crate::store::lock;
use crate::watch::Bell;
use crate::{Result, Store};

/// Has rotated files compressed.
pub(super) struct Packer {
    work: Arc<Work>,
    thread: Option<JoinHandle<()>>,
}

struct Work {
    store: Store,
    state: Mutex<State>,
    is_stopped: AtomicBool,
    /// A text could not be compressed; it was said.
    untidy: AtomicBool,
    commands: SyncSender<Command>,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct State {
    is_running: bool,
    /// Something was rotated after the thread began to look for it.
    has_more: bool,
}

impl Packer {
    pub(super) fn new(store: Store, commands: SyncSender<Command>, bell: Arc<Bell>) -> Self {
        let (state, is_stopped, untidy) = Default::default();
        Self { work: Arc::new(Work { store, state, is_stopped, untidy, commands, bell }), thread: None }
    }

    /// Something may be there to be compressed. Never waits.
    pub(super) fn wake(&mut self) {
        if !self.work.store.all().iter().any(|log| log.limits().compress) {
            return;
        }
        {
            let mut state = lock(&self.work.state);
            state.has_more = true;
            if std::mem::replace(&mut state.is_running, true) {
                return;
            }
        }
        let work = Arc::clone(&self.work);
        let builder = std::thread::Builder::new().name("compress".to_owned());
        match builder.spawn(move || work.run()) {
            // The one before has ended, or is about to, having nothing left to do.
            Ok(thread) => self.thread = Some(thread),
            // No room for a thread: the next rotation tries again.
            Err(_) => lock(&self.work.state).is_running = false,
        }
    }

    /// Ends the thread, which leaves what it was compressing as it was.
    pub(super) fn stop(&mut self) {
        self.work.is_stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported by its own hook.
            let _ = thread.join();
        }
    }
}

impl Work {
    fn run(&self) {
        loop {
            {
                let mut state = lock(&self.state);
                if !std::mem::take(&mut state.has_more) {
                    state.is_running = false;
                    return;
                }
            }
            for log in self.store.all().iter().filter(|log| log.limits().compress) {
                if let Err(error) = self.pack_all(log)
                    && !self.untidy.swap(true, Ordering::Relaxed)
                    && self.commands.try_send(Command::Tell(Event::untidy(log, &error))).is_ok()
                {
                    self.bell.ring();
                }
            }
        }
    }

    fn pack_all(&self, log: &Log) -> Result<()> {
        let is_stopped = || self.is_stopped.load(Ordering::Relaxed);
        let home = log.home();
        let paths = home.paths(self.store.dir(), &log.name);
        while !is_stopped() && pack::pack_one(&RealFiles, paths, log, &is_stopped)? {
            self.untidy.store(false, Ordering::Relaxed);
        }
        Ok(())
    }
}
