//! Tells what happens, once in the journal and, where it matters to somebody at a terminal, in a line there.
//!
//! A line about the end of a run belongs after the run's last output. So it waits until the capture has stored what
//! was left in the pipe, and later lines about that worker wait behind it.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ganger_api::{EndedUsageInfo, EventKind};
use ganger_core::{Event, Exit, RunId, State};
use ganger_keeper::{Process, Usage};
use ganger_logs::{Capture, Size};
use ganger_spec::{LogLevel, LogName, Signal, WorkerName};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::config::{Line, Start, Viewer};
use crate::engine::Message;
use crate::hands::listed;
use crate::journal::{Entry, Journal, NoDetails};
use crate::ledger::Ledger;
use crate::mainlog::MainLog;
use crate::output;

/// Under this name the viewer shows lines that are about no worker.
pub(crate) struct Narrator {
    journal: Arc<Journal>,
    viewer: Box<dyn Viewer>,
    messages: mpsc::UnboundedSender<Message>,
    /// supervisord's main log, where the app's file is supervisord's.
    main: Option<MainLog>,
    /// The journal's file could not be written, and that was said.
    journal_fails: bool,
    /// Lines that wait for output to be stored. The first of each worker is the end of a run.
    held: BTreeMap<WorkerName, VecDeque<Line>>,
    /// Workers whose output was not asked to be stored yet: the capture is woken once for all of a turn.
    undrained: Vec<WorkerName>,
    /// What the runs used that the decider hears the end of.
    used: BTreeMap<RunId, EndedUsageInfo>,
    /// Lines about the app that come after all that is held: what follows from the end of a run is told after it.
    behind: Vec<Line>,
}

impl Narrator {
    pub(crate) fn new(
        journal: Arc<Journal>,
        viewer: Box<dyn Viewer>,
        messages: mpsc::UnboundedSender<Message>,
    ) -> Self {
        let (held, undrained, used) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        Self {
            journal,
            viewer,
            messages,
            main: None,
            journal_fails: false,
            held,
            undrained,
            used,
            behind: Vec::new(),
        }
    }

    /// Shows what comes into this log.
    pub(crate) fn follow(&mut self, log: &LogName, from: Start) {
        if let Err(error) = self.viewer.follow(&log.to_string(), from) {
            self.notice(format!("the output of {log} is stored but cannot be shown: {error}"));
        }
    }

    /// The room that what a worker writes has in the viewer's window, if there is one.
    pub(crate) fn window(&self) -> Option<Size> {
        self.viewer.window()
    }

    /// Tells an event of the decider. The journal has it, and those who read that after [`Narrator::write_down`].
    pub(crate) fn tell(&mut self, event: &Event) {
        self.enter(event);
        let lines = self.main.as_mut().map(|main| main.tell(event)).unwrap_or_default();
        for line in lines {
            self.viewer.main_log(&line);
        }
        match event {
            Event::Ended { worker, exit, .. } => self.ended(worker, exit.to_string()),
            Event::State { worker, to: State::Backoff | State::Fatal, why, .. } => {
                self.about(worker, why.clone());
            }
            Event::Waiting { worker, why, .. } => self.about(worker, why.clone()),
            Event::Started { worker, .. } | Event::Ready { worker, .. } => {
                self.about(worker, sentence(event).into_owned());
            }
            // The state that a worker has after a failed spawn tells why, and what comes next.
            Event::SpawnFailed { .. }
            | Event::Released { number: 1, .. }
            | Event::State {
                to: State::Stopped | State::Starting | State::Running | State::Stopping | State::Exited,
                ..
            } => {}
            Event::Killing { worker, why } => self.say(format!("{worker}: {why}")),
            Event::Stuck { .. }
            | Event::Released { .. }
            | Event::Scaled { .. }
            | Event::ShuttingDown { .. } => self.say(sentence(event).into_owned()),
        }
    }

    /// What happens is told in this main log too.
    pub(crate) fn keep_main(&mut self, main: MainLog) {
        self.main = Some(main);
    }

    /// supervisord's main log, if there is one.
    pub(crate) fn main(&mut self) -> Option<&mut MainLog> {
        self.main.as_mut()
    }

    /// Tells something in the main log alone.
    pub(crate) fn say_in_main(&mut self, level: LogLevel, text: &str) {
        if let Some(line) = self.main.as_mut().and_then(|main| main.say(level, text)) {
            self.viewer.main_log(&line);
        }
    }

