//! Asks workers whether they are ready and all right, and looks how much memory they take.
//!
//! Who is asked what follows from what runs and what its group says. What comes of it is the decider's business: each
//! answer is an input. A timer is armed only while somebody is to be asked; only [`ASKED_AT_ONCE`] are at a time, the others
//! wait for their turn.

mod ask;
mod commands;
mod memory;

use std::collections::{BTreeMap, BTreeSet};

use ganger_core::{Instant, RunId, State, WorkerView};
use ganger_spec::{Check, Group, Probe, ProbeKind, Spec, WorkerName};
use tokio::sync::mpsc;

use crate::engine::Message;

pub(crate) use commands::{Asked, Commands};

/// So many workers are asked at a time.
const ASKED_AT_ONCE: usize = 64;

/// What is asked of a run, and for what.
type Subject = (RunId, ProbeKind);

/// Who is asked.
#[derive(Debug)]
pub(crate) struct Prober {
    messages: mpsc::UnboundedSender<Message>,
    /// The groups whose workers are asked something.
    groups: BTreeSet<String>,
    watched: BTreeMap<Subject, Watched>,
    /// The run of each worker that is watched.
    runs: BTreeMap<WorkerName, RunId>,
    /// When each is asked next; who is being asked is not in it.
    due: BTreeSet<(Instant, RunId, ProbeKind)>,
    under_way: usize,
    commands: commands::Commands,
    memory: memory::Memory,
}

/// One thing that a run is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Watched {
    worker: WorkerName,
    probe: Probe,
    port: Option<u16>,
    /// Whether its worker is ready.
    is_ready: bool,
    /// When it is asked next; none while it is being asked.
    next: Option<Instant>,
}

impl Prober {
    pub(crate) fn new(app: &str, messages: mpsc::UnboundedSender<Message>) -> Self {
        Self {
            memory: memory::Memory::new(app, messages.clone()),
            messages,
            groups: BTreeSet::new(),
            watched: BTreeMap::new(),
            runs: BTreeMap::new(),
            due: BTreeSet::new(),
            under_way: 0,
            commands: commands::Commands::default(),
        }
    }

    /// Groups that are asked nothing cost nothing: whether this worker, or another run of it, is asked anything.
    pub(crate) fn concerns(&self, worker: &WorkerName) -> bool {
        self.groups.contains(&worker.group) || self.runs.contains_key(worker)
    }

    /// A release is in force.
    pub(crate) fn renew(&mut self, spec: &Spec) {
        self.groups =
            spec.groups.iter().filter(|group| is_asked(group)).map(|group| group.name.clone()).collect();
    }

    /// A worker is as this says now, by this spec.
    pub(crate) fn look(&mut self, worker: &WorkerName, view: Option<&WorkerView>, spec: &Spec) {
        let run = view
            .filter(|view| matches!(view.state, State::Starting | State::Running) && view.pid.is_some())
            .and_then(|view| Some((view.run?, view.started?)));
        if let Some(before) = self.runs.get(worker).copied()
            && run.is_none_or(|(run, _)| run != before)
        {
            self.forget(before);
            self.runs.remove(worker);
        }
        let (Some((run, started)), Some(group)) = (run, spec.group(&worker.group)) else { return };
        self.memory.watch(run, group.max_memory);
        for kind in [ProbeKind::Readiness, ProbeKind::Liveness] {
            let probe = spec.probe(worker, kind).map(|probe| (probe, spec.port(worker)));
            self.watch((run, kind), worker, probe, started);
            if let Some(watched) = self.watched.get_mut(&(run, kind)) {
                watched.is_ready = view.is_some_and(|view| view.ready);
            }
        }
        if is_asked(group) {
            self.runs.insert(worker.clone(), run);
        }
    }

    /// When [`Prober::work`] is to be called.
    pub(crate) fn next(&self) -> Option<Instant> {
        let asks = self.due.first().filter(|_| self.under_way < ASKED_AT_ONCE).map(|(at, ..)| *at);
        [asks, self.commands.next(), self.memory.next()].into_iter().flatten().min()
    }

