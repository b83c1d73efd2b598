//! supervisord's event listeners: workers that get events on stdin and answer on stdout.
//!
//! What listeners are told of workers comes from the journal, which is durable and numbered: the [book](book) keeps how
//! far it was read, in the same lines as what came of it, and the next overseer reads on. The rest (ticks, what workers
//! wrote, what clients sent) is in the book alone.

mod audience;
mod book;
mod ear;
mod happened;
mod overheard;
mod overhearing;
pub(crate) mod payload;
mod pool;
mod ticks;
mod told;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use ganger_api::supervisor::listener::{Expected, Heard, envelope, hear};
use ganger_logs::Store;
use ganger_spec::{LogName, Spec, WorkerName};
use tokio::sync::mpsc;

use crate::engine::Message;
use crate::journal::Journal;
use crate::stdin::StdinError;
use audience::{Audience, Input, Output, REMOVED};
use book::Book;
use ear::Ear;
pub(crate) use overheard::Heard as Overheard;
pub(crate) use overhearing::{Overhearing, Piece, Wanted};
pub(crate) use payload::text;
use pool::{Doing, Subscription};
use ticks::Ticks;

/// So many events of the journal are taken at once.
const EVENTS_PER_TURN: usize = 256;

/// Gives a listener what it is to read.
pub(crate) type Write<'a> = &'a dyn Fn(&WorkerName, &[u8]) -> Result<(), StdinError>;

/// The listeners of an app. Where it has none, nothing is kept, read or awaited.
pub(crate) struct Listeners {
    path: PathBuf,
    pipes: PathBuf,
    book: Option<Book>,
    /// A release is in force that was not looked at, since after this event of the journal; whether it is the first.
    renewed: Option<(u64, bool)>,
    ears: BTreeMap<WorkerName, Ear>,
    todo: VecDeque<Output>,
    ticks: Ticks,
    overhearing: Overhearing,
    messages: mpsc::UnboundedSender<Message>,
    fails: bool,
    /// What people should know.
    notices: Vec<String>,
}

impl Listeners {
    /// Listeners whose book and pipes are there; `is_new` for an app that begins.
    pub(crate) fn new(
        path: PathBuf,
        pipes: PathBuf,
        is_new: bool,
        messages: mpsc::UnboundedSender<Message>,
    ) -> Self {
        let book = if is_new { None } else { Book::open(&path) };
        let (ears, todo, notices) = (BTreeMap::new(), VecDeque::new(), Vec::new());
        let (ticks, overhearing) = (Ticks::default(), Overhearing::default());
        Self {
            path,
            pipes,
            book,
            renewed: None,
            ears,
            todo,
            ticks,
            overhearing,
            messages,
            fails: false,
            notices,
        }
    }

    /// Another release is in force since after this event of the journal.
    pub(crate) fn renewed(&mut self, after: u64, is_new: bool) {
        self.renewed.get_or_insert((after, is_new));
    }

    /// Whether there is anybody to tell, or may be.
    pub(crate) fn is_awake(&self) -> bool {
        self.book.is_some() || self.renewed.is_some()
    }

    /// What people should know since the last call.
    pub(crate) fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// The pipe of a new run of a listener: the end that becomes its stdout.
    pub(crate) fn open(
        &mut self,
        worker: &WorkerName,
        owner: Option<(u32, u32)>,
    ) -> Result<OwnedFd, ganger_logs::Error> {
        let path = self.pipes.join(worker.to_string());
        // What the run before said is not this one's.
        let _ = std::fs::remove_file(&path);
        let (ear, stdout) = Ear::open(&path, worker, owner, self.messages.clone())?;
        self.ears.insert(worker.clone(), ear);
        Ok(stdout)
    }

    /// A worker is no more.
    pub(crate) fn forget(&mut self, worker: &WorkerName) {
        self.overhearing.forget(worker);
        if self.ears.remove(worker).is_some() {
            // What stays behind is made anew by the next run of that name.
            let _ = std::fs::remove_file(self.pipes.join(worker.to_string()));
        }
    }

