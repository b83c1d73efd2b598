//! `ganger run`: one command in this terminal, with this process as its only keeper.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use thiserror::Error;

use crate::keeper::until;
use crate::protocol::{Exit, Launch, Process, Step};
use crate::runs::named;
use crate::sys::Failure;
use crate::sys::signals::{self, Set};
use crate::sys::spawn::{Session, Setting, Spawner};
use crate::sys::wait::{Reaped, reap};
use crate::trees::kill_descendants;

/// Signals that arrive on a descriptor meanwhile: ends of children, the terminal's own, and what is passed on.
const HEARD: [i32; 5] = [libc::SIGCHLD, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP];
/// How long killed processes may take to be gone before they are left behind, stuck in the kernel.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// How a command in this terminal ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// As a shell has it: the exit code, or 128 + the signal's number.
    pub status: u8,
    /// What was left of its tree and had to be killed.
    pub killed: Vec<Process>,
}

/// A command that could not be started.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{program}: {step}: {reason}", program = .program.to_string_lossy())]
pub struct SpawnError {
    /// What was to be started.
    pub program: OsString,
    /// Where.
    pub dir: PathBuf,
    /// What failed.
    pub step: Step,
    /// Why, in the system's words.
    pub reason: String,
    /// Why, as the system numbers it.
    pub errno: i32,
}

impl SpawnError {
    /// As a shell has it: 127 for a command that is not there, 126 for one that cannot be executed.
    pub fn status(&self) -> u8 {
        if self.step == Step::NotFound { 127 } else { 126 }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let program = self.program.to_string_lossy();
        let dir = self.dir.display();
        match self.step {
            Step::Directory => Some(format!("{dir} must exist, and the user must be allowed to enter it")),
            Step::NotFound if program.starts_with('/') => None,
            Step::NotFound if program.contains('/') => Some(format!("it was looked for from {dir}")),
            step => step.hint().map(str::to_owned),
        }
    }
}

/// Runs one command in this terminal: the same streams, the same process group, so that Ctrl-C reaches it. TERM and
/// HUP are passed on to it. When it ended, what is left of its tree is killed. Call it in a process with one thread.
pub fn run_attached(launch: &Launch) -> Result<Ended, SpawnError> {
    let set = Set::of(&HEARD);
    let before = set.block();
    let ended = attached(launch, &set);
    before.block();
    ended.map_err(|Failure { step, errno }| SpawnError {
        program: launch.argv.first().cloned().unwrap_or_default(),
        dir: launch.dir.clone(),
        step,
        reason: errno_words(errno),
        errno: errno.raw_os_error(),
    })
}

/// What the system says, without the number.
pub(crate) fn errno_words(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

fn attached(launch: &Launch, set: &Set) -> Result<Ended, Failure> {
    let failed = |errno| Failure { step: Step::Fork, errno };
    let heard = signals::Descriptor::open(set).map_err(failed)?;
    signals::become_subreaper().map_err(failed)?;
    let setting =
        Setting { session: Session::Ours, stdio: None, witnesses: libc::STDERR_FILENO, ..Setting::default() };
    let pid = Spawner::new().map_err(failed)?.spawn(launch, setting)?;
    let mut ended = None;
    while ended.is_none() {
        // Interrupted or failed: the signals are looked at.
        let _ = poll(&mut [PollFd::new(&heard, PollFlags::IN)], None);
        while let Some(signal) = heard.next() {
            if matches!(signal, libc::SIGTERM | libc::SIGHUP) {
                // It is our child and not reaped, so the number is its own; if it has ended, nothing is to be done.
                let _ = signals::send(pid, signal);
            }
        }
        while let (None, Reaped::Ended(child)) = (&ended, reap()) {
            ended = (child.pid == pid).then_some(child.exit);
        }
    }
    let killed = kill_rest(&heard);
    Ok(Ended { status: ended.map_or(0, Exit::status), killed })
}

/// Kills what the command left behind, and waits until it is gone.
fn kill_rest(heard: &signals::Descriptor) -> Vec<Process> {
    let deadline = Instant::now() + GONE_WITHIN;
    let mut hit = HashSet::new();
    let mut killed = Vec::new();
    loop {
        killed.extend(kill_descendants(&mut hit));
        while heard.next().is_some() {}
        let rest = std::iter::from_fn(|| Some(reap())).find(|reaped| !matches!(reaped, Reaped::Ended(_)));
        if matches!(rest, Some(Reaped::NoChildren)) || Instant::now() >= deadline {
            return named(&killed);
        }
        // Interrupted or failed: the children are looked at again.
        let _ = poll(&mut [PollFd::new(heard, PollFlags::IN)], Some(&until(deadline)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(program: &str, step: Step) -> SpawnError {
        let reason = "why".to_owned();
        SpawnError { program: program.into(), dir: "/srv/shop".into(), step, reason, errno: 2 }
    }

    #[test]
    fn a_hint_says_where_a_command_was_looked_for() {
        let hint = |program: &str| failed(program, Step::NotFound).hint().unwrap_or_default();
        assert_eq!(hint("rails"), "without a slash it must be in a directory of PATH");
        assert_eq!(hint("bin/rails"), "it was looked for from /srv/shop");
        assert_eq!(hint("/bin/rails"), "");
        assert_eq!(failed("rails", Step::NotFound).to_string(), "rails: command not found: why");
    }

    #[test]
    fn a_hint_says_what_is_needed() {
        let hint = |step| failed("rails", step).hint().unwrap_or_default();
        assert_eq!(hint(Step::User), "only root may start a command as another user");
        assert_eq!(hint(Step::NotExecutable), "it must be a file with the right to be executed (chmod +x)");
        assert!(hint(Step::Directory).starts_with("/srv/shop must exist"));
        assert_eq!(hint(Step::Exec), "");
    }

    #[test]
    fn a_command_that_is_not_there_has_the_status_that_a_shell_gives_it() {
        assert_eq!(failed("rails", Step::NotFound).status(), 127);
        assert_eq!(failed("rails", Step::NotExecutable).status(), 126);
    }
}
