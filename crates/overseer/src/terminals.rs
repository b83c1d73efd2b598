//! What workers have that write and read as if a person sat there: a terminal for each run whose group says so.
//!
//! The keeper holds the side where the screen and the keyboard are, too, so that a run is hung up by nobody's death but its
//! keeper's. What appears there is captured like what comes out of a pipe.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use ganger_logs::{Error, Size, Terminal, create_terminal, resize_terminal};
use ganger_spec::WorkerName;
use rustix::termios::tcgetwinsize;

use crate::attach::Sizes;

/// The terminals of the workers that have one.
#[derive(Debug)]
pub(crate) struct Terminals {
    /// What suits the window of the foreground.
    size: Size,
    /// Who decides before the window does.
    viewers: Arc<Sizes>,
    /// The workers of which viewers decide.
    decided: BTreeSet<WorkerName>,
    /// The sides where the screen and the keyboard are.
    screens: BTreeMap<WorkerName, Rc<OwnedFd>>,
}

impl Terminals {
    pub(crate) fn new(viewers: Arc<Sizes>) -> Self {
        Self { size: Size::default(), viewers, decided: BTreeSet::new(), screens: BTreeMap::new() }
    }

    /// Makes the terminal of a new run; the run's side, and the other.
    pub(crate) fn open(
        &mut self,
        worker: &WorkerName,
        owner: Option<(u32, u32)>,
    ) -> Result<[Rc<OwnedFd>; 2], Error> {
        let Terminal { screen, worker: side } = create_terminal(self.size, owner)?;
        let screen = Rc::new(screen);
        self.screens.insert(worker.clone(), Rc::clone(&screen));
        Ok([Rc::new(side), screen])
    }

    /// Takes up the terminal of a worker that was there before this overseer. Until somebody tells how large the window is,
    /// it is taken to be as large as that.
    pub(crate) fn adopt(&mut self, worker: WorkerName, screen: OwnedFd) {
        if self.size == Size::default()
            && let Ok(size) = tcgetwinsize(&screen)
        {
            self.size = Size { columns: size.ws_col, rows: size.ws_row };
        }
        self.screens.insert(worker, Rc::new(screen));
    }

    /// The side where the screen and the keyboard are, if the worker's latest run has a terminal. It never blocks.
    pub(crate) fn screen(&self, worker: &WorkerName) -> Option<&OwnedFd> {
        self.screens.get(worker).map(|screen| &**screen)
    }

    /// The window has this size, and so have all terminals of which no viewer decides.
    pub(crate) fn resize(&mut self, size: Size) {
        if std::mem::replace(&mut self.size, size) != size {
            for (worker, screen) in &self.screens {
                self.fit(worker, screen);
            }
        }
    }

    /// Viewers have come, gone or changed: the window decides again where none does any more.
    pub(crate) fn reseated(&mut self) {
        for (worker, screen) in &self.screens {
            if !self.viewers.unless_decided(worker, || {}) {
                self.decided.insert(worker.clone());
            } else if self.decided.remove(worker) {
                self.fit(worker, screen);
            }
        }
    }

    fn fit(&self, worker: &WorkerName, screen: &OwnedFd) {
        self.viewers.unless_decided(worker, || {
            // One whose worker is gone needs no size.
            let _ = resize_terminal(screen, self.size);
        });
    }

    /// The worker's next run has none, or there is no next one.
    pub(crate) fn forget(&mut self, worker: &WorkerName) {
        self.screens.remove(worker);
        self.decided.remove(worker);
    }

    /// The sides of all screens, by worker: what nobody read of them lives as long as these.
    pub(crate) fn sides(&self) -> Vec<(String, OwnedFd)> {
        // One that there is no room for is hung up.
        let copies =
            self.screens.iter().map(|(worker, screen)| Some((worker.to_string(), screen.try_clone().ok()?)));
        copies.flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use ganger_api::TerminalSize;

    fn web() -> WorkerName {
        WorkerName::new("web", 1)
    }

    fn size(side: &OwnedFd) -> Size {
        let size = tcgetwinsize(side).unwrap();
        Size { columns: size.ws_col, rows: size.ws_row }
    }

    #[test]
    fn terminals_have_the_size_of_the_window_whenever_they_are_made() {
        let mut terminals = Terminals::new(Sizes::new());
        let [side, _] = terminals.open(&web(), None).unwrap();
        assert_eq!(size(&side), Size::default());
        let window = Size { columns: 70, rows: 20 };
        terminals.resize(window);
        let [next, _] = terminals.open(&WorkerName::new("job", 1), None).unwrap();
        assert_eq!([size(&side), size(&next)], [window; 2]);
        terminals.forget(&web());
        assert_eq!(terminals.sides().len(), 1);
    }

    #[test]
    fn the_next_overseer_makes_terminals_as_large_as_those_that_are_there() {
        let mut before = Terminals::new(Sizes::new());
        let window = Size { columns: 70, rows: 20 };
        before.resize(window);
        let _web = before.open(&web(), None).unwrap();
        let mut terminals = Terminals::new(Sizes::new());
        for (worker, screen) in before.sides() {
            terminals.adopt(WorkerName::try_from(worker).unwrap(), screen);
        }
        let [side, _] = terminals.open(&WorkerName::new("job", 1), None).unwrap();
        assert_eq!(size(&side), window);
    }

    #[test]
    fn the_window_decides_only_while_no_viewer_does() {
        let viewers = Sizes::new();
        let mut terminals = Terminals::new(viewers.clone());
        let job = WorkerName::new("job", 1);
        let [web_side, web_screen] = terminals.open(&web(), None).unwrap();
        let [job_side, _] = terminals.open(&job, None).unwrap();
        let [window, larger] = [70, 90].map(|columns| Size { columns, rows: 20 });
        let viewer = Size { columns: 40, rows: 10 };
        let seat = viewers.sit(&web(), TerminalSize::new(10, 40));
        resize_terminal(&web_screen, viewer).unwrap();
        terminals.reseated();
        terminals.resize(window);
        assert_eq!([size(&web_side), size(&job_side)], [viewer, window]);
        let silent = viewers.sit(&web(), None);
        drop(seat);
        terminals.reseated();
        assert_eq!(size(&web_side), window, "who tells no size decides nothing");
        terminals.resize(larger);
        drop(silent);
        resize_terminal(&web_screen, viewer).unwrap();
        terminals.reseated();
        assert_eq!(size(&web_side), viewer, "of whom no viewer decided the size stays");
    }
}
