//! Another program in the keeper's place, in the same process: the rules.
//!
//! 1. The new program is tried out first, beside the keeper: it is given the table that it would be handed and has to
//!    say, within a bound, that it [accepts](ACCEPTS). If it does not, nothing was changed.
//! 2. Then the overseer settles what is under way, says so, and is ended. The keeper executes the new program over
//!    itself. The runs stay its children; ends that nobody was told of, signals that nobody acted on and what the service
//!    manager was not told yet go over with them.
//! 3. The new program is on trial until its overseer has taken up all. If that takes longer than a bound, or that
//!    overseer dies [so many](TRIES) times, the program before it, which was kept open, is executed again.
//! 4. Meanwhile a process of the old program [stands by](crate::guard) with all that was handed over: should the new one
//!    end at once or stand still, it goes on as the keeper.
//! 5. How it ended is told to every overseer that comes after.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Instant;

use minicbor::{Decode, Encode};

use crate::codec;
use crate::protocol::Exit;

/// What a program that is tried out prints, as a line of its own, if it can take the keeper's place.
pub const ACCEPTS: &str = "ganger: can take the keeper's place";

/// An overseer of a program on trial may die so often, and the last time is one too many.
pub(crate) const TRIES: u32 = 3;
/// So much of what a program says that is tried out is read.
pub(crate) const SAID_MAX: usize = 4096;

/// What is to take the keeper's place.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Upgrade {
    /// By what whoever asked for it knows the outcome.
    #[n(0)]
    pub ticket: String,
    /// The program: an absolute path.
    #[cbor(n(1), with = "codec::os_string")]
    pub program: PathBuf,
    /// The arguments with which it calls [`crate::keep`]. The present program goes on with the same, should it have to.
    #[cbor(n(2), with = "codec::os_strings")]
    pub keep: Vec<OsString>,
    /// The arguments with which it is tried out: it calls [`crate::attempt`].
    #[cbor(n(3), with = "codec::os_strings")]
    pub attempt: Vec<OsString>,
    /// The version of the present program.
    #[n(4)]
    pub from: String,
    /// Who goes on with the runs should the new program end at once.
    #[n(5)]
    pub bereaved: Bereaved,
}

/// What becomes of runs whose keeper ended just after it was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Bereaved {
    /// The process that stands by goes on with them.
    #[n(0)]
    GoOn,
    /// It ends them: they belong to a terminal.
    #[n(1)]
    End,
    /// Nobody stands by: a service manager starts the next keeper, which finds them.
    #[n(2)]
    Wait,
}

/// How an upgrade ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Upgraded {
    /// Which.
    #[n(0)]
    pub ticket: String,
    /// The version before it.
    #[n(1)]
    pub from: String,
    /// Why the program before it goes on.
    #[n(2)]
    pub failure: Option<String>,
    /// No overseer has taken up all that there is since then.
    #[n(3)]
    #[cbor(default)]
    pub is_fresh: bool,
}

/// How far one has come.
#[derive(Debug, Default)]
pub(crate) enum Stage {
    /// None is under way.
    #[default]
    Idle,
    /// The new program is tried out, for the request of this number.
    Trying { id: u64, upgrade: Upgrade, probe: Probe },
    /// The overseer settles what is under way, and is ended if it takes longer.
    Yielding { upgrade: Upgrade, until: Option<Instant> },
    /// This is the new program, and on trial; or the one before it, which goes on.
    Trial(Trial),
}

impl Stage {
    /// When something is due although nothing happens.
    pub(crate) fn due(&self) -> Option<Instant> {
        match self {
            Self::Idle => None,
            Self::Trying { probe, .. } => (!probe.is_overdue).then_some(probe.until),
            Self::Yielding { until, .. } => *until,
            Self::Trial(trial) => trial.until,
        }
    }
}

/// A program that is tried out.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) pid: u32,
    pub(crate) output: OwnedFd,
    pub(crate) until: Instant,
    /// It was killed since it took too long.
    pub(crate) is_overdue: bool,
}

/// A program on trial.
#[derive(Debug)]
pub(crate) struct Trial {
    /// The program before it; none if this is that one.
    pub(crate) before: Option<Before>,
    /// The process that stands by, and the line to it.
    pub(crate) guard: Option<(u32, OwnedFd)>,
    pub(crate) deaths: u32,
    pub(crate) until: Option<Instant>,
    /// Why it is given up, once its overseer has ended.
    pub(crate) given_up: Option<String>,
}

/// A program that was executed in this process before this one.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) program: OwnedFd,
    /// By what name.
    pub(crate) name: PathBuf,
    pub(crate) keep: Vec<OsString>,
}

/// What the end of a program that was tried out tells: why it cannot take the keeper's place.
pub(crate) fn verdict(
    exit: Exit,
    is_overdue: bool,
    said: &[u8],
    bound: std::time::Duration,
) -> Option<String> {
    let said = String::from_utf8_lossy(said);
    let mut lines = said.lines().filter(|line| !line.trim().is_empty());
    if exit == Exit::Code(0) && lines.clone().any(|line| line == ACCEPTS) {
        return None;
    }
    let how = match exit {
        _ if is_overdue => format!("it said nothing within {} s", bound.as_secs()),
        Exit::Code(0) => "it is no ganger that knows how to take over".to_owned(),
        Exit::Code(code) => format!("it ended with status {code}"),
        Exit::Signal(signal) => format!("signal {signal} ended it"),
        Exit::Unknown => "nobody saw how it ended".to_owned(),
    };
    let last = lines.rfind(|line| *line != ACCEPTS);
    Some(last.map_or_else(|| how.clone(), |last| format!("{how}: {last}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn told(exit: Exit, is_overdue: bool, said: &str) -> Option<String> {
        verdict(exit, is_overdue, said.as_bytes(), Duration::from_secs(10))
    }

    #[test]
    fn only_a_program_that_says_so_and_ends_well_takes_the_keepers_place() {
        let accepts = format!("{ACCEPTS}\n");
        assert_eq!(told(Exit::Code(0), false, &accepts), None);
        assert_eq!(told(Exit::Code(1), false, &accepts).unwrap(), "it ended with status 1");
        assert_eq!(told(Exit::Code(2), false, "a\nb\n\n").unwrap(), "it ended with status 2: b");
        assert_eq!(told(Exit::Signal(9), true, "").unwrap(), "it said nothing within 10 s");
        assert_eq!(told(Exit::Signal(11), false, "").unwrap(), "signal 11 ended it");
        let stranger = "it is no ganger that knows how to take over: hello";
        assert_eq!(told(Exit::Code(0), false, "hello\n").unwrap(), stranger);
    }
}
