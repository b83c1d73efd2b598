//! Finds and reads the files of an app.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::dotenv;
use crate::foreman::{self, Defaults};
use crate::input::{absolute, read};
use crate::native::{EnvTable, Native};
use crate::problem::{Findings, Problem};
use crate::procfile::{self, Entry};
use crate::wishes::{Place, Wish, Wishes};
use crate::{Options, Origin, Source, SourceKind, Variable, is_compose};

const PROCFILE: &str = "Procfile";
const GANGER_TOML: &str = "ganger.toml";

/// What the files say.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) root: PathBuf,
    pub(crate) procfile: Option<(PathBuf, Vec<Entry>)>,
    pub(crate) native: Option<Native>,
    pub(crate) env: Vec<Variable>,
    pub(crate) list: Vec<Source>,
}

/// Reads `.foreman`; an error in it is found, and its defaults are those that could be read.
pub(crate) fn read_foreman(path: &Path, list: &mut Vec<Source>, findings: &mut Findings) -> Defaults {
    let text = findings.take(read(path)).flatten();
    list.push(Source { path: path.to_owned(), kind: SourceKind::Foreman, found: text.is_some() });
    text.map(|text| foreman::parse(path, &text, findings)).unwrap_or_default()
}

impl Sources {
    /// None if there is no app; then the findings say why.
    pub(crate) fn read(
        options: &Options,
        wishes: &Wishes,
        list: Vec<Source>,
        findings: &mut Findings,
    ) -> Option<Self> {
        let base = wishes.root.as_ref().map_or_else(|| options.dir.clone(), |root| root.value.clone());
        if !base.is_dir() {
            let message = format!("{} is no directory", base.display());
            let problem = wishes
                .root
                .as_ref()
                .map_or_else(|| Problem::new(&message), |wish| wish.place.problem(&message));
            findings.error(problem.hinted("name the app's directory"));
            return None;
        }
        let mut sources = Self { root: base.clone(), procfile: None, native: None, env: Vec::new(), list };
        let found = match &wishes.file {
            Some(file) => sources.read_named(file, findings),
            None => sources.discover(&base, options.without_groups, findings),
        };
        if wishes.root.is_none() {
            let file = wishes.file.as_ref().and_then(|file| file.value.parent());
            sources.root = file.map_or(base.clone(), Path::to_owned);
        }
        sources.read_env(&base, wishes, options, findings);
        found.then_some(sources)
    }

    /// The file that was named, and the Procfile that it names.
    fn read_named(&mut self, file: &Wish<PathBuf>, findings: &mut Findings) -> bool {
        let path = &file.value;
        if is_compose(path) && path.exists() {
            let problem = Problem::in_file(path, "is YAML, and neither a Procfile nor a ganger.toml");
            let name = path.file_name().unwrap_or_default().display();
            findings.error(problem.hinted(format!(
                "of a file of process-compose's, `ganger import {name}` makes a ganger.toml"
            )));
            return false;
        }
        let found = if path.extension().is_some_and(|extension| extension == "toml") {
            self.read_native(path, findings)
        } else {
            self.read_procfile(path, findings)
        };
        if found == Found::Missing {
            let problem = file.place.problem(&format!("no file {}", path.display()));
            findings.error(problem.hinted("name a Procfile or a ganger.toml that exists"));
        }
        found == Found::Read
    }

    /// The Procfile and the `ganger.toml` of a directory.
    fn discover(&mut self, dir: &Path, none_will_do: bool, findings: &mut Findings) -> bool {
        let native = self.read_native(&dir.join(GANGER_TOML), findings);
        let procfile = match native {
            Found::Missing => self.read_procfile(&dir.join(PROCFILE), findings),
            Found::Read | Found::Bad => Found::Missing,
        };
        if native == Found::Missing && procfile == Found::Missing {
            if none_will_do {
                return true;
            }
            let message = format!("no Procfile and no ganger.toml in {}", dir.display());
            let usual = "go to the app's directory, name it with -d, or name a file with -f";
            let compose = ["process-compose.yaml", "process-compose.yml"]
                .into_iter()
                .find(|name| dir.join(name).exists());
            findings.error(Problem::new(message).hinted(match compose {
                Some(name) => {
                    format!("`ganger import {name} > ganger.toml` makes one of process-compose's file")
                }
                None => usual.to_owned(),
            }));
        }
        native == Found::Read || procfile == Found::Read
    }

