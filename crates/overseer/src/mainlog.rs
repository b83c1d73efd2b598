//! supervisord's main log: what happens, in the words that its users search for.

mod echo;
mod file;
mod syslog;
mod words;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ganger_core::{Event, WorkerView};
use ganger_spec::{Daemon, LogLevel, Spec, WorkerName};
use jiff::Zoned;
use tokio::sync::watch;

pub(crate) use self::echo::Echo;
use self::file::LogFile;
use self::syslog::Syslog;
use self::words::Scribe;

/// The main log of an app whose file is supervisord's.
pub(crate) struct MainLog {
    scribe: Scribe,
    level: LogLevel,
    output: Output,
    /// Tells who follows it that there is more.
    news: watch::Sender<()>,
}

/// Where it goes.
enum Output {
    File(LogFile),
    Syslog(Syslog),
}

impl MainLog {
    /// Goes on with the log of this daemon.
    pub(crate) fn open(daemon: &Daemon, news: watch::Sender<()>) -> std::io::Result<Self> {
        let output = match daemon.logfile.clone() {
            Some(path) => {
                let backups = u32::try_from(daemon.logfile_backups).unwrap_or(0);
                let max = u64::try_from(daemon.logfile_maxbytes).unwrap_or(0);
                Output::File(LogFile::open(path, max, backups)?)
            }
            None => Output::Syslog(Syslog::start(daemon.syslog.clone())?),
        };
        Ok(Self { scribe: Scribe::default(), level: daemon.loglevel, output, news })
    }

    /// From now on workers are as this spec says.
    pub(crate) fn in_force(&mut self, spec: Arc<Spec>) {
        self.scribe.in_force(spec);
    }

    /// These are there already, as the overseer before left them.
    pub(crate) fn know(&mut self, workers: impl IntoIterator<Item = WorkerView>) {
        workers.into_iter().for_each(|view| self.scribe.know(&view));
    }

    /// Writes what an event means; the lines.
    pub(crate) fn tell(&mut self, event: &Event) -> Vec<String> {
        let said = self.scribe.lines(event);
        said.into_iter().filter_map(|(level, text)| self.say(level, &text)).collect()
    }

    /// Writes a line, unless the log says less than that; the line.
    pub(crate) fn say(&mut self, level: LogLevel, text: &str) -> Option<String> {
        let time = Zoned::now();
        let line = (level <= self.level).then(|| line(&time, level, text))?;
        match &mut self.output {
            Output::File(file) => {
                // A full disk stops nothing: the journal has all of this.
                let _ = file.write(&line);
                self.news.send_replace(());
            }
            Output::Syslog(syslog) => {
                let lines = text.trim_end_matches('\n').split('\n');
                lines.for_each(|text| syslog.write(self::line(&time, level, text).trim_end()));
            }
        }
        Some(line)
    }

    /// Whether what programs write is copied into it.
    pub(crate) fn echoes(&self) -> bool {
        self.level >= LogLevel::Debug
    }

    /// supervisord's name of a worker.
    pub(crate) fn process(&mut self, worker: &WorkerName) -> String {
        self.scribe.process(worker)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.output {
            Output::File(file) => Some(file.path()),
            Output::Syslog(_) => None,
        }
    }

    /// Lets go of the file and opens what has its name now: somebody has moved it.
    pub(crate) fn reopen(&mut self) -> std::io::Result<()> {
        match &mut self.output {
            Output::File(file) => file.reopen(),
            Output::Syslog(_) => Ok(()),
        }
    }

    /// Begins with an empty file.
    pub(crate) fn clear(&mut self) -> std::io::Result<()> {
        let cleared = match &mut self.output {
            Output::File(file) => file.clear(),
            Output::Syslog(_) => Ok(()),
        };
        self.news.send_replace(());
        cleared
    }
}

/// What supervisord says when it has begun.
pub(crate) fn greeting(spec: &Spec, daemon: &Daemon, is_root: bool, pid: u32) -> Vec<(LogLevel, String)> {
    let mut lines = Vec::new();
    if is_root && daemon.user.is_none() {
        lines.push((LogLevel::Critical, ROOT.to_owned()));
    }
    let included = spec.sources.iter().filter(|source| source.found).skip(1);
    lines.extend(included.map(|source| {
        (LogLevel::Info, format!("Included extra file \"{}\" during parsing", source.path.display()))
    }));
    for server in &daemon.servers {
        lines.push((LogLevel::Info, "RPC interface 'supervisor' initialized".to_owned()));
        if server.login.is_none() {
            let text =
                format!("Server '{}' running without any HTTP authentication checking", server.section);
            lines.push((LogLevel::Critical, text));
        }
    }
    lines.push((LogLevel::Info, format!("supervisord started with pid {pid}")));
    lines
}

const ROOT: &str = "Supervisor is running as root.  Privileges were not dropped because no user is specified in the \
                    config file.  If you intend to run as root, you can set user=root in the config file to avoid \
                    this message.";

fn line(time: &Zoned, level: LogLevel, text: &str) -> String {
    format!("{} {} {text}\n", time.strftime("%Y-%m-%d %H:%M:%S,%3f"), code(level))
}

fn code(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Critical => "CRIT",
        LogLevel::Error => "ERRO",
        LogLevel::Warn => "WARN",
        LogLevel::Info => "INFO",
        LogLevel::Debug => "DEBG",
        LogLevel::Trace => "TRAC",
        LogLevel::Blather => "BLAT",
    }
}

/// The file that tells which process this is.
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes it.
    pub(crate) fn write(path: PathBuf, pid: u32) -> std::io::Result<Self> {
        std::fs::write(&path, format!("{pid}\n"))?;
        Ok(Self(path))
    }

    /// Goes on with the one that is there.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Another process it is.
    pub(crate) fn renew(&self, pid: u32) -> std::io::Result<()> {
        std::fs::write(&self.0, format!("{pid}\n"))
    }

    /// The process ends.
    pub(crate) fn remove(&self) {
        // One that stays names a process that is no more.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests;
