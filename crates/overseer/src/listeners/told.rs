//! What listeners were told of a worker, and which events follow from what happens to it.
//!
//! supervisord's processes go through a state at a time: one that ends and is restarted is EXITED in between, one that
//! fails to start for the last time is BACKOFF before it is FATAL. ganger's workers may leave such a state out, and
//! go through STOPPING while what a run left behind is ended. The rules here put in what is missing and leave out
//! the rest: what listeners hear is always a way that a process of supervisord's can go.

use ganger_core::State;
use serde::{Deserialize, Serialize};

/// A worker as clients of supervisord know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) process: String,
    pub(crate) family: String,
}

/// What happened to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// A run started.
    Started { run: u64, pid: u32 },
    /// It is in this state.
    State { from: State, to: State },
    /// The main process of its run ended, in a way that is expected or not.
    Ended { expected: bool },
}

/// An event before it has a number: the name of its type, and its text.
pub(crate) type Told = (&'static str, String);

/// A worker as listeners were last told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Portrait {
    identity: Identity,
    state: State,
    pid: u32,
    /// Starts in a row that failed.
    tries: u32,
    /// How its run ended, while what follows is not known.
    ended: Option<bool>,
}

impl Portrait {
    /// Of a worker that is in this state.
    pub(crate) fn new(identity: Identity, state: State) -> Self {
        Self { identity, state, pid: 0, tries: 0, ended: None }
    }

    /// The first state of one of whom nothing was told, before this change.
    pub(crate) fn before(change: Change) -> State {
        match change {
            Change::State { from, .. } => from,
            Change::Started { .. } => State::Starting,
            Change::Ended { .. } => State::Running,
        }
    }

    /// Whether it has or may get a process.
    pub(crate) fn is_alive(&self) -> bool {
        match self.state {
            State::Starting | State::Running | State::Backoff | State::Stopping => true,
            State::Stopped | State::Exited | State::Fatal => false,
        }
    }

