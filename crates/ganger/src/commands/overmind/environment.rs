//! The env files of Overmind, each above the one before and above the shell.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::NAME;

/// A directory, and what its env files make of the shell's environment.
pub(super) struct Surroundings {
    pub(super) dir: PathBuf,
    pub(super) variables: BTreeMap<OsString, OsString>,
    /// The files that could be read, in their order.
    pub(super) files: Vec<PathBuf>,
}

impl Surroundings {
    /// Reads them: `~/.overmind.env`, `./.overmind.env`, `./.env` and what `OVERMIND_ENV` names. One that is wrong is told
    /// of and left out as a whole.
    pub(super) fn look(dir: &Path) -> Self {
        let (variables, files) = (std::env::vars_os().collect(), Vec::new());
        let mut here = Self { dir: dir.to_owned(), variables, files };
        if let Some(home) = here.variable("HOME") {
            here.read(&Path::new(&home).join(".overmind.env"));
        }
        here.read(Path::new("./.overmind.env"));
        if here.variable("OVERMIND_SKIP_ENV").is_none() {
            here.read(Path::new("./.env"));
        }
        let named = here.variable("OVERMIND_ENV").unwrap_or_default().to_string_lossy().into_owned();
        for name in named.split(',').filter(|name| !name.is_empty()) {
            here.read(Path::new(name));
        }
        here
    }

    /// The value of a variable.
    pub(super) fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(OsStr::new(name)).cloned()
    }

    fn read(&mut self, file: &Path) {
        let path: PathBuf = self.dir.join(file).components().collect();
        let known = |name: &str| self.variable(name).map(|value| value.to_string_lossy().into_owned());
        match ganger_spec::read_env_file(&path, known) {
            Ok(None) => {}
            Ok(Some(variables)) => {
                let said =
                    variables.into_iter().map(|variable| (variable.name.into(), variable.value.into()));
                self.variables.extend(said);
                self.files.push(path);
            }
            Err(error) => {
                let text = format!("{NAME}: skipping {} due to error: {error}\n", file.display());
                // A closed stderr is no reason to say anything else.
                let _ = io::stderr().write_all(text.as_bytes());
            }
        }
    }
}
