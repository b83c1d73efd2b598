mod settings;
mod start;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::{OnEnd, OnExit, RestartMode, Signal, WorkerName};

/// A directory with files, and the options of a command line in it.
struct App {
    dir: tempfile::TempDir,
    options: Options,
}

impl App {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let options = Options { dir: dir.path().to_owned(), ..Options::default() };
        Self { dir, options }
    }

    fn with(mut self, set: impl FnOnce(&mut Options)) -> Self {
        set(&mut self.options);
        self
    }

    fn load(&self) -> Loaded {
        match load(&self.options) {
            Ok(loaded) => loaded,
            Err(error) => panic!("{error}"),
        }
    }

    /// Paths relative to the directory.
    fn relative(&self, text: &str) -> String {
        let dir = self.dir.path().display().to_string();
        text.replace(&format!("{dir}/"), "").replace(&dir, "DIR")
    }

    fn error(&self) -> (String, Option<String>) {
        let error = load(&self.options).unwrap_err();
        (self.relative(&error.to_string()), error.hint().map(|hint| self.relative(&hint)))
    }

    fn warnings(&self) -> Vec<String> {
        self.load().warnings.iter().map(|warning| self.relative(&warning.to_string())).collect()
    }

    fn counts(&self) -> Vec<u32> {
        self.load().spec.groups.iter().map(|group| group.count).collect()
    }

    fn ports(&self) -> Vec<String> {
        let plan = self.load().spec.plan();
        plan.iter().map(|worker| format!("{}={:?}", worker.name, worker.port.unwrap_or(0))).collect()
    }
}

const THREE: (&str, &str) = ("Procfile", "web: w\nworker: k\nclock: c\n");

fn three() -> App {
    App::new(&[THREE])
}

fn native(text: &str) -> App {
    App::new(&[("ganger.toml", text)])
}

fn value(app: &App, worker: &str, name: &str) -> Option<String> {
    let worker = WorkerName::try_from(worker.to_owned()).unwrap();
    let environment = app.load().spec.environment(&worker);
    environment.into_iter().find(|variable| variable.name == name).map(|variable| variable.value)
}