    /// Notes what runs used of whose end the decider hears next: the events of their ends tell it.
    pub(crate) fn used(&mut self, runs: impl IntoIterator<Item = (RunId, Usage)>) {
        self.used = runs.into_iter().map(|(run, usage)| (run, ended_usage(usage))).collect();
    }

    /// Gives what the journal got in this turn to the ledger.
    pub(crate) fn hand(&self, ledger: &mut Ledger) {
        self.journal.hand(|line| ledger.append_event(line));
    }

    /// Lets those who ask know what the journal got.
    pub(crate) fn publish(&self) {
        self.journal.tell();
    }

    /// Lets those who read the journal know what it got. What its file does not take is written later; said once.
    pub(crate) fn write_down(&mut self) {
        self.publish();
        match self.journal.write() {
            Ok(()) => self.journal_fails = false,
            Err(_) if self.journal_fails => {}
            Err(error) => {
                self.journal_fails = true;
                self.notice(format!("the file of events cannot be written, and will be later: {error}"));
                self.publish();
            }
        }
    }

    /// The lines of the journal that its file does not have.
    pub(crate) fn unwritten(&self) -> Vec<Box<[u8]>> {
        self.journal.unwritten()
    }

    /// Names the processes that had to be killed.
    pub(crate) fn killed(&mut self, whose: Option<&WorkerName>, processes: &[Process]) {
        if processes.is_empty() {
            return;
        }
        let of = whose.map(|worker| format!(" of {worker}")).unwrap_or_default();
        self.notice(format!("killed{of}: {}", listed(processes)));
    }

    /// Tells something that people should know.
    pub(crate) fn notice(&mut self, text: String) {
        self.note(EventKind::Notice, None, text);
    }

    /// Tells something of a worker that the decider does not know of.
    pub(crate) fn note(&mut self, kind: EventKind, worker: Option<&WorkerName>, text: String) {
        self.journal.number(Entry { kind, worker, text: &text, details: NoDetails {} });
        match worker {
            Some(worker) => self.about(worker, text),
            None => self.say(text),
        }
    }

    /// Shows something of a worker that the journal tells in another way.
    pub(crate) fn show(&mut self, worker: &WorkerName, text: String) {
        self.about(worker, text);
    }

    /// Asks for what the runs that ended in this turn left in their pipes.
    pub(crate) fn drain(&mut self, capture: &Capture) {
        for worker in self.undrained.drain(..) {
            let (messages, name) = (self.messages.clone(), worker.clone());
            let done = move |position| {
                // It fails only when the engine has ended, and nobody waits then.
                let _ = messages.send(Message::Drained(name, position));
            };
            output::drain(&worker, capture, done);
        }
    }

    /// What was in a worker's pipe is stored up to here: the line that waited for it comes now, with those behind.
    pub(crate) fn drained(&mut self, worker: &WorkerName, position: u64) {
        let Some(queue) = self.held.get_mut(worker) else { return };
        if let Some(line) = queue.pop_front() {
            self.viewer.say(Line { at: position, ..line });
        }
        while queue.front().is_some_and(|line| !line.ends_run) {
            if let Some(line) = queue.pop_front() {
                self.viewer.say(line);
            }
        }
        if queue.is_empty() {
            self.held.remove(worker);
        }
        if self.held.is_empty() {
            self.behind.drain(..).for_each(|line| self.viewer.say(line));
        }
    }

    /// Whether what this worker's last run wrote is still to be stored.
    pub(crate) fn awaits(&self, worker: &WorkerName) -> bool {
        self.held.contains_key(worker)
    }

    /// Whether every line is said.
    pub(crate) fn is_quiet(&self) -> bool {
        self.held.is_empty()
    }

    /// Writes and shows all there is and ends.
    pub(crate) fn finish(mut self) {
        self.write_down();
        self.viewer.finish();
    }

