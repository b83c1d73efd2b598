//! What `ganger daemon` says of itself: a plain line on stderr for each thing that happens, written by a thread of its
//! own, so that whoever reads them slowly delays nothing.

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::time::Duration;

use ganger_overseer::{Line, Start, Viewer};

/// So many lines wait for a reader; what comes after them is counted only.
const WAITING_MAX: usize = 4096;
/// A reader that takes nothing for this long is not waited for at the end.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);

/// The lines on their way to stderr.
#[derive(Debug)]
pub(crate) struct Notes {
    lines: SyncSender<String>,
    /// Begins each line, where there are several apps.
    name: Option<String>,
    left_out: Cell<usize>,
    /// Of the writer; it ends when the last one who notes has gone.
    ended: Rc<Receiver<()>>,
}

impl Notes {
    /// Notes that go to `output`.
    pub(crate) fn start(mut output: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, waiting) = sync_channel::<String>(WAITING_MAX);
        let (end, ended) = channel();
        std::thread::Builder::new().name("notes".to_owned()).spawn(move || {
            for line in waiting {
                // Nobody may read them: they are in the events too.
                let _ = output.write_all(line.as_bytes());
            }
            let _ = end.send(());
        })?;
        Ok(Self { lines, name: None, left_out: Cell::new(0), ended: Rc::new(ended) })
    }

    /// The same output for others, under this name.
    pub(crate) fn named(&self, name: Option<&str>) -> Self {
        let name = name.map(str::to_owned).or_else(|| self.name.clone());
        let (lines, ended) = (self.lines.clone(), Rc::clone(&self.ended));
        Self { lines, name, left_out: Cell::new(0), ended }
    }

    /// Writes a line. Never waits.
    pub(crate) fn note(&self, text: &str) {
        let name = self.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        let line = match self.left_out.get() {
            0 => format!("{name}{text}\n"),
            count => format!("{count} lines were left out: nobody read them\n{name}{text}\n"),
        };
        match self.lines.try_send(line) {
            Ok(()) => self.left_out.set(0),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.left_out.set(self.left_out.get() + 1);
            }
        }
    }
}

impl Viewer for Notes {
    fn follow(&self, _: &str, _: Start) -> Result<(), ganger_logs::Error> {
        Ok(())
    }

    fn say(&self, line: Line) {
        match line.log {
            Some(worker) => self.note(&format!("{worker}: {}", line.text)),
            None => self.note(&line.text),
        }
    }

    fn finish(self: Box<Self>) {
        let Self { lines, ended, .. } = *self;
        drop(lines);
        // A reader that takes nothing any more gets nothing any more. Others may go on, and wait themselves then.
        if let Some(ended) = Rc::into_inner(ended) {
            let _ = ended.recv_timeout(WRITTEN_WITHIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_reader_that_does_not_read_delays_nothing_and_is_told_how_much_it_missed() {
        let (mut reader, writer) = io::pipe().unwrap();
        let notes = Notes::start(writer).unwrap();
        let long = "x".repeat(100);
        while notes.left_out.get() < 3 {
            notes.note(&long);
        }
        let read = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        while notes.left_out.get() > 0 {
            notes.note("last");
        }
        Box::new(notes).finish();
        let text = read.join().unwrap().unwrap();
        assert!(text.contains(" lines were left out: nobody read them\nlast\n"), "{}", text.len());
        assert!(text.starts_with(&long));
    }
}
