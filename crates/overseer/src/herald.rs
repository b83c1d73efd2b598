//! What the service manager is told, by `sd_notify(3)`: that the app is up, reads its files again, stops, is alive.
//! The keeper sends it. Where no manager wants to know, nothing is made and no timer is armed.

use std::time::Duration;

use ganger_core::{CommandId, Counts, Instant};

use crate::clock;

/// How often the manager hears of us beside what happens: this part of the time after which it gives us up.
const BEATS: u32 = 2;

/// What was told so far.
#[derive(Debug)]
pub(crate) struct Herald {
    is_wanted: bool,
    watchdog: Watchdog,
    stage: Stage,
    status: String,
    /// The command that puts the files that were read again in force.
    reload: Option<CommandId>,
}

/// Says again and again that we live, to a manager that asks for it.
#[derive(Debug, Default)]
pub(crate) struct Watchdog(Option<Beat>);

#[derive(Debug)]
struct Beat {
    every: Duration,
    next: Instant,
}

impl Watchdog {
    /// As the environment asks for it; the manager knows the keeper by this PID.
    pub(crate) fn of_environment(keeper_pid: u32) -> Self {
        let text = |name| std::env::var(name).ok();
        let is_ours = text("WATCHDOG_PID").is_none_or(|pid| pid.parse() == Ok(keeper_pid));
        let usec = text("WATCHDOG_USEC").filter(|_| is_wanted() && is_ours);
        let every = usec.and_then(|usec| usec.parse().ok()).map(|usec| Duration::from_micros(usec) / BEATS);
        let every = every.filter(|every| !every.is_zero());
        Self(every.map(|every| Beat { every, next: clock::now() }))
    }

    /// When the manager is to hear that we live.
    pub(crate) fn next_beat(&self) -> Option<Instant> {
        self.0.as_ref().map(|beat| beat.next)
    }

    /// That we live, if the time for it has come.
    pub(crate) fn beat(&mut self, now: Instant) -> Option<String> {
        let beat = self.0.as_mut().filter(|beat| beat.next <= now)?;
        beat.next = now.after(beat.every);
        Some("WATCHDOG=1".to_owned())
    }
}

/// What a manager is told while it is to wait for another `READY=1`.
pub(crate) fn reloading() -> String {
    format!("RELOADING=1\nMONOTONIC_USEC={}", clock::now().0 / 1_000)
}

/// Whether a manager listens.
fn is_wanted() -> bool {
    std::env::var_os(ganger_keeper::SOCKET_VARIABLE).is_some_and(|socket| !socket.is_empty())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting,
    Ready,
    Stopping,
}

/// How the app stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Every worker that is to run was started once, or could not be.
    pub(crate) is_up: bool,
    pub(crate) is_stopping: bool,
    pub(crate) counts: Counts,
}

impl Herald {
    /// For the manager that the environment names; it knows the keeper by this PID.
    pub(crate) fn of_environment(keeper_pid: u32) -> Self {
        Self {
            is_wanted: is_wanted(),
            watchdog: Watchdog::of_environment(keeper_pid),
            stage: Stage::Starting,
            status: String::new(),
            reload: None,
        }
    }

    /// For an office, which tells the manager itself: it hears all that a manager would but that we live.
    pub(crate) fn of_office() -> Self {
        let watchdog = Watchdog::default();
        Self { is_wanted: true, watchdog, stage: Stage::Starting, status: String::new(), reload: None }
    }

