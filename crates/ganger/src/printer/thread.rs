//! The printer's thread.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ganger_logs::{Marks, News, Reader, Watch};

use super::follower::{Follower, now};
use super::inbox::{Inbox, Message};
use super::output::Output;
use super::prefix::Prefixes;
use super::{System, json, prompt};
use crate::clean;

/// A partial line is shown on a terminal after this.
const PROMPT_AFTER: Duration = Duration::from_millis(50);
/// The name of lines about the app.
const SYSTEM: &str = "system";

type OnBroken = Box<dyn FnOnce(io::Error) + Send>;

pub(super) struct Thread {
    watch: Watch,
    inbox: Arc<Inbox>,
    prefixes: Prefixes,
    followers: Vec<Follower>,
    /// Where in `followers` each log is.
    places: HashMap<Arc<str>, usize>,
    /// Which of them may have something to print.
    busy: BTreeSet<usize>,
    /// Which of them have printed something since they were marked.
    unmarked: BTreeSet<usize>,
    output: Output,
    marks: Marks,
    on_broken: Option<OnBroken>,
    terminal: bool,
    /// Whose partial line is (to be) at the bottom.
    prompting: Option<usize>,
    buf: Vec<u8>,
    finishing: bool,
}

impl Thread {
    pub(super) fn new(
        watch: Watch,
        inbox: Arc<Inbox>,
        prefixes: Prefixes,
        output: Output,
        marks: Marks,
        on_broken: OnBroken,
    ) -> Self {
        let terminal = output.is_terminal() && !prefixes.json();
        let buf = vec![0; output.piece()];
        Self {
            watch,
            inbox,
            prefixes,
            followers: Vec::new(),
            places: HashMap::new(),
            busy: BTreeSet::new(),
            unmarked: BTreeSet::new(),
            output,
            marks,
            on_broken: Some(on_broken),
            terminal,
            prompting: None,
            buf,
            finishing: false,
        }
    }

    /// Prints until told to finish; says whether all was printed.
    pub(super) fn run(mut self) -> bool {
        let Err(error) = self.print() else { return true };
        // Without its followers, nobody holds up the workers.
        self.followers.clear();
        if let Some(on_broken) = self.on_broken.take() {
            on_broken(error);
        }
        false
    }

    fn print(&mut self) -> io::Result<()> {
        loop {
            while self.step_busy()? {}
            if self.finishing {
                return self.finish();
            }
            self.show_prompt();
            self.output.flush()?;
            self.mark();
            self.watch.arm();
            // Something may have come before it was armed.
            if !self.step_busy()? {
                self.watch.wait(self.until_prompt()).map_err(io::Error::other)?;
            }
        }
    }

    /// Takes in what the printer was told; says whether there was anything.
    fn listen(&mut self) -> bool {
        let mut told = false;
        while let Some(message) = self.inbox.take() {
            told = true;
            match message {
                Message::Add(reader) => self.add(*reader),
                Message::System(line) => self.system(line),
                // What came just now may be in a log before it is told.
                Message::Finish => {
                    self.finishing = true;
                    self.busy.extend(0..self.followers.len());
                }
            }
        }
        told
    }

    /// Follows a log. One that was followed before, for a worker of the same name, is gone on with where that ended.
    fn add(&mut self, reader: Reader) {
        if self.places.contains_key(reader.log()) {
            return;
        }
        let wider = self.prefixes.make_room(reader.log());
        let mark = self.marks.number(reader.log());
        let place = self.followers.len();
        self.places.insert(Arc::clone(reader.log()), place);
        self.busy.insert(place);
        self.unmarked.insert(place);
        self.followers.push(Follower::new(reader, &mut self.prefixes, mark));
        if wider {
            for follower in &mut self.followers {
                follower.widen(&mut self.prefixes);
            }
        }
    }

