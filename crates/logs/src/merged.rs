//! The lines of several logs in the order of time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use crate::reader::{Lines, Next, last_lines};
use crate::{From, Result, Store};

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The log it is of.
    pub log: Arc<str>,
    /// When it came, in nanoseconds since 1970.
    pub time: i64,
    /// The run that wrote it; 0 when it is not known.
    pub run: u64,
    /// Where in its log it begins.
    pub position: u64,
    /// Where what follows it begins. That is after its newline, if it has one: what a run left at its end and a
    /// piece of an overlong line have none.
    pub end: u64,
    /// Its bytes, without the newline.
    pub text: Vec<u8>,
}

/// Says whether a line is wanted by its text.
pub type Filter = Box<dyn Fn(&[u8]) -> bool + Send>;

/// Which lines are wanted.
#[derive(Default)]
pub struct Query {
    /// Only lines that came at or after this time (nanoseconds since 1970).
    pub since: Option<i64>,
    /// Only lines that came before this time.
    pub until: Option<i64>,
    /// Only the last so many of them.
    pub last: Option<usize>,
    /// Only lines for which this is true.
    pub filter: Option<Filter>,
    /// After what is there come the lines that are still to be written.
    pub follow: bool,
}

impl Query {
    /// Only lines that contain `text`.
    #[must_use]
    pub fn grep(mut self, text: &str) -> Self {
        let finder = memchr::memmem::Finder::new(text).into_owned();
        self.filter = Some(Box::new(move |line| finder.find(line).is_some()));
        self
    }
}

/// Lines of several logs in the order of time, a batch at a time.
///
/// Each log gives its lines in its own order; between the logs, the earlier line comes first. It holds one line and
/// one buffer a log, and the last lines that were asked for.
pub struct Merged {
    sources: Vec<Source>,
    /// The sources that have a line, the earliest first.
    heads: BinaryHeap<Reverse<(i64, usize)>>,
    query: Query,
    /// What is to be given before what `sources` have.
    ready: VecDeque<Line>,
    gathered: bool,
    skipped: u64,
}

struct Source {
    lines: Lines,
    head: Option<Line>,
    /// Where the log ended at first.
    end: u64,
    done: bool,
}

impl Merged {
    /// The lines of `logs` that `query` asks for.
    pub fn new(store: &Store, logs: &[String], query: Query) -> Result<Self> {
        let from = |log: &String| match (query.since, query.last) {
            (None, Some(lines)) if query.filter.is_none() && query.until.is_none() => {
                Ok(From::LastLines(lines))
            }
            (_, Some(lines)) => {
                let within = (query.since, query.until);
                last_lines(store, log, lines, within, |line| query.wants(line)).map(From::Position)
            }
            (Some(time), None) => Ok(From::Time(time)),
            (None, None) => Ok(From::Start),
        };
        let logs = logs.iter().map(|log| Ok((log.clone(), from(log)?))).collect::<Result<Vec<_>>>()?;
        Self::resume(store, &logs, query)
    }

    /// The lines of logs, of each from a place on, that `query` asks for.
    pub fn resume(store: &Store, logs: &[(String, From)], query: Query) -> Result<Self> {
        let mut sources = Vec::with_capacity(logs.len());
        for (log, from) in logs {
            let end = store.end(log)?;
            let mut lines = Lines::new(store.reader(log, *from)?);
            if matches!(from, From::Time(_)) {
                lines.align()?;
            }
            sources.push(Source { lines, head: None, end, done: false });
        }
        let gathered = query.last.is_none();
        let (heads, ready) = (BinaryHeap::new(), VecDeque::new());
        Ok(Self { sources, heads, query, ready, gathered, skipped: 0 })
    }

    /// Takes in a log that began meanwhile, from its first line on. What its file had before is left out.
    pub fn add(&mut self, store: &Store, log: &str) -> Result<()> {
        let began = store.began(log)?;
        let lines = Lines::new(store.reader(log, From::Position(began))?);
        self.sources.push(Source { lines, head: None, end: 0, done: false });
        Ok(())
    }

    /// The next lines, together about `max_bytes` long; none when there are none (yet). Never waits: a follower waits
    /// with [`Store::watch`], and so does whoever wants just what is there and is not [done](Self::is_done), for the
    /// end of a rotation.
    pub fn next_batch(&mut self, max_bytes: usize) -> Result<Vec<Line>> {
        for source in 0..self.sources.len() {
            self.look(source)?;
        }
        if !self.gathered {
            self.gather()?;
        }
        let mut batch = Vec::new();
        let mut bytes = 0;
        while bytes < max_bytes {
            let next = match self.ready.pop_front() {
                Some(line) => Some(line),
                None => self.take()?.map(|(_, line)| line),
            };
            let Some(line) = next else { break };
            bytes += line.text.len() + 1;
            batch.push(line);
        }
        Ok(batch)
    }

    /// Where each log is to be read on from after the lines that were given.
    pub fn positions(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.sources.iter().map(|source| {
            let position = source.head.as_ref().map_or_else(|| source.lines.position(), |line| line.position);
            (source.lines.log(), position)
        })
    }

    /// How many bytes were removed by rotation before they could be read, since this was last asked.
    pub fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    /// Nothing will ever come any more.
    pub fn is_done(&self) -> bool {
        self.ready.is_empty() && self.gathered && self.sources.iter().all(|s| s.done)
    }

    /// Reads up to the present and keeps the last lines.
    fn gather(&mut self) -> Result<()> {
        let wanted = self.query.last.unwrap_or(usize::MAX);
        while let Some((source, line)) = self.take()? {
            let is_new = line.position >= self.sources[source].end;
            self.ready.push_back(line);
            if is_new {
                break;
            }
            if self.ready.len() > wanted {
                self.ready.pop_front();
            }
        }
        self.gathered = true;
        Ok(())
    }

    /// The earliest line, and which source it is of.
    fn take(&mut self) -> Result<Option<(usize, Line)>> {
        let Some(Reverse((_, source))) = self.heads.pop() else { return Ok(None) };
        let line = self.sources[source].head.take();
        self.look(source)?;
        Ok(line.map(|line| (source, line)))
    }

    /// Gets the next line of a source that is wanted, if there is one.
    fn look(&mut self, number: usize) -> Result<()> {
        let (query, source) = (&self.query, &mut self.sources[number]);
        while source.head.is_none() && !source.done {
            if !query.follow && source.lines.position() >= source.end {
                source.done = true;
                break;
            }
            match source.lines.next(!query.follow)? {
                Next::Line(line) if query.until.is_some_and(|until| line.time >= until) => source.done = true,
                Next::Line(line) => {
                    if query.wants(&line) {
                        self.heads.push(Reverse((line.time, number)));
                        source.head = Some(line);
                    }
                }
                Next::Skipped(bytes) => self.skipped += bytes,
                Next::Nothing if query.follow || source.lines.has_news() => break,
                Next::Nothing => source.done = true,
            }
        }
        Ok(())
    }
}

impl Query {
    fn wants(&self, line: &Line) -> bool {
        self.since.is_none_or(|since| line.time >= since)
            && self.until.is_none_or(|until| line.time < until)
            && self.filter.as_ref().is_none_or(|filter| filter(&line.text))
    }
}