    /// Asks those whose time has come, and looks at their memory; the commands that are to be run, and those that took too
    /// long.
    pub(crate) fn work(
        &mut self,
        now: Instant,
        workers: impl FnOnce() -> Vec<ganger_api::WorkerInfo>,
    ) -> Work {
        if self.memory.is_due(now) {
            self.memory.look(now, workers());
        }
        let mut work = Work { late: self.commands.late(now), commands: Vec::new() };
        while self.under_way < ASKED_AT_ONCE
            && let Some((_, run, kind)) = self.due.first().copied().filter(|(at, ..)| *at <= now)
        {
            self.due.pop_first();
            let answer = self.answer_of(run, kind);
            let Some(watched) = self.watched.get_mut(&(run, kind)) else { continue };
            watched.next = None;
            self.under_way += 1;
            match &watched.probe.check {
                Check::Command(command) => {
                    let worker = watched.worker.clone();
                    let (id, until) = (self.commands.id(), now.after(watched.probe.timeout));
                    self.commands.begin(id, (run, kind), until, watched.probe.check.to_string());
                    work.commands.push(Asked { id, worker, kind, command: command.clone() });
                }
                check => ask::ask(check, watched.port, watched.probe.timeout, answer),
            }
        }
        work
    }

    /// An answer came: the next question is due after the interval. None if nobody asks that any more.
    pub(crate) fn answered(&mut self, now: Instant, run: RunId, kind: ProbeKind, is_good: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        if let Some(watched) = self.watched.get_mut(&(run, kind))
            && watched.next.is_none()
        {
            let Probe { interval, interval_ready, .. } = watched.probe;
            let next = now.after(if is_good && watched.is_ready { interval_ready } else { interval });
            watched.next = Some(next);
            self.due.insert((next, run, kind));
        }
    }

    /// The commands of probes.
    pub(crate) fn commands(&mut self) -> &mut commands::Commands {
        &mut self.commands
    }

    /// What passes an answer on.
    fn answer_of(&self, run: RunId, kind: ProbeKind) -> impl FnOnce(Result<(), String>) + Send + 'static {
        let messages = self.messages.clone();
        move |answer| {
            // It fails only when the engine has ended, and nobody asks then.
            let _ = messages.send(Message::Probed { run, kind, answer });
        }
    }

    fn watch(
        &mut self,
        subject: Subject,
        worker: &WorkerName,
        probe: Option<(Probe, Option<u16>)>,
        started: Instant,
    ) {
        let Some((probe, port)) = probe else {
            self.unwatch(subject);
            return;
        };
        let known = self.watched.get(&subject);
        if known.is_some_and(|known| known.probe == probe && known.port == port) {
            return;
        }
        // Who is being asked is asked anew when the answer has come.
        let is_asked = known.is_some_and(|known| known.next.is_none());
        self.unwatch(subject);
        let next = (!is_asked).then(|| started.after(probe.delay));
        if let Some(next) = next {
            self.due.insert((next, subject.0, subject.1));
        }
        let watched = Watched { worker: worker.clone(), probe, port, is_ready: false, next };
        self.watched.insert(subject, watched);
    }

    fn unwatch(&mut self, (run, kind): Subject) {
        if let Some(Watched { next: Some(next), .. }) = self.watched.remove(&(run, kind)) {
            self.due.remove(&(next, run, kind));
        }
    }

    fn forget(&mut self, run: RunId) {
        self.memory.watch(run, None);
        self.unwatch((run, ProbeKind::Readiness));
        self.unwatch((run, ProbeKind::Liveness));
    }
}

fn is_asked(group: &Group) -> bool {
    group.max_memory.is_some() || group.readiness.is_some() || group.liveness.is_some()
}

/// What the keeper is to be asked for.
#[derive(Debug)]
pub(crate) struct Work {
    /// Commands that are to be run.
    pub(crate) commands: Vec<Asked>,
    /// Runs of commands that took too long.
    pub(crate) late: Vec<RunId>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ganger_core::Wanted;
    use ganger_spec::Command;

    use super::*;

    fn view(run: u64, state: State) -> WorkerView {
        WorkerView {
            name: WorkerName::new("web", 1),
            wanted: Wanted::Up,
            state,
            why: String::new(),
            ready: false,
            run: Some(RunId(run)),
            pid: Some(7),
            since: Instant(0),
            started: Some(Instant(0)),
            retry: None,
            restarts: 0,
            last_exit: None,
            began: None,
            ended: None,
            unspawned: None,
        }
    }

    fn spec(probe: Option<Probe>) -> Spec {
        let mut group = Group::new("web", Command::Line("x".to_owned()), "/");
        group.readiness = probe;
        Spec {
            app: "shop".to_owned(),
            root: "/".into(),
            sources: Vec::new(),
            env: Vec::new(),
            groups: vec![group],
            logs_max_total: None,
            forwards: Vec::new(),
            supervisor: None,
            overmind: None,
        }
    }