    fn system(&mut self, line: System) {
        if let Some(&place) = self.places.get(line.log.as_str()) {
            self.busy.insert(place);
            self.unmarked.insert(place);
            // What is told of several workers is printed in the order in which it happened, where no bytes come before it.
            return self.followers[place].say(line, &self.prefixes, &mut self.output);
        }
        if self.prefixes.json() {
            let log = Some(line.log.as_str()).filter(|log| *log != SYSTEM);
            return json::own(self.output.lines(), log, now(), &line.text);
        }
        let mut prefix = self.prefixes.of(&line.log);
        if self.prefixes.timed() {
            self.prefixes.set_time(&mut prefix, now());
        }
        let lines = self.output.lines();
        lines.extend_from_slice(prefix.bytes());
        lines.extend_from_slice(line.text.as_bytes());
        lines.push(b'\n');
    }

    /// Notes which logs have grown.
    fn take_news(&mut self) {
        match self.watch.news() {
            News::Of(names) => self.busy.extend(names.iter().filter_map(|name| self.places.get(name))),
            News::All => self.busy.extend(0..self.followers.len()),
        }
    }

    /// Takes in what the printer was told, and lets each log that may have something print a piece; says whether there was
    /// anything. What a log gets after the printer was last told things waits: a line of ganger's own may belong before it.
    fn step_busy(&mut self) -> io::Result<bool> {
        self.take_news();
        let busy = std::mem::take(&mut self.busy).into_iter();
        let ends: Vec<(usize, u64)> =
            busy.filter_map(|number| Some((number, self.followers.get(number)?.end()))).collect();
        let (mut any, mut full) = (self.listen(), false);
        for (number, end) in ends {
            let Some(follower) = self.followers.get_mut(number) else { continue };
            let moved = follower.step(&mut self.buf, end, &self.prefixes, &mut self.output);
            let moved = moved.map_err(io::Error::other)?;
            if moved || follower.is_behind() {
                self.busy.insert(number);
            }
            if moved {
                any = true;
                self.unmarked.insert(number);
                if follower.has_prompt() {
                    self.prompting = Some(number);
                }
            }
            full |= self.output.flush_if_full()?;
        }
        if full {
            // What the last ones added since is not out yet.
            self.output.flush()?;
            self.mark();
        }
        Ok(any)
    }

    /// Marks how far each log is printed, all of which is out.
    fn mark(&mut self) {
        for number in std::mem::take(&mut self.unmarked) {
            if let Some(follower) = self.followers.get_mut(number) {
                follower.mark(&self.marks);
            }
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        for follower in &mut self.followers {
            follower.finish(&self.prefixes, &mut self.output);
        }
        self.output.erase_prompt();
        self.output.flush()
    }

    /// Shows the latest partial line at the bottom, if it is old enough.
    fn show_prompt(&mut self) {
        if !self.terminal {
            return;
        }
        let Some(follower) = self.prompting.and_then(|n| self.followers.get_mut(n)) else { return };
        if !follower.has_prompt() {
            self.prompting = None;
            return;
        }
        let young = follower.unshown_since.is_some_and(|since| since.elapsed() < PROMPT_AFTER);
        if young || (follower.unshown_since.is_none() && self.output.shows_prompt()) {
            return;
        }
        follower.unshown_since = None;
        let Some((prefix, text)) = follower.prompt() else { return self.output.erase_prompt() };
        let mut shown = prefix.to_vec();
        let columns = self.output.columns().saturating_sub(self.prefixes.columns() + 1);
        shown.extend(prompt::fitting(&text, columns));
        if memchr::memchr(b'\x1b', &text).is_some() {
            shown.extend(clean::RESET);
        }
        self.output.show_prompt(&shown);
    }

    /// How long until a partial line is to be shown; no timer runs unless there is one.
    fn until_prompt(&self) -> Option<Duration> {
        let follower = self.prompting.and_then(|n| self.followers.get(n)).filter(|_| self.terminal)?;
        let at = follower.unshown_since? + PROMPT_AFTER;
        Some(at.saturating_duration_since(Instant::now()))
    }
}
