//! One of the two daemons at work.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Bench, Whose};
use crate::processes::{self, PATIENCE};
use crate::stamps::{self, Stamps};

/// Descriptors enough for all pipes and logs of 1,000 programs.
const DESCRIPTORS: u32 = 8192;
/// How often it is tried whether it listens already.
const GLANCE: Duration = Duration::from_millis(10);

/// What runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Programs<'a> {
    pub(super) count: u32,
    /// A mode of `floor/worker.c`.
    pub(super) mode: &'a str,
    /// The words of the mode after the stamps' path.
    pub(super) words: &'a str,
    /// Further lines for each program.
    pub(super) keys: &'a str,
}

/// A daemon, which ends with its programs when this is dropped.
pub(super) struct Daemon {
    child: Child,
    /// When it was launched.
    pub(super) launched: u64,
    /// Where its programs leave stamps.
    pub(super) stamps: Stamps,
    stock: PathBuf,
    ganger: PathBuf,
    // Deleted last.
    place: TempDir,
}

impl Daemon {
    /// Starts one, of whomever, with these programs.
    pub(super) fn launch(bench: &Bench<'_>, whose: Whose, programs: Programs<'_>) -> Result<Self> {
        let place = bench.bed.place()?;
        let stamps = Stamps::new(place.path().join("stamps"))?;
        let mut text = format!(
            "[supervisord]\nlogfile=%(here)s/main.log\npidfile=%(here)s/pid\nchildlogdir=%(here)s\n\
             minfds={DESCRIPTORS}\n[unix_http_server]\nfile=%(here)s/s.sock\n[rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
             [supervisorctl]\nserverurl=unix://%(here)s/s.sock\n"
        );
        let Programs { count, mode, words, keys } = programs;
        let (worker, stamped) = (bench.bed.worker(), stamps.path().display());
        for number in 0..count {
            let command = format!("{} {mode} {stamped} {words}", worker.display());
            writeln!(text, "[program:w{number}]\ncommand={command}\n{keys}")?;
        }
        fs::write(place.path().join("supervisord.conf"), text)?;
        let ganger = bench.bed.ganger().to_owned();
        let mut command = match whose {
            Whose::Stock => Command::new(bench.stock.join("supervisord")),
            Whose::Ganger => {
                let mut command = crate::bed::ganger(&ganger, place.path());
                command.arg("supervisord");
                command
            }
        };
        command.args(["-n", "-s", "-c", "supervisord.conf"]).current_dir(place.path());
        command.stdin(Stdio::null()).stdout(File::create(place.path().join("printed"))?);
        let launched = stamps::now();
        let child = command.spawn().with_context(|| format!("cannot start that of {whose:?}"))?;
        Ok(Self { child, launched, stamps, stock: bench.stock.to_owned(), ganger, place })
    }

    /// The processes that manage.
    pub(super) fn managers(&self) -> Vec<i32> {
        processes::managers(self.pid())
    }

    /// How long a client takes for `status` of so many programs, in milliseconds.
    pub(super) fn status(&self, client: Whose, programs: u32) -> Result<f64> {
        let mut command = match client {
            Whose::Stock => Command::new(self.stock.join("supervisorctl")),
            Whose::Ganger => {
                let mut command = Command::new(&self.ganger);
                command.arg("supervisorctl");
                command
            }
        };
        command.args(["-c", "supervisord.conf", "status"]).current_dir(self.place.path());
        let began = stamps::now();
        let told = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        let took = stamps::now() - began;
        let running = String::from_utf8_lossy(&told.stdout).matches(" RUNNING ").count();
        if running != programs as usize {
            bail!("status tells of {running} programs that run; there are {programs}");
        }
        Ok(crate::measures::milliseconds(took))
    }

    /// How long a call takes, from the connection to the last byte of its answer, in milliseconds; and that answer. Its
    /// values are written as elements `param`.
    pub(super) fn call(&self, method: &str, params: &str) -> Result<(f64, String)> {
        let body = format!(
            "<?xml version='1.0'?>\n<methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
        );
        let began = stamps::now();
        let mut stream = UnixStream::connect(self.place.path().join("s.sock"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let took = stamps::now() - began;
        if !answer.contains(" 200 OK") || answer.contains("<fault>") {
            bail!("{method} is answered by {answer}");
        }
        Ok((crate::measures::milliseconds(took), answer))
    }

    /// Waits until it listens.
    pub(super) fn wait_for_server(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while UnixStream::connect(self.place.path().join("s.sock")).is_err() {
            if Instant::now() > end {
                bail!("nobody listens on {}", self.place.path().join("s.sock").display());
            }
            thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// A file beside its configuration.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or(i32::MAX)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.pid()) {
            let _ = kill_process(pid, Signal::TERM);
        }
        processes::end(&mut self.child);
    }
}