    /// Takes up the listeners that were there before this overseer: those that live, with their runs. Gives those of
    /// whom nobody knows what they are doing.
    pub(crate) fn adopt(&mut self, live: &BTreeMap<WorkerName, u64>) -> Vec<WorkerName> {
        let Some(book) = &self.book else { return Vec::new() };
        let mut doubtful = book.audience().doubtful();
        let listeners = live.iter().filter(|(worker, _)| book.audience().pool_of(worker).is_some());
        for (worker, run) in listeners {
            let is_known = book.audience().member(worker).is_some_and(|member| member.run == *run);
            let path = self.pipes.join(worker.to_string());
            let ear = Ear::open(&path, worker, None, self.messages.clone());
            match ear.ok().filter(|ear| is_known && catch_up(ear, book.audience(), worker).is_ok()) {
                Some((ear, _)) => drop(self.ears.insert(worker.clone(), ear)),
                None => doubtful.push(worker.clone()),
            }
        }
        doubtful.retain(|worker| live.contains_key(worker));
        doubtful.dedup();
        doubtful
    }

    /// Tells what happened since the last turn.
    pub(crate) fn turn(&mut self, journal: &Journal, spec: &Spec, write: Write<'_>) {
        if let Some((after, is_new)) = self.renewed.take() {
            self.form(spec, after, is_new);
        }
        loop {
            let Some(read) = self.book.as_ref().map(|book| book.audience().read()) else { return };
            let events = journal.after(read, EVENTS_PER_TURN);
            let Some(last) = events.last().map(|event| event.seq) else { break };
            for input in events.iter().filter_map(|event| happened::input(event, spec)) {
                if let Input::Changed { worker, change: told::Change::Ended { .. }, .. } = &input {
                    self.listen(worker, spec, write);
                }
                self.give(&input);
            }
            self.give(&Input::Read(last));
            self.carry_out(spec, write);
        }
        self.tell_of_gone();
        self.carry_out(spec, write);
    }

    /// Tells an event that is no matter of the journal.
    pub(crate) fn tell(&mut self, name: &str, payload: String, spec: &Spec, write: Write<'_>) {
        if self.hears(name) {
            self.give(&Input::Event { name: name.to_owned(), payload });
            self.carry_out(spec, write);
        }
    }

    /// Tells the ticks that are due.
    pub(crate) fn tick(&mut self, spec: &Spec, write: Write<'_>) {
        for (name, payload) in self.ticks.due(now()) {
            self.tell(name, payload, spec, write);
        }
    }

    /// How long until a tick is due that somebody listens to.
    pub(crate) fn next_tick(&mut self) -> Option<Duration> {
        let next = Ticks::next(now(), |name| self.hears(name))?;
        self.ticks.begin(now());
        Some(next)
    }

    /// Hears what a listener said.
    pub(crate) fn listen(&mut self, worker: &WorkerName, spec: &Spec, write: Write<'_>) {
        while let Some(length) = self.hear(worker) {
            // What was said is in the book before it is taken, and what follows from it comes after.
            self.flush();
            if self.ears.get(worker).is_none_or(|ear| ear.take(length).is_err()) {
                break;
            }
            self.carry_out(spec, write);
        }
        if let Some(ear) = self.ears.get(worker) {
            ear.wait();
        }
    }

    /// Whether a release was not looked at: then what is to be overheard may be something else.
    pub(crate) fn is_renewed(&self) -> bool {
        self.renewed.is_some()
    }

    /// Hears from now on what a worker writes into this log, if it is to be.
    pub(crate) fn overhear(&mut self, log: &LogName, spec: &Spec, store: &Store) {
        let Some(wanted) = wanted(log, spec).filter(|wanted| self.is_heard(*wanted)) else { return };
        let name = log.to_string();
        let heard = self.book.as_ref().and_then(|book| book.audience().heard(&name));
        match self.overhearing.follow(store, log, wanted, heard) {
            Ok(position) if heard.is_none() => {
                self.give(&Input::Overheard { log: name, position, event: None });
            }
            Ok(_) => {}
            Err(error) => self.notices.push(format!("listeners do not hear what comes into {name}: {error}")),
        }
    }

