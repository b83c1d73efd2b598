//! How much memory the workers take whose group has a bound for it.

use std::collections::BTreeMap;
use std::time::Duration;

use ganger_api::WorkerInfo;
use ganger_core::{Instant, RunId};
use ganger_spec::Bytes;
use tokio::sync::mpsc;

use crate::engine::Message;
use crate::stats::Sampler;

/// So long after a look comes the next.
const INTERVAL: Duration = Duration::from_secs(15);

/// Whose memory is looked at, and when.
#[derive(Debug)]
pub(super) struct Memory {
    messages: mpsc::UnboundedSender<Message>,
    app: String,
    /// What each run may take.
    bounds: BTreeMap<RunId, u64>,
    next: Option<Instant>,
}

impl Memory {
    pub(super) fn new(app: &str, messages: mpsc::UnboundedSender<Message>) -> Self {
        Self { messages, app: app.to_owned(), bounds: BTreeMap::new(), next: None }
    }

    /// This run may take so much; none means that nobody looks.
    pub(super) fn watch(&mut self, run: RunId, bound: Option<u64>) {
        match bound {
            Some(bound) => drop(self.bounds.insert(run, bound)),
            None => drop(self.bounds.remove(&run)),
        }
        if self.bounds.is_empty() {
            self.next = None;
        } else if self.next.is_none() {
            self.next = Some(crate::clock::now().after(INTERVAL));
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    /// Looks at the runs of these workers in the background, and tells of those that take too much.
    pub(super) fn look(&mut self, now: Instant, mut workers: Vec<WorkerInfo>) {
        self.next = Some(now.after(INTERVAL));
        let (bounds, messages, sampler) =
            (self.bounds.clone(), self.messages.clone(), Sampler::new(&self.app));
        let bound_of = move |worker: &WorkerInfo| {
            let run = worker.run.map(RunId)?;
            Some((run, *bounds.get(&run)?))
        };
        workers.retain(|worker| bound_of(worker).is_some());
        tokio::spawn(async move {
            sampler.measure(&mut workers).await;
            for worker in &workers {
                let used = worker.usage.as_ref().map_or(0, |usage| usage.memory_bytes);
                if let Some((run, bound)) = bound_of(worker).filter(|(_, bound)| used > *bound) {
                    let what = format!("used {} of memory, more than {}", rounded(used), Bytes(bound));
                    // It fails only when the engine has ended, and nobody minds then.
                    let _ = messages.send(Message::TooMuch { run, what });
                }
            }
        });
    }
}

fn rounded(bytes: u64) -> Bytes {
    if bytes < 1 << 20 { Bytes(bytes >> 10 << 10) } else { Bytes(bytes >> 20 << 20) }
}

#[cfg(test)]
mod tests {
    use ganger_api::{Time, WantedState, WorkerState};
    use ganger_spec::WorkerName;

    use super::*;

    fn myself() -> WorkerInfo {
        WorkerInfo {
            name: WorkerName::new("web", 1),
            group: "web".to_owned(),
            number: 1,
            state: WorkerState::Running,
            wanted: WantedState::Up,
            why: String::new(),
            ready: true,
            terminal: false,
            pid: Some(std::process::id()),
            run: Some(7),
            port: None,
            uptime_ms: None,
            since: Time(jiff::Timestamp::UNIX_EPOCH),
            restarts: 0,
            retry_in_ms: None,
            usage: None,
            last_exit: None,
            command: String::new(),
        }
    }

    #[test]
    fn who_takes_more_than_it_may_is_told_of_and_nobody_else_is_looked_at() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (sender, mut messages) = mpsc::unbounded_channel();
            let mut memory = Memory::new("app", sender);
            assert_eq!(memory.next(), None);
            memory.watch(RunId(7), Some(4 << 10));
            let due = memory.next().expect("somebody is looked at");
            assert!(memory.is_due(due) && !memory.is_due(Instant(0)));
            memory.look(due, vec![myself()]);
            let Some(Message::TooMuch { run, what }) = messages.recv().await else {
                panic!("nothing is told")
            };
            assert_eq!(run, RunId(7));
            assert!(what.starts_with("used ") && what.ends_with(" of memory, more than 4 KiB"), "{what}");
            assert_eq!(memory.next(), Some(due.after(INTERVAL)));
            memory.watch(RunId(7), None);
            assert_eq!(memory.next(), None);
        });
    }
}
