//! A process that stands by while a keeper executes another program over itself, and while that one is on trial. It is
//! of the program before, and holds all that was handed over: should the keeper end, no output is lost, the app stays
//! locked, and it goes on as the next keeper. It hears on a line whether it is needed: one byte says that it is not.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{Pid, PidfdFlags, Signal, getppid, pidfd_open, pidfd_send_signal};

use crate::adopted::watch;
use crate::handover::{Baggage, HANDOVER_VARIABLE, Handover, OUR_VARIABLES};
use crate::keeper::until;
use crate::orphans::end_orphans;
use crate::patience::Patience;
use crate::protocol::Launch;
use crate::sys::spawn::{OVERSEER_IGNORES, Session, Setting, Spawner};
use crate::sys::{descriptors, program};
use crate::upgrade::{Bereaved, Upgrade};

/// The variable that tells a process that stands by which descriptor its line is, who the keeper is, and whether it is
/// to end the runs.
pub(crate) const GUARD_VARIABLE: &str = "GANGER_GUARD_FD";
/// What follows the numbers if it is.
const ENDS: &str = " ends";

/// What a process that stood by has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Go on as the keeper.
    Keep,
    /// End, with this status.
    End(u8),
}

/// Starts it; its PID and the line to it.
pub(crate) fn post(
    spawner: &mut Spawner,
    handover: &Handover,
    baggage: &Baggage,
    upgrade: &Upgrade,
    name: &Path,
) -> io::Result<(u32, OwnedFd)> {
    let (ours, its) = UnixStream::pair()?;
    let table = handover.written(baggage)?;
    handover.inherit(baggage, &table, FdFlags::empty())?;
    fcntl_setfd(&its, FdFlags::empty())?;
    let mut env = program::environment(&OUR_VARIABLES);
    env.push(format!("{HANDOVER_VARIABLE}={}", table.as_raw_fd()).into());
    let ends = if upgrade.bereaved == Bereaved::End { ENDS } else { "" };
    env.push(format!("{GUARD_VARIABLE}={} {}{ends}", its.as_raw_fd(), std::process::id()).into());
    let argv: Vec<OsString> = std::iter::once(name.into()).chain(upgrade.keep.iter().cloned()).collect();
    let launch = Launch { argv, env, dir: std::env::current_dir()?, ..Launch::default() };
    let setting = Setting {
        session: Session::Own,
        own_program: true,
        inherit: true,
        ignore: OVERSEER_IGNORES,
        ..Setting::default()
    };
    let started = spawner.spawn(&launch, setting);
    // What cannot be marked again goes to whatever is started next, and does no more harm than that.
    let _ = handover.inherit(baggage, &table, FdFlags::CLOEXEC);
    let pid = started.map_err(|failure| io::Error::other(format!("{}: {}", failure.step, failure.errno)))?;
    Ok((pid, ours.into()))
}

/// Tells it that it is not needed.
pub(crate) fn dismiss(line: &OwnedFd) {
    // One that is gone needs not be told.
    let _ = rustix::io::write(line, b".");
}

/// Stands by if that is what this process is for.
pub(crate) fn stand_by(handover: &mut Handover, patience: &Patience) -> io::Result<Duty> {
    let Ok(text) = std::env::var(GUARD_VARIABLE) else { return Ok(Duty::Keep) };
    let mut words = text.split(' ');
    let mut number = || words.next().and_then(|word| word.parse::<i32>().ok()).ok_or(Errno::BADF);
    let (number, keeper) = (number()?, number()?);
    let line = descriptors::handed_down(&[number])?.pop().ok_or(Errno::BADF)?;
    let keeper = Pid::from_raw(keeper).ok_or(Errno::SRCH)?;
    for run in handover.runs.iter().filter(|run| run.exit.is_none()) {
        if handover.processes.iter().all(|(id, _)| *id != run.run) {
            handover.processes.extend(watch(run.pid, run.started).map(|process| (run.run, process)));
        }
    }
    if is_dismissed(&line, keeper, patience) {
        return Ok(Duty::End(0));
    }
    if !text.ends_with(ENDS) {
        return Ok(Duty::Keep);
    }
    let mut apps: Vec<&str> = handover.runs.iter().filter_map(|run| run.tag.split('/').next()).collect();
    apps.sort_unstable();
    apps.dedup();
    for app in apps.into_iter().filter(|app| !app.is_empty()) {
        end_orphans(&format!("{app}/"), |_| libc::SIGTERM, patience.stop);
    }
    Ok(Duty::End(u8::MAX))
}

/// Waits until it is told that it is not needed, or until the keeper is gone. One that says nothing for too long is
/// killed: it stands still. One that drops the line and lives needs nobody.
fn is_dismissed(line: &OwnedFd, keeper: Pid, patience: &Patience) -> bool {
    // Opened first, compared then: if it still is our parent, its number was not another's when it was opened.
    let Ok(lives) = pidfd_open(keeper, PidfdFlags::empty()) else { return false };
    if getppid() != Some(keeper) {
        return false;
    }
    if !comes(line, Some(patience.stand_by)) {
        // One that has just ended is as gone as one that is killed.
        let _ = pidfd_send_signal(&lives, Signal::KILL);
        comes(line, None);
    }
    if rustix::io::read(line, &mut [0_u8; 1]).is_ok_and(|read| read == 1) {
        return true;
    }
    !comes(&lives, Some(patience.farewell))
}

/// Waits until there is something to read, or the time is over; whether something came.
fn comes(descriptor: &OwnedFd, within: Option<Duration>) -> bool {
    let deadline = within.map(|within| Instant::now() + within);
    loop {
        let timeout = deadline.map(until);
        match poll(&mut [PollFd::new(descriptor, PollFlags::IN)], timeout.as_ref()) {
            Ok(count) => return count > 0,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
