//! Which files a group is watched for.

use std::path::Path;

use super::Draft;
use crate::problem::Findings;
use crate::watch::{USUAL_DEBOUNCE, USUALLY_IGNORED};
use crate::{FileWatch, Problem};

impl Draft<'_> {
    pub(super) fn watch(&self, base: &Path, findings: &mut Findings) -> Option<FileWatch> {
        let (native, _, table) = self.table.as_ref()?;
        let (span, said) = table.watch.as_ref().map(|watch| (watch.span(), &watch.get_ref().0))?;
        let usual = if said.usual_ignore.unwrap_or(true) { &USUALLY_IGNORED[..] } else { &[] };
        let own = said.ignore.iter().flatten().cloned();
        let watch = FileWatch {
            base: base.to_owned(),
            globs: said.paths.clone(),
            ignore: usual.iter().map(|glob| (*glob).to_owned()).chain(own).collect(),
            debounce: said.debounce.map_or(USUAL_DEBOUNCE, |debounce| debounce.0),
            signal: said.signal,
        };
        if let Err(problem) = watch.check() {
            let placed = native.problem(&span, problem.message);
            findings.error(Problem { hint: problem.hint, ..placed });
        }
        Some(watch)
    }

    /// Whether its workers start anew when files change: their ends are not the end of it.
    pub(super) fn is_restarted_by_files(&self) -> bool {
        let watch = self.table.as_ref().and_then(|(_, _, table)| table.watch.as_ref());
        watch.is_some_and(|watch| watch.get_ref().0.signal.is_none())
    }
}
