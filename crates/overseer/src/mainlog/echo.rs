//! What programs write, as supervisord copies it into its main log at `loglevel=debug`. It comes from the logs, as all
//! that anybody sees of it, and so may come after the line that tells of a program's end. How far it was copied is not
//! kept: the next overseer goes on with what comes then.

use std::io;

use ganger_logs::Store;
use ganger_spec::{LogName, WorkerName};

use crate::listeners::{Overheard, Overhearing, Piece, Wanted, text};

/// All text, and no marks.
const WANTED: Wanted = Wanted { text: true, captured: 0 };

/// The logs that are copied; nothing is awaited where there are none.
#[derive(Debug, Default)]
pub(crate) struct Echo(Overhearing);

impl Echo {
    /// Copies from now on what comes into this log.
    pub(crate) fn follow(&mut self, store: &Store, log: &LogName) -> io::Result<()> {
        self.0.follow(store, log, WANTED, None).map(drop)
    }

    /// Nothing of this worker is copied any more but what is in its logs now.
    pub(crate) fn let_go(&mut self, worker: &WorkerName) {
        self.0.let_go(worker);
    }

    /// All that the worker's run wrote is stored.
    pub(crate) fn drained(&mut self, worker: &WorkerName, store: &Store) {
        self.0.drained(worker, store);
    }

    /// Until there may be something to copy.
    pub(crate) async fn ready(&self) {
        self.0.ready().await;
    }

    /// Whether more is there than a turn may take.
    pub(crate) fn has_more(&self) -> bool {
        self.0.has_more()
    }

    /// What is there to copy, as much as a turn may take: who wrote it, and the main log's words for it, where `process`
    /// gives the name of who wrote.
    pub(crate) fn hear(&mut self, mut process: impl FnMut(&WorkerName) -> String) -> Vec<String> {
        let said = |piece: Piece| {
            let channel = if piece.is_stderr { "stderr" } else { "stdout" };
            let (Overheard::Log(data) | Overheard::Captured(data)) = &piece.heard;
            format!("'{}' {channel} output:\n{}", process(&piece.worker), text(data))
        };
        self.0.hear().into_iter().map(said).collect()
    }
}