    /// What is to be told, as the app stands now.
    pub(crate) fn news(&mut self, standing: Standing) -> Option<String> {
        if !self.is_wanted {
            return None;
        }
        let stage = match (standing.is_stopping, standing.is_up, self.stage) {
            (true, ..) | (false, _, Stage::Stopping) => Stage::Stopping,
            (false, true, _) | (false, false, Stage::Ready) => Stage::Ready,
            (false, false, Stage::Starting) => Stage::Starting,
        };
        let mut lines = Vec::new();
        if stage != self.stage {
            self.stage = stage;
            lines.push(if stage == Stage::Ready { "READY=1".to_owned() } else { "STOPPING=1".to_owned() });
        }
        let status = status(stage, &standing.counts);
        if status != self.status && stage != Stage::Starting {
            lines.push(format!("STATUS={status}"));
            self.status = status;
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// The files were read again, and this command puts them in force.
    pub(crate) fn reloading(&mut self, command: CommandId) -> Option<String> {
        if !self.is_wanted {
            return None;
        }
        self.reload = Some(command);
        Some(reloading())
    }

    /// Another program takes our place; it says when it is ready.
    pub(crate) fn exchanging(&self) -> Option<String> {
        (self.is_wanted && self.stage == Stage::Ready).then(reloading)
    }

    /// A command is carried out.
    pub(crate) fn done(&mut self, command: CommandId) -> Option<String> {
        self.reload.take_if(|reload| *reload == command).map(|_| "READY=1".to_owned())
    }

    /// Who says that we live.
    pub(crate) fn watchdog(&mut self) -> &mut Watchdog {
        &mut self.watchdog
    }
}

fn status(stage: Stage, counts: &Counts) -> String {
    let Counts { stopped, starting, running, backoff, stopping, exited, fatal } = counts;
    let all = stopped + starting + running + backoff + stopping + exited + fatal;
    let troubles = [(backoff, "in back-off"), (exited, "ended"), (fatal, "given up"), (stopped, "stopped")];
    let troubles = troubles.into_iter().filter(|(count, _)| **count > 0);
    let troubles: Vec<String> = troubles.map(|(count, what)| format!("{count} {what}")).collect();
    let up = starting + running;
    match stage {
        Stage::Stopping => format!("stopping: {} of {all} workers left", up + stopping),
        Stage::Starting | Stage::Ready if troubles.is_empty() => format!("{up} of {all} workers up"),
        Stage::Starting | Stage::Ready => format!("{up} of {all} workers up, {}", troubles.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn herald(is_wanted: bool) -> Herald {
        Herald {
            is_wanted,
            watchdog: Watchdog::default(),
            stage: Stage::Starting,
            status: String::new(),
            reload: None,
        }
    }

    fn standing(is_up: bool, is_stopping: bool, running: usize) -> Standing {
        Standing { is_up, is_stopping, counts: Counts { running, fatal: 1, ..Counts::default() } }
    }

    #[test]
    fn each_stage_is_told_once_and_the_status_when_it_changes() {
        let mut herald = herald(true);
        let mut tell = |is_up, is_stopping, running| herald.news(standing(is_up, is_stopping, running));
        assert_eq!(tell(false, false, 0), None);
        assert_eq!(tell(true, false, 2).as_deref(), Some("READY=1\nSTATUS=2 of 3 workers up, 1 given up"));
        assert_eq!(tell(true, false, 2), None);
        assert_eq!(tell(false, false, 2), None, "a later start of a worker is no news");
        assert_eq!(tell(true, false, 1).as_deref(), Some("STATUS=1 of 2 workers up, 1 given up"));
        assert_eq!(tell(true, true, 1).as_deref(), Some("STOPPING=1\nSTATUS=stopping: 1 of 2 workers left"));
    }

    #[test]
    fn a_reload_is_over_when_its_own_command_is_carried_out() {
        let mut herald = herald(true);
        let told = herald.reloading(CommandId(7)).unwrap_or_default();
        let usec = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|usec| usec.parse().ok());
        assert!(usec.is_some_and(|usec: u64| usec > 0), "{told}");
        assert_eq!(herald.done(CommandId(6)), None);
        assert_eq!(herald.done(CommandId(7)).as_deref(), Some("READY=1"));
        assert_eq!(herald.done(CommandId(7)), None);
    }

    #[test]
    fn a_beat_is_due_at_its_time_and_nobody_is_told_who_does_not_listen() {
        let mut silent = herald(false);
        assert_eq!(silent.news(standing(true, true, 1)), None);
        assert_eq!((silent.reloading(CommandId(1)), silent.watchdog().next_beat()), (None, None));
        let every = Duration::from_secs(5);
        let mut watchdog = Watchdog(Some(Beat { every, next: Instant(10) }));
        assert_eq!(watchdog.beat(Instant(9)), None);
        assert_eq!(watchdog.beat(Instant(10)).as_deref(), Some("WATCHDOG=1"));
        assert_eq!(watchdog.next_beat(), Some(Instant(10).after(every)));
    }
}
