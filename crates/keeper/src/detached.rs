//! A keeper of its own for an app in the background: in a session of its own, without any terminal.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::attached::{SpawnError, errno_words};
use crate::keeper::until;
use crate::protocol::{Exit, Launch, Step};
use crate::sys::Failure;
use crate::sys::spawn::{Session, Setting, Spawner};
use crate::sys::wait::wait_for;

/// A process that goes on when its parent is gone.
#[derive(Debug)]
pub struct Detached {
    pid: u32,
    process: OwnedFd,
}

/// What a wait came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The descriptor has something to read.
    Readable,
    /// The process ended; this is told once.
    Ended(Exit),
    /// The time is over.
    Overdue,
}

/// Starts a process in a session of its own, its standard streams on `/dev/null`. Call it in a process with one
/// thread.
pub fn detach(launch: &Launch) -> Result<Detached, SpawnError> {
    detached(launch).map_err(|Failure { step, errno }| SpawnError {
        program: launch.argv.first().cloned().unwrap_or_default(),
        dir: launch.dir.clone(),
        step,
        reason: errno_words(errno),
        errno: errno.raw_os_error(),
    })
}

fn detached(launch: &Launch) -> Result<Detached, Failure> {
    let opened = File::options().read(true).write(true).open("/dev/null");
    let null = opened.map_err(|error| Failure {
        step: Step::Stdio,
        errno: Errno::from_io_error(&error).unwrap_or(Errno::IO),
    })?;
    let setting = Setting {
        session: Session::Own,
        stdio: Some([null.as_fd(); 3]),
        witnesses: libc::STDERR_FILENO,
        ..Setting::default()
    };
    let failed = |errno| Failure { step: Step::Fork, errno };
    let pid = Spawner::new().map_err(failed)?.spawn(launch, setting)?;
    // It is our child and not reaped: the number is its own.
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(failed(Errno::SRCH))?;
    let process = pidfd_open(number, PidfdFlags::empty()).map_err(failed)?;
    Ok(Detached { pid, process })
}

impl Detached {
    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until there is something to read, the process has ended, or the time is over. What was said before the
    /// end is read before it.
    pub fn watch(&self, descriptor: impl AsFd, deadline: Instant) -> io::Result<Happened> {
        loop {
            let mut waited =
                [PollFd::new(&descriptor, PollFlags::IN), PollFd::new(&self.process, PollFlags::IN)];
            match poll(&mut waited, Some(&until(deadline))) {
                Ok(0) => return Ok(Happened::Overdue),
                Ok(_) if !waited[0].revents().is_empty() => return Ok(Happened::Readable),
                Ok(_) => return Ok(Happened::Ended(wait_for(self.pid).unwrap_or(Exit::Code(u8::MAX)))),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    use super::*;

    fn shell(script: &str) -> Launch {
        let argv = ["sh", "-c", script].map(OsString::from).into();
        Launch { argv, env: std::env::vars_os().map(entry).collect(), dir: "/".into(), ..Launch::default() }
    }

    fn entry((mut name, value): (OsString, OsString)) -> OsString {
        name.push("=");
        name.push(value);
        name
    }

    #[test]
    fn it_leads_a_session_and_its_streams_lead_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("nobody")).unwrap();
        let file = dir.path().join("found");
        let script = format!(
            "exec 3> {}; test \"$(cut -d' ' -f6 /proc/$$/stat)\" = $$ || exit 1; for fd in 0 1 2; do \
             link=$(readlink /proc/$$/fd/$fd); echo $link >&3; done; exit 7",
            file.display()
        );
        let detached = detach(&shell(&script)).unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        assert_eq!(detached.watch(&listener, deadline).unwrap(), Happened::Ended(Exit::Code(7)));
        assert_eq!(std::fs::read_to_string(file).unwrap(), "/dev/null\n".repeat(3));
    }

    #[test]
    fn a_command_that_is_not_there_is_said_at_once() {
        let launch = Launch { argv: vec!["/no/such/program".into()], dir: "/".into(), ..Launch::default() };
        assert_eq!(detach(&launch).unwrap_err().step, Step::NotFound);
    }
}
