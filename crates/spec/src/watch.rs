//! Which files a group is watched for: globs, and what of them is left out.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Signal;
use crate::problem::Problem;

mod glob;

use glob::Glob;

/// So many globs can be said, those that are ignored included.
pub const MAX_GLOBS: usize = 1_000;

/// Changes are waited for to end for so long, where nothing is said.
pub(crate) const USUAL_DEBOUNCE: Duration = Duration::from_millis(200);

/// The longest such wait that can be said.
pub(crate) const MAX_DEBOUNCE: Duration = Duration::from_mins(1);

/// Never meant where a glob does not name them itself: the histories of version control, what builds and package managers
/// write, and what editors leave beside a file while it is open.
pub const USUALLY_IGNORED: [&str; 19] = [
    ".git",
    ".hg",
    ".svn",
    ".jj",
    "target",
    "node_modules",
    "__pycache__",
    ".venv",
    ".direnv",
    ".idea",
    ".DS_Store",
    "*.pyc",
    "*.swp",
    "*.swo",
    "*.swx",
    "*~",
    ".#*",
    "#*#",
    "4913",
];

/// The files of a group, and what follows when one of them changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileWatch {
    /// Where relative globs begin, and what names of files are told from. Absolute.
    pub base: PathBuf,
    /// Which files.
    pub globs: Vec<String>,
    /// Which of them not.
    pub ignore: Vec<String>,
    /// A change counts when nothing else has changed for so long.
    pub debounce: Duration,
    /// The signal that workers get; none means that they are restarted.
    pub signal: Option<Signal>,
}

/// The globs of a [`FileWatch`], ready to be asked.
#[derive(Clone, Debug)]
pub struct Globs {
    base: PathBuf,
    wanted: Vec<Glob>,
    ignored: Vec<Ignored>,
}

#[derive(Clone, Debug)]
enum Ignored {
    /// Whatever has this name, below what a glob names itself.
    Name(Glob),
    /// This path.
    Path(Glob),
}

impl FileWatch {
    /// The globs, ready to be asked. What is no glob was an error when the spec was loaded, and matches nothing.
    pub fn globs(&self) -> Globs {
        let wanted = self.globs.iter().filter_map(|glob| Glob::parse(&absolute(&self.base, glob)).ok());
        let ignored = self.ignore.iter().filter_map(|glob| Ignored::parse(&self.base, glob).ok());
        let (wanted, ignored) = (wanted.flatten().collect(), ignored.flatten().collect());
        Globs { base: self.base.clone(), wanted, ignored }
    }

    /// What is wrong with them.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        const FORM: &str = "`*`, `?`, `[a-z]`, `{a,b}` and `**` for any directories stand for names; \
                            `watch = [\"app/**/*.rb\", \"config\"]`";
        if self.globs.is_empty() {
            return Err(Problem::new("there is no glob to watch").hinted(FORM));
        }
        if self.globs.len() + self.ignore.len() > MAX_GLOBS {
            let message = format!("more than {MAX_GLOBS} globs");
            return Err(Problem::new(message).hinted("name directories: all that is in them is watched"));
        }
        let bad = |glob: &str, what| Problem::new(format!("`{glob}` is no glob: {what}")).hinted(FORM);
        for glob in &self.globs {
            Glob::parse(&absolute(&self.base, glob)).map_err(|what| bad(glob, what))?;
        }
        for glob in &self.ignore {
            Ignored::parse(&self.base, glob).map_err(|what| bad(glob, what))?;
        }
        if self.debounce > MAX_DEBOUNCE {
            let message = format!("the debounce is longer than {} s", MAX_DEBOUNCE.as_secs());
            return Err(Problem::new(message).hinted("write `debounce = \"200ms\"`"));
        }
        Ok(())
    }

    /// A file's name as people are told it.
    pub fn told<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.base).unwrap_or(path)
    }
}

impl Ignored {
    fn parse(base: &Path, text: &str) -> Result<Vec<Self>, &'static str> {
        let plain = text.trim_end_matches('/');
        if plain.is_empty() {
            return Err("it names nothing");
        }
        if plain.contains('/') {
            return Ok(Glob::parse(&absolute(base, text))?.into_iter().map(Self::Path).collect());
        }
        Ok(Glob::parse(Path::new(plain))?.into_iter().map(Self::Name).collect())
    }
}

impl Globs {
    /// Whether this file is meant. Absolute, without `..`.
    pub fn has(&self, path: &Path) -> bool {
        let Some(names) = names(path) else { return false };
        self.wanted.iter().any(|glob| glob.has(&names) && !self.ignores(glob, &names))
    }

    /// Whether files in this directory, or far below it, may be meant.
    pub fn reaches(&self, dir: &Path) -> bool {
        let Some(names) = names(dir) else { return false };
        self.wanted.iter().any(|glob| glob.reaches(&names) && !self.ignores(glob, &names))
    }

    /// Whether a glob names this path, or one below it, letter by letter: a link in it is followed.
    pub fn names(&self, path: &Path) -> bool {
        names(path).is_some_and(|names| self.wanted.iter().any(|glob| glob.names(&names)))
    }

    /// The directories below which all that is meant lies: the base, and of what is elsewhere the one that it is in.
    pub fn roots(&self) -> Vec<PathBuf> {
        let outside = |root: PathBuf| root.parent().map_or(root.clone(), Path::to_owned);
        let root =
            |root: PathBuf| if root.starts_with(&self.base) { self.base.clone() } else { outside(root) };
        let mut roots: Vec<PathBuf> = self.wanted.iter().map(|glob| root(glob.root())).collect();
        roots.sort();
        roots.dedup();
        roots
    }

    fn ignores(&self, glob: &Glob, names: &[&str]) -> bool {
        let own = names.get(glob.named()..).unwrap_or_default();
        self.ignored.iter().any(|ignored| match ignored {
            Ignored::Name(pattern) => own.iter().any(|name| pattern.has(&[name])),
            Ignored::Path(pattern) => (1..=names.len()).any(|to| pattern.has(&names[..to])),
        })
    }
}

/// The names in an absolute path; none if one of them is not text.
fn names(path: &Path) -> Option<Vec<&str>> {
    let own = path.components().filter(|part| matches!(part, Component::Normal(_)));
    own.map(|part| part.as_os_str().to_str()).collect()
}

/// A glob from the root, without `.` and `..`. The base means itself, whatever letters are in it.
fn absolute(base: &Path, glob: &str) -> PathBuf {
    let base = base.to_string_lossy();
    let special = |letter: &char| "*?[]{}\\".contains(*letter);
    let escaped: String = base
        .chars()
        .flat_map(|letter| special(&letter).then_some('\\').into_iter().chain([letter]))
        .collect();
    let mut path = PathBuf::new();
    for part in Path::new(&escaped).join(glob).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                path.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => path.push(part),
        }
    }
    path
}

#[cfg(test)]
mod tests;
