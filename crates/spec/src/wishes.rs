//! What is wished for: the command line over the defaults of `.foreman`, each with the place that says it.

use std::path::{Path, PathBuf};

use crate::foreman::{Defaults, Said};
use crate::input::absolute;
use crate::problem::Problem;
use crate::{Options, Settings};

/// A value and who says it.
#[derive(Clone, Debug)]
pub(crate) struct Wish<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// Who says something.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// An option of the command line, by its name.
    Flag(&'static str),
    /// A line of a file.
    Line(PathBuf, u32),
}

impl Place {
    /// A problem with what is said here.
    pub(crate) fn problem(&self, message: &str) -> Problem {
        match self {
            Self::Flag(flag) => Problem::new(format!("{flag}: {message}")),
            Self::Line(path, line) => Problem::at(path, *line, message),
        }
    }
}

/// All that is wished for, paths absolute.
#[derive(Debug)]
pub(crate) struct Wishes {
    pub(crate) file: Option<Wish<PathBuf>>,
    pub(crate) root: Option<Wish<PathBuf>>,
    pub(crate) env_files: Option<Wish<Vec<PathBuf>>>,
    pub(crate) formation: Option<Wish<String>>,
    pub(crate) port: Option<Wish<String>>,
    pub(crate) timeout: Option<Wish<String>>,
    pub(crate) settings: Settings,
}

impl Wishes {
    /// The command line's words; where it is silent, those of the `.foreman` file at `path`.
    pub(crate) fn of(options: &Options, path: &Path, defaults: Defaults) -> Self {
        let dir = &options.dir;
        let file = |said: &Option<PathBuf>| said.as_ref().map(|path| absolute(dir, path));
        let listed =
            |text: String| text.split(',').map(|name| absolute(dir, Path::new(name.trim()))).collect();
        let flagged = options.env_files.as_ref();
        let env_files = flagged.map(|files| files.iter().map(|file| absolute(dir, file)).collect::<Vec<_>>());
        Self {
            file: wish("-f", file(&options.file), path, defaults.procfile, |name| {
                absolute(dir, Path::new(&name))
            }),
            root: wish("-d", file(&options.root), path, defaults.root, |name| {
                absolute(dir, Path::new(&name))
            }),
            env_files: wish("-e", env_files, path, defaults.env, listed),
            formation: wish("-m", options.formation.clone(), path, defaults.formation, |text| text),
            port: wish("-p", options.port.clone(), path, defaults.port, |text| text),
            timeout: wish("--timeout", options.timeout.clone(), path, defaults.timeout, |text| text),
            settings: Settings { timestamps: defaults.timestamp, color: defaults.color },
        }
    }
}

fn wish<T>(
    flag: &'static str,
    flagged: Option<T>,
    path: &Path,
    default: Option<Said<String>>,
    read: impl Fn(String) -> T,
) -> Option<Wish<T>> {
    match (flagged, default) {
        (Some(value), _) => Some(Wish { value, place: Place::Flag(flag) }),
        (None, Some(said)) => {
            Some(Wish { value: read(said.value), place: Place::Line(path.to_owned(), said.line) })
        }
        (None, None) => None,
    }
}