    /// Puts an event of the decider into the journal.
    fn enter(&mut self, event: &Event) {
        use EventKind as Kind;
        let (kind, worker, details) = match event {
            Event::State { worker, from, to, pid, why } => {
                (Kind::State, Some(worker), Details::State { from: *from, to: *to, pid: *pid, why })
            }
            Event::Started { worker, run, pid } => {
                (Kind::Started, Some(worker), Details::Started { run: *run, pid: *pid })
            }
            Event::SpawnFailed { worker, reason } => {
                (Kind::SpawnFailed, Some(worker), Details::SpawnFailed { reason })
            }
            Event::Ended { worker, run, exit } => {
                let usage = self.used.remove(run);
                (
                    Kind::Ended,
                    Some(worker),
                    Details::Ended { run: *run, status: exit.status(), signal: signal(*exit), usage },
                )
            }
            Event::Waiting { worker, why, in_vain } => {
                (Kind::Waiting, Some(worker), Details::Waiting { why, in_vain: *in_vain })
            }
            Event::Ready { worker, run, ready, why } => {
                (Kind::Ready, Some(worker), Details::Ready { run: *run, ready: *ready, why })
            }
            Event::Killing { worker, why } => (Kind::Killing, Some(worker), Details::Killing { why }),
            Event::Stuck { worker, pid } => (Kind::Stuck, Some(worker), Details::Stuck { pid: *pid }),
            Event::Released { number, changes } => {
                (Kind::Released, None, Details::Released { number: *number, changes })
            }
            Event::Scaled { group, from, to } => {
                (Kind::Scaled, None, Details::Scaled { group, from: *from, to: *to })
            }
            Event::ShuttingDown { reason, now } => {
                (Kind::ShuttingDown, None, Details::ShuttingDown { reason, now: *now })
            }
        };
        self.journal.number(Entry { kind, worker, text: &sentence(event), details });
    }

    fn ended(&mut self, worker: &WorkerName, text: String) {
        let line = Line { log: Some(worker.to_string()), at: 0, text, ends_run: true };
        self.held.entry(worker.clone()).or_default().push_back(line);
        self.undrained.push(worker.clone());
    }

    fn about(&mut self, worker: &WorkerName, text: String) {
        let line = Line { log: Some(worker.to_string()), at: 0, text, ends_run: false };
        match self.held.get_mut(worker) {
            Some(queue) => queue.push_back(line),
            None => self.viewer.say(line),
        }
    }

    fn say(&mut self, text: String) {
        let line = Line { log: None, at: 0, text, ends_run: false };
        if self.held.is_empty() {
            self.viewer.say(line);
        } else {
            self.behind.push(line);
        }
    }
}

/// What ended a run, where it was a signal: its status alone might be a code.
fn signal(exit: Exit) -> Option<Signal> {
    match exit {
        Exit::Signal(signal) => Some(signal),
        Exit::Code(_) | Exit::Unknown => None,
    }
}

fn ended_usage(usage: Usage) -> EndedUsageInfo {
    EndedUsageInfo {
        user_ms: usage.user_us / 1000,
        system_ms: usage.system_us / 1000,
        peak_resident_bytes: usage.max_rss_kib * 1024,
    }
}

fn sentence(event: &Event) -> Cow<'_, str> {
    match event {
        Event::Ready { ready: true, .. } => "ready".into(),
        Event::Ready { ready: false, why, .. } | Event::Waiting { why, .. } | Event::Killing { why, .. } => {
            why.into()
        }
        Event::State { from, to, why, .. } => format!("{from} to {to}: {why}").into(),
        Event::Started { pid: 0, .. } => "started; nobody saw its process".into(),
        Event::Started { pid, .. } => format!("started with pid {pid}").into(),
        Event::SpawnFailed { reason, .. } => format!("not started: {reason}").into(),
        Event::Ended { exit, .. } => exit.to_string().into(),
        Event::Stuck { worker, pid } => {
            format!("{worker}: pid {pid} does not even end by a kill, it is stuck in the kernel").into()
        }
        Event::Released { number, changes } if changes.is_empty() => format!("release {number}").into(),
        Event::Released { number, changes } => format!("release {number}: {}", changes.join("; ")).into(),
        Event::Scaled { group, from, to } => format!("{group} scaled from {from} to {to}").into(),
        Event::ShuttingDown { reason, now: false } => format!("{reason}, stopping").into(),
        Event::ShuttingDown { reason, now: true } => format!("{reason}, killing what still runs").into(),
    }
}

