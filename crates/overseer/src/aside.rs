//! Files of ours that make no sense: nothing is lost by starting without them but what they said, and they are kept
//! for whoever wants to look.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A file of ours that makes no sense.
#[derive(Debug)]
pub(crate) struct Damaged {
    path: PathBuf,
    /// Where it is now; none if it could not be moved, and is written over.
    pub(crate) kept: Option<PathBuf>,
    why: String,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is damaged ({})", self.path.display(), self.why)?;
        match &self.kept {
            Some(kept) => write!(f, ": kept as {}", kept.display()),
            None => write!(f, " and cannot be kept: it is written anew"),
        }
    }
}

/// Moves a file out of the way, under a name that says when.
pub(crate) fn set_aside(path: &Path, why: String) -> Damaged {
    let kept = path.with_extension(format!("bad-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%3fZ")));
    let moved: io::Result<()> = std::fs::rename(path, &kept);
    Damaged { path: path.to_owned(), kept: moved.is_ok().then_some(kept), why }
}
