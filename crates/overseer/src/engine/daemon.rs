//! What supervisord is beside its programs: a main log, a file that names its process, and what signals mean to it.

use std::sync::Arc;

use ganger_spec::{Daemon, LogLevel, Spec, WorkerName};
use tokio::sync::watch;

use super::Engine;
use crate::listeners::Listeners;
use crate::mainlog::{Echo, MainLog, PidFile, greeting};
use crate::{Error, Life, overmind, supervisor};

/// What others see of the daemon beside its servers.
pub(super) struct Outside {
    /// The file that names its process.
    pub(super) pid_file: Option<PidFile>,
    /// Tells who follows the main log that there is more.
    pub(super) main_news: watch::Sender<()>,
    /// What is copied into the main log.
    pub(super) echo: Echo,
}

impl Outside {
    /// Nothing yet.
    pub(super) fn new(main_news: watch::Sender<()>) -> Self {
        Self { pid_file: None, main_news, echo: Echo::default() }
    }

    /// Until workers may have written what listeners, or the main log, are to have.
    pub(super) async fn overheard(&self, listeners: &Listeners) {
        tokio::select! {
            () = listeners.overheard() => {}
            () = self.echo.ready() => {}
        }
    }
}

impl Engine {
    /// Begins the main log, or goes on with that of the overseer before.
    pub(super) fn begin_daemon(&mut self, is_fresh: bool) -> Result<(), Error> {
        let spec = self.to_apply.clone().map(Arc::new).or_else(|| self.core.spec().cloned());
        let Some((spec, daemon)) = spec.and_then(|spec| Some((Arc::clone(&spec), spec.supervisor.clone()?)))
        else {
            return Ok(());
        };
        if self.life != Life::Background {
            return Ok(());
        }
        if is_fresh && !daemon.nocleanup {
            supervisor::clear_auto_logs(&daemon);
        }
        let mut main = match MainLog::open(&daemon, self.outside.main_news.clone()) {
            Ok(main) => main,
            Err(source) if is_fresh => {
                let path = daemon.logfile.clone().unwrap_or_default();
                return Err(Error::File { action: "write", path, source });
            }
            Err(error) => {
                self.narrator.notice(format!("the main log cannot be written: {error}"));
                return Ok(());
            }
        };
        main.in_force(Arc::clone(&spec));
        main.know(self.core.workers());
        self.narrator.keep_main(main);
        if is_fresh {
            self.greet_as_daemon(&spec, &daemon);
        } else {
            self.outside.pid_file = Some(PidFile::at(daemon.pidfile));
        }
        Ok(())
    }

    fn greet_as_daemon(&mut self, spec: &Spec, daemon: &Daemon) {
        let is_root = rustix::process::geteuid().is_root();
        let mut lines = greeting(spec, daemon, is_root, self.keeper_pid);
        self.outside.pid_file = PidFile::write(daemon.pidfile.clone(), self.keeper_pid).ok();
        if self.outside.pid_file.is_none() {
            lines.pop();
            let text = format!("could not write pidfile {}", daemon.pidfile.display());
            lines.push((LogLevel::Critical, text));
        }
        for (level, text) in lines {
            self.narrator.say_in_main(level, &text);
        }
    }

    /// The main log speaks of workers as the release in force says.
    pub(super) fn keep_main_log(&mut self) {
        let spec = self.spec();
        if let Some(main) = self.narrator.main() {
            main.in_force(spec);
        }
    }

    /// Copies from now on into the main log what a worker writes, if its level is for that.
    pub(super) fn echo(&mut self, worker: &WorkerName) {
        if !self.narrator.main().is_some_and(|main| main.echoes()) {
            return;
        }
        let store = self.capture.store();
        for log in self.hands.outputs.logs(worker) {
            if let Err(error) = self.outside.echo.follow(&store, &log) {
                self.narrator
                    .notice(format!("what comes into {log} is not copied into the main log: {error}"));
            }
        }
    }

    /// The same for all that are there.
    pub(super) fn echo_all(&mut self) {
        let workers: Vec<WorkerName> = self.core.workers().map(|view| view.name).collect();
        for worker in &workers {
            self.echo(worker);
        }
    }

    /// Copies into the main log what workers wrote.
    pub(super) fn tell_echoed(&mut self) {
        let Some(main) = self.narrator.main() else { return };
        for text in self.outside.echo.hear(|worker| main.process(worker)) {
            self.narrator.say_in_main(LogLevel::Debug, &text);
        }
    }

    /// All that a worker's run wrote is stored; if nobody has its name any more, that was all.
    pub(super) fn echo_drained(&mut self, worker: &WorkerName) {
        self.outside.echo.drained(worker, &self.capture.store());
        if self.core.worker(worker).is_none() {
            self.outside.echo.let_go(worker);
        }
    }

    /// Copies the rest: nobody writes any more.
    pub(super) fn finish_echo(&mut self) {
        while self.outside.echo.has_more() {
            self.tell_echoed();
        }
    }

    /// Somebody has moved logs: what has their names now is opened. Whether that is what the signal means here.
    pub(super) fn reopen_logs(&mut self) -> bool {
        if self.narrator.main().is_none() {
            return false;
        }
        self.narrator.say_in_main(LogLevel::Info, "received SIGUSR2 indicating log reopen request");
        if let Some(Err(error)) = self.narrator.main().map(MainLog::reopen) {
            self.narrator.notice(format!("the main log cannot be opened again: {error}"));
        }
        for (log, error) in self.capture.reopen_all() {
            self.narrator.notice(format!("the log of {log} cannot be opened again: {error}"));
        }
        self.narrator.say_in_main(LogLevel::Info, "supervisord logreopen");
        true
    }

    /// The process that the file names is no more, nor does anybody answer clients of other managers.
    pub(super) fn forget_daemon(&self) {
        if let Some(file) = &self.outside.pid_file {
            file.remove();
        }
        if let Some(daemon) = self.core.spec().and_then(|spec| spec.supervisor.as_ref()) {
            supervisor::forget(&daemon.servers);
        }
        if let Some(overmind) = self.core.spec().and_then(|spec| spec.overmind.as_ref()) {
            overmind::forget(overmind);
        }
    }
}