    /// What events say of it beside states.
    pub(crate) fn about(&self) -> String {
        let Identity { process, family } = &self.identity;
        format!("processname:{process} groupname:{family} pid:{}", self.pid)
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The group says so.
    pub(crate) fn is_known_as(&mut self, identity: Identity) {
        self.identity = identity;
    }

    /// The events that follow.
    pub(crate) fn step(&mut self, change: Change) -> Vec<Told> {
        let mut told = Vec::new();
        match change {
            Change::Started { pid, .. } => self.started(pid, &mut told),
            Change::Ended { expected } => {
                self.ended = Some(expected);
                if self.state == State::Running {
                    self.settle(&mut told);
                }
            }
            Change::State { to, .. } => self.reached(to, &mut told),
        }
        told
    }

    fn started(&mut self, pid: u32, told: &mut Vec<Told>) {
        if self.ended.is_some() {
            self.settle(told);
        }
        if self.state != State::Starting {
            self.tell(State::Starting, told);
        }
        self.pid = pid;
    }

    fn reached(&mut self, to: State, told: &mut Vec<Told>) {
        let is_over = self.ended.is_some();
        match (self.state, to) {
            // What a run left behind is ended: for listeners it is over.
            (_, State::Stopping) if is_over || !self.is_alive() => {}
            (State::Starting, State::Starting) if !is_over => {}
            (State::Starting, State::Backoff) => self.tell(State::Backoff, told),
            (State::Starting, State::Fatal) => {
                self.tell(State::Backoff, told);
                self.tell(State::Fatal, told);
            }
            (_, State::Starting | State::Fatal) => {
                self.settle(told);
                self.tell(to, told);
            }
            (State::Starting | State::Running | State::Stopping, State::Exited)
            | (State::Running | State::Stopping, State::Backoff)
            | (State::Running, State::Stopped) => self.settle(told),
            (State::Exited | State::Fatal, State::Stopped | State::Backoff) => {}
            (from, to) if from == to => {}
            (_, State::Stopped | State::Running | State::Backoff | State::Stopping | State::Exited) => {
                self.tell(to, told);
            }
        }
    }

    /// Brings a run that is over to where it ends.
    fn settle(&mut self, told: &mut Vec<Told>) {
        match self.state {
            State::Starting if self.ended.is_some() => {
                let ended = self.ended;
                self.tell(State::Running, told);
                self.ended = ended;
                self.tell(State::Exited, told);
            }
            State::Running => self.tell(State::Exited, told),
            State::Stopping => self.tell(State::Stopped, told),
            State::Starting | State::Stopped | State::Backoff | State::Exited | State::Fatal => {}
        }
    }

    fn tell(&mut self, to: State, told: &mut Vec<Told>) {
        let Identity { process, family } = &self.identity;
        let from = std::mem::replace(&mut self.state, to);
        let expected = self.ended.take();
        let about = format!("processname:{process} groupname:{family} from_state:{from}");
        let with_pid = |pid: u32| format!("{about} pid:{pid}");
        told.push(match to {
            State::Starting => ("PROCESS_STATE_STARTING", format!("{about} tries:{}", self.tries)),
            State::Backoff => {
                self.tries = self.tries.saturating_add(1);
                ("PROCESS_STATE_BACKOFF", format!("{about} tries:{}", self.tries))
            }
            State::Running => ("PROCESS_STATE_RUNNING", with_pid(self.pid)),
            State::Stopping => ("PROCESS_STATE_STOPPING", with_pid(self.pid)),
            State::Stopped => ("PROCESS_STATE_STOPPED", with_pid(self.pid)),
            State::Exited => {
                let expected = u8::from(expected == Some(true));
                ("PROCESS_STATE_EXITED", format!("{about} expected:{expected} pid:{}", self.pid))
            }
            State::Fatal => ("PROCESS_STATE_FATAL", about),
        });
        match to {
            State::Starting | State::Backoff => self.pid = 0,
            State::Running | State::Stopped | State::Exited | State::Fatal => self.tries = 0,
            State::Stopping => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::State::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping};
    use super::*;

    fn play(changes: &[Change]) -> Vec<String> {
        let identity = Identity { process: "x".into(), family: "g".into() };
        let mut portrait = Portrait::new(identity, Portrait::before(changes[0]));
        let told = changes.iter().flat_map(|change| portrait.step(*change));
        told.map(|(name, payload)| {
            let name = name.strip_prefix("PROCESS_STATE_").unwrap();
            format!("{name} {}", payload.strip_prefix("processname:x groupname:g ").unwrap())
        })
        .collect()
    }

    fn to(from: State, to: State) -> Change {
        Change::State { from, to }
    }

    const STARTED: Change = Change::Started { run: 1, pid: 7 };
    const ENDED: Change = Change::Ended { expected: false };
    const UP: [Change; 3] = [
        Change::State { from: Stopped, to: Starting },
        STARTED,
        Change::State { from: Starting, to: Running },
    ];

    #[test]
    fn a_run_that_ends_and_is_restarted_at_once_is_exited_in_between() {
        let changes = [&UP[..], &[ENDED, to(Running, Starting), STARTED]].concat();
        assert_eq!(
            play(&changes),
            [
                "STARTING from_state:STOPPED tries:0",
                "RUNNING from_state:STARTING pid:7",
                "EXITED from_state:RUNNING expected:0 pid:7",
                "STARTING from_state:EXITED tries:0",
            ]
        );
    }

    #[test]
    fn a_start_that_fails_is_tried_as_supervisord_counts_it_until_it_is_fatal() {
        let changes = [
            to(Stopped, Starting),
            STARTED,
            ENDED,
            to(Starting, Backoff),
            to(Backoff, Starting),
            to(Starting, Fatal),
        ];
        assert_eq!(
            play(&changes),
            [
                "STARTING from_state:STOPPED tries:0",
                "BACKOFF from_state:STARTING tries:1",
                "STARTING from_state:BACKOFF tries:1",
                "BACKOFF from_state:STARTING tries:2",
                "FATAL from_state:BACKOFF",
            ]
        );
    }

    #[test]
    fn what_a_run_leaves_behind_is_no_state_of_its_own() {
        let changes =
            [&UP[..], &[Change::Ended { expected: true }, to(Running, Stopping), to(Stopping, Exited)]]
                .concat();
        assert_eq!(play(&changes)[2..], ["EXITED from_state:RUNNING expected:1 pid:7"]);
        let early = [to(Stopped, Starting), STARTED, ENDED, to(Starting, Stopping), to(Stopping, Backoff)];
        assert_eq!(play(&early)[1..], ["BACKOFF from_state:STARTING tries:1"]);
    }

    #[test]
    fn a_stop_ends_stopped_and_so_does_a_restart_in_between() {
        let changes = [&UP[..], &[to(Running, Stopping), ENDED, to(Stopping, Starting)]].concat();
        assert_eq!(
            play(&changes)[2..],
            [
                "STOPPING from_state:RUNNING pid:7",
                "STOPPED from_state:STOPPING pid:7",
                "STARTING from_state:STOPPED tries:0",
            ]
        );
    }

    #[test]
    fn a_run_so_short_that_its_being_up_was_never_told_was_up() {
        let changes = [to(Stopped, Starting), STARTED, ENDED, Change::Started { run: 2, pid: 8 }];
        assert_eq!(
            play(&changes)[1..],
            [
                "RUNNING from_state:STARTING pid:7",
                "EXITED from_state:RUNNING expected:0 pid:7",
                "STARTING from_state:EXITED tries:0",
            ]
        );
    }

    #[test]
    fn whatever_happens_no_state_follows_itself() {
        let states = [Stopped, Starting, Running, Backoff, Stopping, Exited, Fatal];
        let mut changes = vec![STARTED, ENDED];
        changes.extend(states.map(|state| to(Stopped, state)));
        for first in states {
            for number in 0..changes.len().pow(3) {
                let pick = |power| changes[number / changes.len().pow(power) % changes.len()];
                let all = [to(first, first), pick(0), pick(1), pick(2)];
                for event in play(&all) {
                    let (name, rest) = event.split_once(' ').unwrap();
                    assert!(!rest.starts_with(&format!("from_state:{name} ")), "{all:?}: {event}");
                }
            }
        }
    }
}