    /// A native file and the Procfile that it refines.
    fn read_native(&mut self, path: &Path, findings: &mut Findings) -> Found {
        let text = match read(path) {
            Ok(text) => text,
            Err(problem) => {
                findings.error(problem);
                return Found::Bad;
            }
        };
        let source = Source { path: path.to_owned(), kind: SourceKind::GangerToml, found: text.is_some() };
        let Some(text) = text else {
            self.list.push(source);
            return Found::Missing;
        };
        let Some(native) = findings.take(Native::parse(path, text)) else { return Found::Bad };
        let dir = path.parent().unwrap_or(path);
        match &native.table.procfile {
            None => {
                self.read_procfile(&dir.join(PROCFILE), findings);
            }
            Some(named) => {
                let procfile = absolute(dir, named.get_ref());
                if self.read_procfile(&procfile, findings) == Found::Missing {
                    let message = format!("no file {}", procfile.display());
                    let problem = native.problem(&named.span(), message);
                    findings.error(problem.hinted("name a Procfile that exists, or leave `procfile` out"));
                }
            }
        }
        self.list.push(source);
        self.native = Some(native);
        Found::Read
    }

    fn read_procfile(&mut self, path: &Path, findings: &mut Findings) -> Found {
        let text = match read(path) {
            Ok(text) => text,
            Err(problem) => {
                findings.error(problem);
                return Found::Bad;
            }
        };
        self.list.push(Source { path: path.to_owned(), kind: SourceKind::Procfile, found: text.is_some() });
        let Some(text) = text else { return Found::Missing };
        self.procfile = Some((path.to_owned(), procfile::parse(path, &text, findings)));
        Found::Read
    }

    /// The app's variables: `[env]`, then the env files.
    fn read_env(&mut self, base: &Path, wishes: &Wishes, options: &Options, findings: &mut Findings) {
        let inherited = &options.inherited;
        if let Some(native) = &self.native {
            self.env = variables(native, &native.table.env, findings);
        }
        let (files, place) = self.env_files(base, wishes);
        for path in files {
            let text = findings.take(read(&path)).flatten();
            self.list.push(Source { path: path.clone(), kind: SourceKind::Env, found: text.is_some() });
            let Some(text) = text else {
                if let Some(place) = place.as_ref().filter(|_| !path.exists() && options.overmind.is_none()) {
                    let problem = place.problem(&format!("no file {}", path.display()));
                    findings.error(problem.hinted("an env file that is named must exist"));
                }
                continue;
            };
            let said: BTreeMap<&str, &str> =
                self.env.iter().map(|variable| (variable.name.as_str(), variable.value.as_str())).collect();
            let known = |name: &str| {
                let shell =
                    || inherited.get(OsStr::new(name)).map(|value| value.to_string_lossy().into_owned());
                said.get(name).map(|&value| value.to_owned()).or_else(shell)
            };
            let more = dotenv::parse(&path, &text, known, findings);
            self.env.extend(more);
        }
    }

    /// The env files, and who names them; nobody names the default.
    fn env_files(&self, base: &Path, wishes: &Wishes) -> (Vec<PathBuf>, Option<Place>) {
        if let Some(wish) = &wishes.env_files {
            return (wish.value.clone(), Some(wish.place.clone()));
        }
        let native = self.native.as_ref().and_then(|native| Some((native, native.table.env_files.as_ref()?)));
        if let Some((native, files)) = native {
            let dir = native.path().parent().unwrap_or(base);
            let files = files.get_ref().iter().map(|file| absolute(dir, file)).collect();
            let span = native.table.env_files.as_ref().map_or(0..0, toml::Spanned::span);
            return (files, Some(Place::Line(native.path().to_owned(), native.line(&span))));
        }
        (vec![base.join(".env")], None)
    }
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Read,
    Missing,
    /// The findings say why.
    Bad,
}

/// The variables of a table, in the order of the file.
pub(crate) fn variables(native: &Native, table: &EnvTable, findings: &mut Findings) -> Vec<Variable> {
    let mut said: Vec<_> = table.iter().collect();
    said.sort_by_key(|(name, _)| name.span().start);
    let mut variables = Vec::new();
    for (name, value) in said {
        if name.get_ref().is_empty() || !name.get_ref().chars().all(dotenv::is_name_char) {
            let message = format!("{} is no name of a variable", procfile::shown(name.get_ref()));
            findings.error(native.problem(&name.span(), message).hinted(dotenv::NAME_RULE));
        }
        let origin = Origin::File { path: native.path().to_owned(), line: native.line(&name.span()) };
        variables.push(Variable { name: name.get_ref().clone(), value: value.0.clone(), origin });
    }
    variables
}