/// What programs are told of an event.
#[derive(Serialize)]
#[serde(untagged)]
enum Details<'a> {
    State {
        from: State,
        to: State,
        pid: Option<u32>,
        why: &'a str,
    },
    Started {
        run: RunId,
        pid: u32,
    },
    SpawnFailed {
        reason: &'a str,
    },
    Ended {
        run: RunId,
        status: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        signal: Option<Signal>,
        #[serde(skip_serializing_if = "Option::is_none")]
        usage: Option<EndedUsageInfo>,
    },
    Waiting {
        why: &'a str,
        in_vain: bool,
    },
    Ready {
        run: RunId,
        ready: bool,
        why: &'a str,
    },
    Killing {
        why: &'a str,
    },
    Stuck {
        pid: u32,
    },
    Released {
        number: u64,
        changes: &'a [String],
    },
    Scaled {
        group: &'a str,
        from: u32,
        to: u32,
    },
    ShuttingDown {
        reason: &'a str,
        now: bool,
    },
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use ganger_core::Exit;
    use ganger_logs::{Limits, create_pipe};

    use super::*;

    /// Remembers what it was told to show.
    struct Recorder(Rc<RefCell<Vec<String>>>);

    impl Viewer for Recorder {
        fn follow(&self, log: &str, _: Start) -> Result<(), ganger_logs::Error> {
            self.0.borrow_mut().push(format!("follow {log}"));
            Ok(())
        }

        fn say(&self, line: Line) {
            let log = line.log.unwrap_or_else(|| "system".to_owned());
            self.0.borrow_mut().push(format!("{log}@{} {}", line.at, line.text));
        }

        fn finish(self: Box<Self>) {}
    }

    struct Scene {
        _dir: tempfile::TempDir,
        narrator: Narrator,
        capture: Capture,
        messages: mpsc::UnboundedReceiver<Message>,
        shown: Rc<RefCell<Vec<String>>>,
        pipe: std::os::fd::OwnedFd,
    }

    fn scene() -> Scene {
        let dir = tempfile::tempdir().unwrap();
        let journal = Arc::new(Journal::open(&dir.path().join("events.jsonl"), Vec::new()).unwrap());
        let limits = Limits { file_bytes: 1 << 20, backups: 1, unread_bytes: 1 << 20, ..Limits::default() };
        let capture = Capture::start(&dir.path().join("logs"), limits, Box::new(|_| ()), None).unwrap();
        let pipe = create_pipe(&dir.path().join("web.1"), None).unwrap();
        capture.add("web.1", pipe.reader, None).unwrap();
        let shown = Rc::default();
        let (sender, messages) = mpsc::unbounded_channel();
        let narrator = Narrator::new(journal, Box::new(Recorder(Rc::clone(&shown))), sender);
        Scene { _dir: dir, narrator, capture, messages, shown, pipe: pipe.writer }
    }

    fn web() -> WorkerName {
        WorkerName::new("web", 1)
    }

    #[test]
    fn the_end_of_a_run_is_told_after_its_last_output_and_before_the_next_start() {
        let mut scene = scene();
        rustix::io::write(&scene.pipe, b"last words\n").unwrap();
        let ended = Event::Ended { worker: web(), run: RunId(1), exit: Exit::Code(3) };
        scene.narrator.tell(&ended);
        let started = Event::Started { worker: web(), run: RunId(2), pid: 77 };
        scene.narrator.tell(&started);
        scene.narrator.notice("what follows".to_owned());
        scene.narrator.drain(&scene.capture);
        assert!(scene.shown.borrow().is_empty() && !scene.narrator.is_quiet());
        let Some(Message::Drained(worker, position)) = scene.messages.blocking_recv() else {
            panic!("no drain")
        };
        scene.narrator.drained(&worker, position);
        assert_eq!(
            *scene.shown.borrow(),
            ["web.1@11 exited with code 3", "web.1@0 started with pid 77", "system@0 what follows"]
        );
        assert!(scene.narrator.is_quiet());
    }

    #[test]
    fn two_ends_wait_for_a_drain_each() {
        let mut scene = scene();
        for code in [1, 2] {
            let ended = Event::Ended { worker: web(), run: RunId(1), exit: Exit::Code(code) };
            scene.narrator.tell(&ended);
        }
        scene.narrator.drained(&web(), 0);
        assert_eq!(*scene.shown.borrow(), ["web.1@0 exited with code 1"]);
        scene.narrator.drained(&web(), 0);
        assert_eq!(scene.shown.borrow().len(), 2);
    }

    #[test]
    fn a_failed_start_is_said_once_in_the_terminal() {
        let mut scene = scene();
        let reason = "command not found: x".to_owned();
        scene.narrator.tell(&Event::SpawnFailed { worker: web(), reason: reason.clone() });
        let fatal =
            Event::State { worker: web(), from: State::Starting, to: State::Fatal, pid: None, why: reason };
        scene.narrator.tell(&fatal);
        assert_eq!(*scene.shown.borrow(), ["web.1@0 command not found: x"]);
    }
}