    /// Until there may be something to overhear.
    pub(crate) async fn overheard(&self) {
        self.overhearing.ready().await;
    }

    /// All that a worker's run wrote is stored.
    pub(crate) fn drained(&mut self, worker: &WorkerName, store: &Store) {
        self.overhearing.drained(worker, store);
    }

    /// Tells what was overheard.
    pub(crate) fn tell_overheard(&mut self, spec: &Spec, write: Write<'_>) {
        for piece in self.overhearing.hear() {
            let Some(about) = self.book.as_ref().and_then(|book| book.audience().about(&piece.worker)) else {
                continue;
            };
            let event = Some(event_of(&piece, &about));
            self.give(&Input::Overheard { log: piece.log, position: piece.position, event });
            self.carry_out(spec, write);
        }
    }

    fn is_heard(&self, wanted: Wanted) -> bool {
        let any = |names: [&str; 2]| names.iter().any(|name| self.hears(name));
        (wanted.text && any(["PROCESS_LOG_STDOUT", "PROCESS_LOG_STDERR"]))
            || (wanted.captured > 0 && any(["PROCESS_COMMUNICATION_STDOUT", "PROCESS_COMMUNICATION_STDERR"]))
    }

    /// Nobody listens any more: the app has ended.
    pub(crate) fn end(self) {
        if let Some(book) = self.book {
            book.close();
        }
        // What stays behind is made anew by the next run.
        let _ = std::fs::remove_dir_all(&self.pipes);
    }

    fn hears(&self, name: &str) -> bool {
        self.book.as_ref().is_some_and(|book| book.audience().listens_to(name))
    }

    /// Lets listeners be as the spec says.
    fn form(&mut self, spec: &Spec, after: u64, is_new: bool) {
        let pools = pools(spec);
        if pools.is_empty() {
            self.ears.clear();
            self.overhearing.clear();
            if let Some(book) = self.book.take() {
                book.close();
            }
            return;
        }
        let families = families(spec);
        if self.book.is_none() || is_new {
            let audience = Audience::new(after, if is_new { &[] } else { &families });
            match Book::begin(&self.path, audience) {
                Ok(book) => self.book = Some(book),
                Err(error) => {
                    let path = self.path.display();
                    self.notices.push(format!("events reach no listener: {path} cannot be written: {error}"));
                    return;
                }
            }
        }
        self.give(&Input::Formed { families, pools, is_new });
    }

    fn tell_of_gone(&mut self) {
        let gone = self.book.as_ref().map(|book| book.audience().gone()).unwrap_or_default();
        for family in gone {
            self.give(&Input::Event { name: REMOVED.to_owned(), payload: format!("groupname:{family}\n") });
        }
    }

    fn give(&mut self, input: &Input) {
        if let Some(book) = &mut self.book {
            self.todo.extend(book.handle(input));
        }
    }

    fn flush(&mut self) {
        let Some(book) = &mut self.book else { return };
        match book.flush() {
            Ok(()) => self.fails = false,
            Err(_) if self.fails => {}
            Err(error) => {
                self.fails = true;
                self.notices.push(format!("events reach listeners but would not outlive us: {error}"));
            }
        }
    }

    /// Does what is to be done, once the book has what led to it.
    fn carry_out(&mut self, spec: &Spec, write: Write<'_>) {
        loop {
            self.flush();
            let Some(output) = self.todo.pop_front() else { return };
            match output {
                Output::Deliver { pool, worker } => self.deliver(&pool, &worker, spec, write),
                Output::Overflowed { pool, serial } => {
                    self.notices
                        .push(format!("pool {pool} event buffer overflowed, discarding event {serial}"));
                }
            }
        }
    }

    fn deliver(&mut self, pool: &str, worker: &WorkerName, spec: &Spec, write: Write<'_>) {
        let Some(event) = self.book.as_ref().and_then(|book| book.audience().event_of(worker)) else {
            return;
        };
        let server = spec.supervisor.as_ref().map_or("supervisor", |daemon| daemon.identifier.as_str());
        let text = envelope(server, pool, event.serials(), &event.name, &event.payload);
        match write(worker, text.as_bytes()) {
            Ok(()) => self.give(&Input::Sent(worker.clone())),
            Err(error) => self.lose(worker, &error.to_string()),
        }
    }