    fn by_command() -> Probe {
        let check = Check::Command(Command::Line("true".to_owned()));
        Probe { delay: Duration::from_secs(3), ..Probe::new(ProbeKind::Readiness, check) }
    }

    fn at(seconds: u64) -> Instant {
        Instant(0).after(Duration::from_secs(seconds))
    }

    fn asked(prober: &mut Prober, now: Instant) -> usize {
        prober.work(now, Vec::new).commands.len()
    }

    #[test]
    fn a_run_is_asked_after_the_delay_and_again_after_each_answer_and_nobody_else_arms_a_timer() {
        let (sender, _messages) = mpsc::unbounded_channel();
        let mut prober = Prober::new("shop", sender);
        let name = WorkerName::new("web", 1);
        prober.look(&name, Some(&view(1, State::Running)), &spec(None));
        assert_eq!(prober.next(), None, "nobody is to be asked");
        prober.look(&name, Some(&view(1, State::Running)), &spec(Some(by_command())));
        assert_eq!(prober.next(), Some(at(3)));
        assert_eq!((asked(&mut prober, at(2)), asked(&mut prober, at(3))), (0, 1));
        assert_eq!(prober.next(), Some(at(5)), "until then it must have answered");
        let _ = prober.commands().ended(RunId(commands::FIRST.0));
        assert_eq!(prober.next(), None);
        prober.answered(at(4), RunId(1), ProbeKind::Readiness, true);
        assert_eq!(prober.next(), Some(at(5)));
        prober.look(&name, Some(&view(1, State::Running)), &spec(Some(by_command())));
        assert_eq!(prober.next(), Some(at(5)), "nothing changed");
        prober.look(&name, Some(&view(1, State::Stopping)), &spec(Some(by_command())));
        assert_eq!(prober.next(), None, "who is on its way out is not asked");
    }

    #[test]
    fn who_is_ready_is_asked_less_often_unless_its_answer_was_bad() {
        let (sender, _messages) = mpsc::unbounded_channel();
        let mut prober = Prober::new("shop", sender);
        let ready = WorkerView { ready: true, ..view(1, State::Running) };
        prober.look(&ready.name, Some(&ready), &spec(Some(by_command())));
        for (asked_at, is_good, next) in [(3, true, 13), (13, false, 14)] {
            assert_eq!(asked(&mut prober, at(asked_at)), 1);
            let _ = prober.commands().late(at(99));
            prober.answered(at(asked_at), RunId(1), ProbeKind::Readiness, is_good);
            assert_eq!(prober.next(), Some(at(next)));
        }
    }

    #[test]
    fn another_run_and_another_probe_begin_anew_and_a_late_answer_of_the_one_before_counts_for_nobody() {
        let (sender, _messages) = mpsc::unbounded_channel();
        let mut prober = Prober::new("shop", sender);
        let name = WorkerName::new("web", 1);
        prober.look(&name, Some(&view(1, State::Running)), &spec(Some(by_command())));
        assert_eq!(asked(&mut prober, at(3)), 1);
        prober.look(&name, Some(&view(2, State::Running)), &spec(Some(by_command())));
        let _ = prober.commands().ended(RunId(commands::FIRST.0));
        prober.answered(at(4), RunId(1), ProbeKind::Readiness, true);
        assert_eq!(prober.next(), Some(at(3)));
        let other = Probe { delay: Duration::from_secs(9), ..by_command() };
        prober.look(&name, Some(&view(2, State::Running)), &spec(Some(other)));
        assert_eq!(prober.next(), Some(at(9)));
        prober.look(&name, None, &spec(None));
        assert_eq!(prober.next(), None);
    }

    #[test]
    fn no_more_are_asked_at_once_than_the_bound() {
        let (sender, _messages) = mpsc::unbounded_channel();
        let mut prober = Prober::new("shop", sender);
        for number in 1..=100 {
            let name = WorkerName::new("web", number);
            prober.look(&name, Some(&view(u64::from(number), State::Running)), &spec(Some(by_command())));
        }
        assert_eq!((asked(&mut prober, at(3)), asked(&mut prober, at(3))), (ASKED_AT_ONCE, 0));
        prober.answered(at(3), RunId(1), ProbeKind::Readiness, true);
        assert_eq!(asked(&mut prober, at(3)), 1);
    }
}
