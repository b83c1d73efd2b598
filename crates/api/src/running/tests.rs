use std::fs;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::*;

/// Apps in a directory of their own, as if they ran.
struct Machine {
    dir: tempfile::TempDir,
    environment: Environment,
    listeners: Vec<UnixListener>,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment {
            runtime_dir: Some(dir.path().join("run")),
            state_dir: Some(dir.path().join("state")),
            uid: rustix::process::geteuid().as_raw(),
            ..Environment::default()
        };
        Self { dir, environment, listeners: Vec::new() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(path)
    }

    /// An app whose API listens, but whose keeper has a number that no process has.
    fn start(&mut self, path: &str, name: &str) -> Place {
        let root = self.path(path);
        fs::create_dir_all(&root).unwrap();
        let place = Place::of(&root, &self.environment).unwrap();
        place.create(&self.environment).unwrap();
        let started = "2026-11-22T10:00:00Z".parse().unwrap();
        let file = AppFile { name: name.to_owned(), root, keeper_pid: u32::MAX, started, background: true };
        fs::write(place.app_file(), serde_json::to_vec(&file).unwrap()).unwrap();
        self.listeners.push(UnixListener::bind(place.socket()).unwrap());
        place
    }

    fn find(&self, app: Option<&str>, cwd: &str) -> Result<String, (String, String)> {
        match Place::find(app, &self.path(cwd), &self.environment) {
            Ok((place, _)) => Ok(place.id),
            Err(error) => Err((error.to_string(), error.hint().unwrap_or_default())),
        }
    }
}

#[test]
fn the_app_of_the_nearest_directory_above_is_meant() {
    let mut machine = Machine::new();
    let outer = machine.start("shop", "shop");
    let inner = machine.start("shop/admin", "admin");
    fs::create_dir_all(machine.path("shop/lib/deep")).unwrap();
    assert_eq!(machine.find(None, "shop/lib/deep"), Ok(outer.id.clone()));
    assert_eq!(machine.find(None, "shop"), Ok(outer.id));
    assert_eq!(machine.find(None, "shop/admin"), Ok(inner.id));
}

#[test]
fn an_app_is_named_by_its_name_its_id_or_its_directory() {
    let mut machine = Machine::new();
    let shop = machine.start("a/shop", "store");
    for app in ["store", &shop.id, "a/shop", "./a/../a/shop", machine.path("a/shop").to_str().unwrap()] {
        assert_eq!(machine.find(Some(app), ""), Ok(shop.id.clone()), "{app}");
    }
}

#[test]
fn a_name_that_two_apps_have_is_an_error_that_lists_them() {
    let mut machine = Machine::new();
    let (one, two) = (machine.start("a/shop", "shop"), machine.start("b/shop", "shop"));
    let (message, hint) = machine.find(Some("shop"), "").unwrap_err();
    assert_eq!(message, "2 running apps are named \"shop\"");
    assert!(hint.contains(&one.id) && hint.contains(&two.id), "{hint}");
}

#[test]
fn where_no_app_runs_the_error_says_which_do() {
    let mut machine = Machine::new();
    let (message, hint) = machine.find(None, "").unwrap_err();
    assert!(message.starts_with("no app is running in "), "{message}");
    assert_eq!(hint, "`ganger start` in the directory of an app starts it");
    let shop = machine.start("shop", "shop");
    let (message, hint) = machine.find(Some("blog"), "").unwrap_err();
    assert_eq!(message, "no running app is named \"blog\"");
    assert!(hint.starts_with(&format!("name one with --app: {} (", shop.id)), "{hint}");
}

#[test]
fn what_a_dead_app_left_behind_does_not_count() {
    let mut machine = Machine::new();
    machine.start("shop", "shop");
    machine.listeners.clear();
    assert!(running(&machine.environment).is_empty());
}

#[test]
fn an_app_whose_keeper_lives_counts_while_its_api_is_away() {
    let mut machine = Machine::new();
    let place = machine.start("shop", "shop");
    machine.listeners.clear();
    let mut file = read_app_file(&place).unwrap();
    file.keeper_pid = std::process::id();
    fs::write(place.app_file(), serde_json::to_vec(&file).unwrap()).unwrap();
    assert_eq!(running(&machine.environment), vec![(place, file)]);
}