    /// What a listener says first; so many bytes are to be taken.
    fn hear(&mut self, worker: &WorkerName) -> Option<usize> {
        let audience = self.book.as_ref()?.audience();
        let member = audience.member(worker)?;
        let said = self.ears.get(worker)?.look().ok().filter(|said| !said.is_empty())?;
        let heard = match &member.doing {
            Doing::Acknowledged => hear(Expected::Ready, &said),
            Doing::Ready => hear(Expected::Nothing, &said),
            Doing::Busy { .. } => hear(Expected::Result, &said),
            Doing::Unknown => return Some(said.len()),
        };
        match heard {
            Heard::More => None,
            Heard::Ready { length } => {
                self.give(&Input::Ready(worker.clone()));
                Some(length)
            }
            Heard::Result { length, accepted } => {
                self.give(&Input::Answered { worker: worker.clone(), accepted });
                Some(length)
            }
            Heard::Nonsense(why) => {
                self.lose(worker, why);
                Some(said.len())
            }
        }
    }

    fn lose(&mut self, worker: &WorkerName, why: &str) {
        self.notices.push(format!("{worker} gets no more events before its next run: {why}"));
        self.give(&Input::Lost(worker.clone()));
    }
}

/// Takes what the overseer before heard, wrote down and did not come to take.
fn catch_up((ear, _): &(Ear, OwnedFd), audience: &Audience, worker: &WorkerName) -> io::Result<()> {
    let said = ear.look()?;
    let expected = match audience.member(worker).map(|member| &member.doing) {
        Some(Doing::Ready | Doing::Busy { .. }) => Expected::Ready,
        Some(Doing::Acknowledged) => Expected::Result,
        Some(Doing::Unknown) | None => return Ok(()),
    };
    match hear(expected, &said) {
        Heard::Ready { length } | Heard::Result { length, .. } => ear.take(length),
        Heard::More | Heard::Nonsense(_) => Ok(()),
    }
}

/// What of a log is to be heard, if anything.
fn wanted(log: &LogName, spec: &Spec) -> Option<Wanted> {
    let supervisor = spec.group(&log.worker.group)?.supervisor.as_ref()?;
    // What a listener says is no log.
    if supervisor.listener.is_some() {
        return None;
    }
    let is_stderr = *log == LogName::err(&log.worker);
    let stream = if is_stderr { &supervisor.stderr } else { &supervisor.stdout };
    let captured = usize::try_from(stream.capture_maxbytes).unwrap_or(0);
    (stream.events_enabled || captured > 0).then_some(Wanted { text: stream.events_enabled, captured })
}

/// The event that was overheard.
fn event_of(piece: &Piece, about: &str) -> (String, String) {
    let (kind, channel) = if piece.is_stderr { ("STDERR", "stderr") } else { ("STDOUT", "stdout") };
    match &piece.heard {
        Overheard::Log(data) => {
            let payload = format!("{about} channel:{channel}\n{}", payload::text(data));
            (format!("PROCESS_LOG_{kind}"), payload)
        }
        Overheard::Captured(data) => {
            (format!("PROCESS_COMMUNICATION_{kind}"), format!("{about}\n{}", payload::text(data)))
        }
    }
}

/// The pools of a spec, by the names of their groups.
fn pools(spec: &Spec) -> BTreeMap<String, Subscription> {
    let listeners = spec.groups.iter().filter_map(|group| {
        let listener = group.supervisor.as_ref()?.listener.as_ref()?;
        let events = listener.events.clone();
        Some((group.name.clone(), Subscription { events, buffer_size: listener.buffer_size }))
    });
    listeners.collect()
}

/// The families of a spec, in the order in which they start.
fn families(spec: &Spec) -> Vec<String> {
    let mut families: Vec<String> = Vec::new();
    for group in spec.start_order().into_iter().filter_map(|place| spec.groups.get(place)) {
        if !families.iter().any(|family| family == group.family_name()) {
            families.push(group.family_name().to_owned());
        }
    }
    families
}

fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
